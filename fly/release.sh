# shellcheck shell=bash disable=SC2154 # deploy-steps.sh sets what is not set here
# Images: built, brought out region by region, proved, taken back; sourced by deploy-steps.sh.

# `yes` while a failure means that the image must go.
released=no
label='' previous=''
# `yes` once --rollback may have had its effect.
went_back=no
# The regions whose machines this run has replaced.
replaced=' '

# The name of what is built: the commit, and a mark of what is changed beside it.
commit_label() {
    local commit=${NEXUS_COMMIT:-} changes
    if [[ -n $commit ]]; then
        printf '%s\n' "${commit:0:12}"
        return 0
    fi
    commit=$(git rev-parse --short=12 HEAD 2>/dev/null) || fail "no git checkout here: give the commit in NEXUS_COMMIT"
    changes=$(git status --porcelain && git diff HEAD)
    if [[ -n $changes ]]; then commit=$commit-$(sha256 <<<"$changes" | cut -c 1-8); fi
    printf '%s\n' "$commit"
}

# Decides what will run: `label` is its tag, `image` its full name where it need not be built.
choose_image() {
    look_at_machines
    if [[ $back == yes ]]; then
        [[ -n $machines ]] || fail "$app has no machines: there is nothing to go back from"
        image=$(earlier_release "$(machines_where 1 | cut -f 5 | tr '\n' ' ')")
        [[ -n $image ]] || fail "$app has no earlier release"
        say "back to $image"
    fi
    if [[ -n $image ]]; then
        label=${image##*:}
        [[ $image != *@* ]] || label=-
    else
        label=$(commit_label)
    fi
    previous=$(machines_where 'tag != label' | head -n 1 | cut -f 6)
}

# earlier_release "TAG TAG..": the image before the newest of these. An image's place is its first release: what came
# after it and was taken back is not before it.
earlier_release() {
    flyctl releases --app "$app" --image --json | facts releases \
        | awk -v tags=" $1 " '
            { image[NR] = $0; tag = $0; sub(/.*:/, "", tag); if (index(tags, " " tag " ")) place[tag] = NR }
            END { for (tag in place) if (!at || place[tag] < at) at = place[tag]; if (at < NR) print image[at + 1] }'
}

# release IMAGE|build [flyctl flag..]
release() {
    local what=$1
    shift
    if [[ $what == build ]]; then
        change flyctl deploy . --config "$fly_toml" --app "$app" --remote-only --image-label "$label" \
            --build-arg "NEXUS_COMMIT=$label" ${NEXUS_VERSION:+--build-arg "NEXUS_VERSION=$NEXUS_VERSION"} \
            --ha=false --yes "$@"
    else
        change flyctl deploy . --config "$fly_toml" --app "$app" --image "$what" --ha=false --yes "$@"
    fi
}

release_first_region() {
    step "$first_region: $label"
    local what=${image:-build}
    look_at_machines
    if [[ -z $machines ]]; then
        released=yes
        release "$what"
        # Its machines start with the secrets that are there.
        secrets_are_applied
    elif [[ $back == yes ]]; then
        if [[ $dry_run == no ]]; then went_back=yes; fi
        release "$what"
        secrets_are_applied
    elif [[ -n $(machines_where 'tag != label && region == first') ]]; then
        released=yes
        release "$what" --regions "$first_region"
        replaced="$replaced$first_region "
    fi
    if [[ $released == yes ]]; then wait_for_first_region; fi
}

wait_for_first_region() {
    # What is called sees this one.
    local regions=$first_region
    start_stopped
    wait_for_health
}

# The first region has proved the image: the machines of the others follow.
release_further_regions() {
    local region behind='' built
    if [[ $back == yes ]]; then return 0; fi
    look_at_machines
    for region in $regions; do
        if [[ $region == "$first_region" ]]; then continue; fi
        if [[ -n $(machines_where 'tag != label && region == "'"$region"'"') ]]; then
            behind="$behind${behind:+,}$region"
            replaced="$replaced$region "
        fi
    done
    if [[ -n $behind ]]; then
        step "$behind: $label"
        released=yes
        built=${image:-$(machines_where 'region == first' | head -n 1 | cut -f 6)}
        release "$built" --regions "$behind"
    fi
    # A replaced machine has the new secrets. Where one was left alone, `secrets deploy` is still needed.
    if [[ $released == yes && -z $(machines_where '!index("'"$replaced"'", " " region " ")') ]]; then
        secrets_are_applied
    fi
}

public_url() {
    local url
    url=$(value_of NEXUS_PUBLIC_URL)
    url=${url:-https://$app.fly.dev}
    url=${url/#wss:/https:}
    printf '%s\n' "${url%/}"
}

# Health in every region, then the public address: that the new version answers there, and a call.
verify() {
    local url answer
    step "health in $regions"
    start_stopped
    if [[ $back == yes ]]; then wait_for_health all; else wait_for_health; fi
    url=$(public_url)
    step "public address $url"
    if [[ $dry_run == yes ]]; then
        say "would ask $url/health and place a call"
        return 0
    fi
    # A new app's name and certificate take a moment to be known everywhere.
    answer=$(curl --fail --silent --show-error --max-time 10 --retry 12 --retry-delay "${NEXUS_POLL_SECONDS:-5}" \
        --retry-all-errors --header "fly-prefer-region: $first_region" "$url/health" | facts health)
    check_answer "$answer"
    if [[ $with_call == yes ]]; then
        step "smoke call"
        NEXUS_VOICE_URL=$url bash -c "$NEXUS_SMOKE_CALL"
    fi
    released=no
}

check_answer() {
    local status version commit its_cell region
    IFS=$'\t' read -r status version commit its_cell region <<<"$1"
    say "status $status, version $version, commit $commit, cell $its_cell, region $region"
    [[ $status == ok ]] || fail "the server says: $status"
    [[ $its_cell == "$cell" ]] || fail "a server of cell $its_cell answers there"
    # The address is every region's, and the nearest one answers when the preferred one is busy: its machines may run
    # another image. One that was not built here has a name of its own.
    [[ -n $image || " $regions " != *" $region "* || $commit == "$label" ]] \
        || fail "commit $commit answers there, not $label"
}

# What is left to do when the script ends, with its exit status. (Within a trap a bare `return` gives the status
# from before it: every function that is called from here says `return 0`.)
leave() {
    local status=$1
    trap - EXIT
    if ((status == 0)); then exit 0; fi
    if [[ $released == yes && $dry_run == no ]]; then roll_back || complain "the roll-back failed too"; fi
    if [[ $went_back == yes ]]; then
        complain "$app may run $image now: look at its machines, for the same command could go back once more"
    else
        complain "not deployed; run the same command again to go on"
    fi
    exit 1
}

roll_back() {
    look_at_machines again || return 1
    if [[ -z $(machines_where 'tag == label') ]]; then return 0; fi
    if [[ -z $previous ]]; then previous=$(earlier_release "$label") || return 1; fi
    if [[ -z $previous ]]; then
        complain "there is no earlier image to go back to"
        return 0
    fi
    step "rolling back to $previous"
    release "$previous" || return 1
    wait_for_health all || return 1
    say "rolled back to $previous; secrets are as they were set now"
}
