#!/usr/bin/env bash
# Builds the voice server as one static program (musl), for an image that holds nothing else.
#   usage: fly/build-static.sh OUT_DIR
# Dockerfile and tests run these same steps. No C library for musl is needed: the C and assembly in the
# TLS library call none, and Rust brings musl's start files and a linker.
# NEXUS_COMMIT and NEXUS_VERSION go into what /health answers.
set -euo pipefail
out=${1:?usage: fly/build-static.sh OUT_DIR}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/.."

arch=$(uname -m)
target=$arch-unknown-linux-musl
name=${target//-/_}
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    rustup target add "$target"
fi
export "CC_$name=${CC:-cc}"
export "CARGO_TARGET_$(printf '%s' "$name" | tr '[:lower:]' '[:upper:]')_LINKER=rust-lld"
# Without line numbers, with the names of functions: what a stack trace in a log needs.
export CARGO_PROFILE_RELEASE_STRIP=debuginfo
"${CARGO:-cargo}" build --locked --release --package nexus-voice --bin nexus-voice --target "$target"
cp "${CARGO_TARGET_DIR:-target}/$target/release/nexus-voice" "$out/nexus-voice"
