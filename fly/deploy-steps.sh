# shellcheck shell=bash
# The steps of deploy.sh and deploy-multi-region.sh; sourced, never run by itself.
#
# Each step looks at what Fly has and changes only what is not so: a second run changes nothing, and a run
# after a failure goes on where the last one stopped. Nothing is remembered but which values the secrets had
# (see secrets.sh). When a release is not healthy or the smoke call fails, the image before it is deployed
# again. Works with bash 3.2, as macOS has it.

fly_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$fly_dir/.." && pwd)
# shellcheck source=fly/secrets.sh
source "$fly_dir/secrets.sh"
# shellcheck source=fly/release.sh
source "$fly_dir/release.sh"

cell='' app='' org=${NEXUS_FLY_ORG:-personal} image='' regions='' every_region=no
# Without a number of their own, the regions keep the machines that they have.
dry_run=no with_call=yes back=no count='' spare=''
app_exists=no
# What the app's machines are; `seen` while nothing has changed since the look at them.
machines='' machines_json='[]' seen=no

say() { printf '%s\n' "$*"; }
step() { printf '== %s\n' "$*"; }
complain() { printf 'error: %s\n' "$*" >&2; }
fail() {
    complain "$@"
    exit 1
}

usage() {
    cat <<'TEXT'
usage: fly/deploy.sh              --cell us|eu [flags]     the app's first region
       fly/deploy-multi-region.sh --cell us|eu [flags]     all regions

  --regions A,B,..  the regions, the first one first (deploy-multi-region.sh alone; cell us: iad,fra; cell eu: fra,ams;
                    and each further one in which the app has a machine that always runs)
  --count N         machines of each region that always run (as many as there are, at least 1)
  --spare N         machines of each region that start when the others are busy (as many as there are, at least 1)
  --app NAME        the Fly app (NEXUS_FLY_APP_US or _EU), a name that nobody else on Fly has
  --org NAME        the Fly organisation of a new app (NEXUS_FLY_ORG, or personal)
  --image REF       deploy this image instead of building one
  --rollback        deploy the image before the present one, in every region
  --no-call         without the smoke call
  --dry-run         say what would be changed, and change nothing

Environment: the secrets by the names of docs/configuration.md, for cell eu with _EU behind them, those that the edge
has too by the edge's names; what Fly has already need not be given again. NEXUS_SMOKE_CALL is the command that places
the smoke call; it sees NEXUS_VOICE_URL (the public address) and must exit 0. NEXUS_COMMIT is the commit where there is
no git, NEXUS_VERSION the version where it is not Cargo.toml's.
TEXT
}

refuse() {
    complain "$@"
    usage >&2
    exit 2
}

# read_flags one|many FLAG..
read_flags() {
    local scope=$1 first named both
    shift
    while (($#)); do
        case $1 in
            --cell | --app | --org | --image | --regions | --count | --spare)
                (($# > 1)) || refuse "$1 wants a value"
                case $1 in
                    --cell) cell=$2 ;;
                    --app) app=$2 ;;
                    --org) org=$2 ;;
                    --image) image=$2 ;;
                    --regions) regions=$2 ;;
                    --count) count=$2 ;;
                    --spare) spare=$2 ;;
                esac
                shift 2
                ;;
            --dry-run) dry_run=yes && shift ;;
            --no-call) with_call=no && shift ;;
            --rollback) back=yes && shift ;;
            -h | --help) usage && exit 0 ;;
            *) refuse "there is no flag $1" ;;
        esac
    done
    case $cell in
        us) fly_toml=fly/fly.toml ending='' cell_code=US named=${NEXUS_FLY_APP_US:-} both=iad,fra ;;
        eu) fly_toml=fly/fly.eu.toml ending=_EU cell_code=EU named=${NEXUS_FLY_APP_EU:-} both=fra,ams ;;
        *) refuse "--cell must be us or eu" ;;
    esac
    [[ ${count:-1} =~ ^[1-9][0-9]?$ && ${spare:-1} =~ ^[1-9][0-9]?$ ]] || refuse "--count and --spare are 1 to 99"
    [[ -z $image || $image == *:* ]] || refuse "--image wants a full name, with a tag or a digest"
    [[ $back == no || -z $image ]] || refuse "--rollback chooses the image itself"
    first=$(from_toml primary_region)
    app=${app:-$named}
    [[ -n $app ]] || refuse "the app's name is missing: NEXUS_FLY_APP_$cell_code or --app"
    [[ $app =~ ^[a-z0-9-]+$ ]] || refuse "an app's name is lower-case letters, digits and dashes"
    if [[ $scope == one ]]; then
        [[ -z $regions ]] || refuse "deploy.sh has one region; deploy-multi-region.sh takes --regions"
        regions=$first
    elif [[ -z $regions ]]; then
        regions=$both every_region=yes
    fi
    [[ $regions =~ ^[a-z]{3}(,[a-z]{3})*$ ]] || refuse "--regions are codes of three letters, with commas"
    regions=${regions//,/ }
    first_region=${regions%% *}
    [[ $first_region == "$first" ]] || refuse "the first region must be $first, the primary_region of $fly_toml"
    check_regions
}

# One top-level text of the cell's fly.toml.
from_toml() { sed -n "s/^$1 = \"\\(.*\\)\"\$/\\1/p" "$root/$fly_toml" | head -n 1; }

# What cell eu promises: its calls run on EU machines alone.
check_regions() {
    local region
    for region in $regions; do
        if [[ $cell == eu && ! $region =~ ^(ams|arn|cdg|fra)$ ]]; then
            fail "$region is not in the EU: cell eu may have ams, arn, cdg, fra"
        fi
    done
}

# Where no regions are named, each further one in which the app has a machine is looked after too.
find_regions() {
    local region
    if [[ $every_region == no ]]; then return 0; fi
    look_at_machines
    for region in $(machines_where 'group == "app"' | cut -f 2 | sort -u); do
        if [[ " $regions " != *" $region "* ]]; then regions="$regions $region"; fi
    done
    check_regions
}

# Runs a command that changes something, or says that it would.
change() {
    if [[ $dry_run == yes ]]; then
        say "would run: $*"
    else
        seen=no
        "$@"
    fi
}

# Isolated: nothing of the user's own Python has a say.
facts() { python3 -I -S "$fly_dir/facts.py" "$@"; }

check_tools() {
    step "tools"
    local tool missing=''
    for tool in flyctl python3 curl; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    if ! command -v sha256sum >/dev/null && ! command -v shasum >/dev/null; then
        missing="$missing sha256sum"
    fi
    [[ -z $missing ]] || fail "not installed:$missing"
}

check_login() {
    step "log-in"
    flyctl auth whoami >/dev/null || fail "flyctl is not logged in: run 'flyctl auth login' or set FLY_API_TOKEN"
}

check_app() {
    local names
    names=$(flyctl apps list --json | facts apps)
    app_exists=no
    # A token for one app alone may not see it in the list, and yet ask it.
    if grep -qxF -- "$app" <<<"$names" || flyctl machine list --app "$app" --json >/dev/null 2>&1; then
        app_exists=yes
    fi
}

check_smoke_call() {
    [[ $with_call == no || -n ${NEXUS_SMOKE_CALL:-} ]] \
        || fail "NEXUS_SMOKE_CALL is missing: the command that places a call (or go without, with --no-call)"
}

create_app() {
    step "app $app"
    if [[ $app_exists == no ]]; then
        change flyctl apps create "$app" --org "$org"
    fi
}

# A shared IPv4 and an IPv6 address, both anycast and free.
allocate_addresses() {
    step "addresses"
    local kinds=''
    if [[ $app_exists == yes ]]; then kinds=$(flyctl ips list --app "$app" --json | facts addresses); fi
    if ! grep -qE '^(shared_)?v4$' <<<"$kinds"; then change flyctl ips allocate-v4 --shared --app "$app"; fi
    if ! grep -qx v6 <<<"$kinds"; then change flyctl ips allocate-v6 --app "$app"; fi
}

# look_at_machines [again]: sets `machines` to what the app has now, see facts.py.
look_at_machines() {
    if [[ $seen == yes && ${1:-} != again ]]; then return 0; fi
    # Whoever calls this in a condition has no `set -e`.
    if [[ $app_exists == yes ]]; then machines_json=$(flyctl machine list --app "$app" --json) || return 1; fi
    machines=$(facts machines <<<"$machines_json") || return 1
    seen=yes
}

# machines_where 'AWK CONDITION': over id, region, group, state, tag, image, health.
machines_where() {
    awk -F '\t' -v label="${label:-}" -v first="$first_region" -v within=" $regions " '
        { id = $1; region = $2; group = $3; state = $4; tag = $5; image = $6; health = $7 }
        '"$1"' { print }' <<<"$machines"
}

# A clone of a machine of the first region for each region that has none.
clone_regions() {
    local region source
    look_at_machines
    source=$(machines_where 'region == first && group == "app"' | head -n 1 | cut -f 1)
    for region in $regions; do
        if [[ -z $(machines_where 'region == "'"$region"'" && group == "app"') ]]; then
            step "first machine of $region"
            change flyctl machine clone "${source:-MACHINE}" --app "$app" --region "$region"
        fi
    done
}

scale_regions() {
    local region now_app now_spare want_app want_spare
    step "machines of each region: ${count:-as many as there are} always on, ${spare:-as many as there are} on demand"
    look_at_machines
    for region in $regions; do
        now_app=$(machines_where 'region == "'"$region"'" && group == "app"' | wc -l)
        now_spare=$(machines_where 'region == "'"$region"'" && group == "spare"' | wc -l)
        want_app=${count:-$((now_app > 0 ? now_app : 1))}
        want_spare=${spare:-$((now_spare > 0 ? now_spare : 1))}
        if ((now_app != want_app || now_spare != want_spare)); then
            change flyctl scale count "app=$want_app" "spare=$want_spare" --region "$region" --app "$app" --yes
        fi
    done
}

# A machine that always runs may have stopped: too many crashes, or somebody's hand. Deployments leave it so.
start_stopped() {
    local id
    look_at_machines
    for id in $(machines_where 'group == "app" && state ~ /^(stopped|suspended)$/ && index(within, " " region " ")' | cut -f 1); do
        change flyctl machine start "$id" --app "$app"
    done
}

# wait_for_health [all]: until every machine of the regions (or of the app) runs and passes its checks. A spare
# machine may be stopped.
wait_for_health() {
    local scope=${1:-within} waiting until condition
    if [[ $dry_run == yes ]]; then
        say "would wait until the machines pass their checks"
        return 0
    fi
    condition='!(group == "spare" && state == "stopped") && !(state == "started" && health == "passing")'
    if [[ $scope == within ]]; then condition="$condition"' && index(within, " " region " ")'; fi
    until=$((SECONDS + ${NEXUS_HEALTH_SECONDS:-300}))
    while :; do
        look_at_machines again || return 1
        waiting=$(machines_where "$condition")
        if [[ -n $machines && -z $waiting ]]; then return 0; fi
        if ((SECONDS >= until)); then
            complain "not healthy after ${NEXUS_HEALTH_SECONDS:-300} s:"
            awk -F '\t' '{ print "  " $1, $2, $3, $4, $7 }' <<<"${waiting:-no machine}" >&2
            return 1
        fi
        sleep "${NEXUS_POLL_SECONDS:-5}"
    done
}

show() {
    step "machines of $app"
    look_at_machines
    awk -F '\t' '{ printf "%-16s %-4s %-6s %-8s %-10s %s\n", $1, $2, $3, $4, $7, $5 }' <<<"$machines"
    step "cost estimate"
    facts cost "$fly_dir/prices.tsv" <<<"$machines_json"
}

deploy() {
    cd "$root" || exit 1
    check_tools
    check_login
    check_app
    find_regions
    check_smoke_call
    check_secrets
    choose_image
    trap 'leave $?' EXIT
    create_app
    allocate_addresses
    if [[ $dry_run == no ]]; then app_exists=yes; fi
    set_secrets
    release_first_region
    release_further_regions
    apply_secrets
    clone_regions
    scale_regions
    verify
    show
    if [[ $dry_run == no ]]; then say "done: $app runs ${label:-$image} in $regions"; fi
}
