# shellcheck shell=bash disable=SC2154 # deploy-steps.sh sets what is not set here
# The secrets of a voice app; sourced by deploy-steps.sh.
#
# Fly gives no value back, only a digest that it computes in its own way. So a file that only its owner may read
# keeps, for each name, a keyed hash of the value that was set last and the digest that Fly showed after it: when
# both still hold, the secret is as it should be. Without the file (a fresh machine) all values are set again;
# if Fly's digests do not move by that, nothing is restarted. Values go through pipes alone, never into the
# arguments of a program, a file or the terminal.

required_secrets='NEXUS_EDGE_URL NEXUS_SERVICE_KEY NEXUS_TICKET_PUBLIC_KEYS DEEPGRAM_API_KEY ELEVENLABS_API_KEY OPENAI_API_KEY'
optional_secrets='NEXUS_PUBLIC_URL TWILIO_AUTH_TOKEN DEEPGRAM_URL ELEVENLABS_URL OPENAI_BASE_URL NEXUS_EU_HOSTS'
secrets_restart=no

state_dir() { printf '%s\n' "${NEXUS_DEPLOY_STATE:-$root/.nexus/deploy}/$app"; }

# What a secret is called here, for this cell. What the edge knows too has the edge's name.
name_of() {
    case $1 in
        NEXUS_EDGE_URL) printf '%s' "NEXUS_PUBLIC_URL_$cell_code" ;;
        NEXUS_PUBLIC_URL) printf '%s' "VOICE_URL_$cell_code" ;;
        TWILIO_AUTH_TOKEN) printf '%s' "TWILIO_AUTH_TOKEN_$cell_code" ;;
        *) printf '%s' "$1$ending" ;;
    esac
}

# Its value, from the environment.
value_of() {
    local name
    name=$(name_of "$1")
    printf '%s' "${!name-}"
}

sha256() {
    if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi | cut -d ' ' -f 1
}

fingerprint() {
    {
        cat "$(state_dir)/key"
        value_of "$1"
    } | sha256
}

# Sets `known_secrets`: name, digest and status of what Fly has.
look_at_secrets() {
    known_secrets=''
    if [[ $app_exists == yes ]]; then known_secrets=$(flyctl secrets list --app "$app" --json | facts secrets); fi
}

digest_of() { awk -F '\t' -v name="$1" '$1 == name { print $2 }' <<<"$known_secrets"; }

# Names every secret that is neither here nor at Fly, and every one that would not arrive as it is.
check_secrets() {
    step "secrets"
    local name value missing='' unfit=''
    look_at_secrets
    for name in $required_secrets; do
        if [[ -z $(value_of "$name") && -z $(digest_of "$name") ]]; then missing="$missing $(name_of "$name")"; fi
    done
    for name in $required_secrets $optional_secrets; do
        value=$(value_of "$name")
        # flyctl's import reads lines of NAME=VALUE, trims them, and takes quotes and `#` for its own.
        case $value in
            *$'\n'* | *$'\r'* | *'#'* | ' '* | *' ' | '"'*) unfit="$unfit $(name_of "$name")" ;;
        esac
    done
    if [[ -n $(value_of TWILIO_AUTH_TOKEN) && -z $(value_of NEXUS_PUBLIC_URL)$(digest_of NEXUS_PUBLIC_URL) ]]; then
        missing="$missing $(name_of NEXUS_PUBLIC_URL)"
    fi
    [[ -z $unfit ]] || complain "cannot be set (line break, #, or a quote or space at an end):$unfit"
    [[ -z $missing ]] || complain "missing secrets:$missing"
    [[ -z $unfit$missing ]] || exit 1
}

# Whether a secret is at Fly as it is here.
is_set() {
    local recorded digest
    digest=$(digest_of "$1")
    recorded=$(awk -v name="$1" '$1 == name { print $2, $3 }' "$(state_dir)/secrets" 2>/dev/null) || return 1
    [[ -n $digest && $recorded == "$(fingerprint "$1") $digest" ]]
}

make_state() {
    local dir
    dir=$(state_dir)
    if [[ ! -s $dir/key ]]; then
        mkdir -p "$dir"
        chmod 700 "$dir"
        (umask 077 && head -c 32 /dev/urandom | sha256 >"$dir/key")
    fi
}

# Hands the changed secrets to Fly without a restart: the release that follows brings them to the machines.
set_secrets() {
    local name changed='' before dir
    dir=$(state_dir)
    for name in $required_secrets $optional_secrets; do
        if [[ -n $(value_of "$name") ]] && ! is_set "$name"; then changed="$changed $name"; fi
    done
    if grep -qE $'\t(staged|partial)$' <<<"$known_secrets" || [[ -e $dir/staged ]]; then secrets_restart=yes; fi
    if [[ -z $changed ]]; then return 0; fi
    if [[ $dry_run == yes ]]; then
        say "would set:$changed"
        secrets_restart=yes
        return 0
    fi
    say "setting:$changed"
    make_state
    # Before the import, so that a run that dies right after it is known to have left something to apply.
    : >"$dir/staged"
    for name in $changed; do
        printf '%s=' "$name"
        value_of "$name"
        printf '\n'
    done | flyctl secrets import --stage --app "$app"
    before=$known_secrets
    look_at_secrets
    if [[ $secrets_restart == no && -n $before && $(cut -f 1,2 <<<"$before") == "$(cut -f 1,2 <<<"$known_secrets")" ]]; then
        rm "$dir/staged"
    else
        secrets_restart=yes
    fi
    record_secrets "$changed"
}

record_secrets() {
    local name dir
    dir=$(state_dir)
    touch "$dir/secrets"
    {
        awk -v names=" $1 " '!index(names, " " $1 " ")' "$dir/secrets"
        for name in $1; do printf '%s %s %s\n' "$name" "$(fingerprint "$name")" "$(digest_of "$name")"; done
    } >"$dir/secrets.new"
    mv "$dir/secrets.new" "$dir/secrets"
}

# Notes that a release has brought the secrets to every machine of the app.
secrets_are_applied() {
    secrets_restart=no
    if [[ $dry_run == no ]]; then rm -f "$(state_dir)/staged"; fi
}

# Restarts the machines with the new secrets, if no release in this run has done so.
apply_secrets() {
    if [[ $secrets_restart == no ]]; then return 0; fi
    step "machines take the new secrets"
    change flyctl secrets deploy --app "$app"
    secrets_are_applied
}
