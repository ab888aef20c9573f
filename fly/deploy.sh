#!/usr/bin/env bash
# Brings a cell's voice servers to production in the app's first region, or brings that region up to date.
# `fly/deploy.sh --help` lists the flags; deploy-multi-region.sh does the same for every region.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=fly/deploy-steps.sh
source "$here/deploy-steps.sh"

read_flags one "$@"
deploy
