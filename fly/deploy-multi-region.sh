#!/usr/bin/env bash
# Brings a cell's voice servers to production in all its regions: the first region, then a clone of it in each
# further one. `fly/deploy-multi-region.sh --help` lists the flags.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=fly/deploy-steps.sh
source "$here/deploy-steps.sh"

read_flags many "$@"
deploy
