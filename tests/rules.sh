#!/usr/bin/env bash
# The rules, walked on the command line by several people against a running engine: approvals,
# segregation of duties, changed plans, freezes, windows, emergencies, lockdowns, dependencies,
# policy, and files with mistakes. Every step is printed with what was said.
#
#   tests/rules.sh HOLDPOINT      the binary to walk with; `cargo build` makes target/debug/holdpoint
#
# Ends with 1 at the first step that comes out otherwise. Nothing depends on the hour: all dates
# are reckoned from now. What takes time is waited for, at most for $PATIENCE seconds.
set -euo pipefail

PATIENCE=${PATIENCE:-60}
hp=$(realpath "${1:?usage: tests/rules.sh HOLDPOINT}")
unset HOLDPOINT_TOKEN HOLDPOINT_LOG
top=$(mktemp -d)
export HOLDPOINT_ROOM=$top/room
engine=
trap 'stop_engine; rm -rf "$top"' EXIT

main() {
    make_room
    start_engine
    normal_release
    segregation_of_duties
    changed_plan
    freeze_with_exemption
    night_release
    emergency
    lockdown
    chain_of_three
    policy_test
    files_with_mistakes
    echo
    echo "all of it came out as it should (${SECONDS} s)"
}

# --- the walk ---

normal_release() {
    title "A normal release through the board: two of cab, one of security, one of operations"
    plan web 1
    expect 0 'web-1.0.1' 'security' -- release submit web-1.yaml --dry-run --as dev
    expect 0 'R-1' -- release submit web-1.yaml --as dev
    expect 1 'not approved' -- release start R-1 --as ada
    expect 0 'R-1 has your approval; it waits for approval' -- vote R-1 approve --as cara
    expect 0 -- vote R-1 approve --as kim
    expect 0 -- vote R-1 approve --as bo
    expect 0 'cab' -- release show R-1
    expect 4 'R-1' -- release wait R-1 --until approved --timeout 1s
    expect 0 -- vote R-1 object --comment 'where is the runbook?' --as cyd
    expect 0 'cyd' -- release show R-1
    expect 0 -- vote R-1 approve --comment 'found it' --as cyd
    expect 0 -- release wait R-1 --until approved --timeout "$PATIENCE"
    expect 0 'start' -- release show R-1
    expect 1 'kim may not start' 'operations' -- release start R-1 --as kim
    expect 0 -- release start R-1 --as ada
    expect 0 -- release wait R-1 --until succeeded --timeout "$PATIENCE"
    runs web 1
}

segregation_of_duties() {
    title "Nobody approves their own work: submitter, author, one person for two groups"
    plan api 1 'authors: [bo]'
    expect 0 'R-2' -- release submit api-1.yaml --as ada
    expect 1 'submitted' -- vote R-2 approve --as ada
    expect 1 'bo wrote commits' -- vote R-2 approve --as bo
    expect 0 'risk' 'production' -- policy explain R-2
    # eva is of security and of operations: she counts for one of them
    expect 0 -- vote R-2 approve --as eva
    expect 0 -- vote R-2 approve --as cara
    expect 0 -- vote R-2 approve --as cyd
    expect 4 -- release wait R-2 --until approved --timeout 1s
    expect 1 'not approved' -- release start R-2 --as ada
    expect 0 -- vote R-2 approve --as kim
    expect 0 -- release wait R-2 --until approved --timeout "$PATIENCE"
}

changed_plan() {
    title "A plan that is changed after its approval: the difference, and the votes are void"
    plan api 2 'authors: [bo]'
    call release show R-2
    local before
    before=$(sed -n 's/^ *plan \([0-9a-f]\{8\}\).*/\1/p' <<<"$out")
    expect 0 'version: 1\.0\.1 → 1\.0\.2' 'cara, cyd, eva, kim would be void' -- release update R-2 api-2.yaml --dry-run --as ada
    expect 0 -- release wait R-2 --until approved --timeout 1s
    expect 0 '1\.0\.2' 'are void' -- release update R-2 api-2.yaml --as ada
    expect 1 'not approved' -- release start R-2 --as ada
    expect 1 "plan $before, but the plan is" -- vote R-2 approve --as kim --digest "$before"
    approve R-2
    expect 0 -- release start R-2 --as ada
    expect 0 -- release wait R-2 --until succeeded --timeout "$PATIENCE"
    runs api 2
}

freeze_with_exemption() {
    title "A freeze, and an exemption from it"
    local ends
    ends=$(at '+3 days')
    cat >"$HOLDPOINT_ROOM/calendar.toml" <<END
[[freeze]]
name = "year-end"
owner = "operations"
reason = "the books are closed"
services = ["web"]
zone = "UTC"
starts = "$(at '-1 day')"
ends = "$ends"
END
    seen 'year-end' -- calendar show
    plan web 2
    expect 0 'R-3' -- release submit web-2.yaml --as dev
    approve R-3
    expect 0 -- release start R-3 --as ada
    seen 'year-end' 'operations' -- release why R-3
    expect 0 "$(shown "$ends")" -- release when R-3
    nothing_runs web 2
    expect 0 'X-1' -- calendar exempt year-end --release R-3 --reason 'double charges' \
        --ticket INC-4711 --until 4h --as ada
    expect 1 'ada|yourself|own' -- calendar approve X-1 --as ada
    expect 1 'exempt' -- calendar approve X-1 --as kim
    expect 0 -- calendar approve X-1 --as bo
    expect 0 -- release wait R-3 --until succeeded --timeout "$PATIENCE"
    runs web 2
    cp "$top/empty.toml" "$HOLDPOINT_ROOM/calendar.toml"
    unseen 'the books' -- calendar show
}

night_release() {
    title "A night release that is approved by day"
    local opens
    opens=$(at '+6 hours')
    plan web 3 "window: { opens: '$opens', closes: '$(at '+10 hours')', zone: UTC }" 'start: auto'
    expect 0 'R-4' -- release submit web-3.yaml --as dev
    approve R-4
    seen 'window' -- release show R-4
    expect 0 'window' -- release why R-4
    expect 0 "$(shown "$opens")" -- release when R-4
    expect 4 -- release wait R-4 --until started --timeout 1s
    nothing_runs web 3
    expect 0 'R-4 withdrawn' -- release withdraw R-4 --why 'the walk cannot wait for the night' --as dev
}

emergency() {
    title "An emergency: fewer people, a time box, and a review that is open at once"
    plan jobs 1 'kind: emergency' 'start: auto'
    expect 2 'emergency' -- release submit jobs-1.yaml --as bo
    plan jobs 1 'kind: emergency' 'start: auto' \
        'emergency: { incident: INC-90, reason: receipts are sent twice, lasts: 1h }'
    expect 0 'R-5' -- release submit jobs-1.yaml --as bo
    expect 1 'submitted' -- vote R-5 approve --as bo
    expect 0 -- vote R-5 approve --as ada
    expect 0 -- release wait R-5 --until succeeded --timeout "$PATIENCE"
    runs jobs 1
    expect 0 'R-5' 'INC-90' 'due' -- pir list
    expect 0 -- pir close R-5 --findings 'a lock was missing; OPS-77 adds it' --as ada
    expect 0 'no review is open' -- pir list
}

lockdown() {
    title "A lockdown: nothing goes forward, and the way back is open"
    plan web 4 'batches: [{ exposure: 50% }, { exposure: full, before: [{ manual: { ask: the rest } }] }]'
    expect 0 'R-6' -- release submit web-4.yaml --as dev
    approve R-6
    expect 0 -- release start R-6 --as ada
    seen 'the rest' -- release show R-6
    expect 0 'L-1' -- calendar lockdown --everything --reason 'suspected break-in' --as ada
    expect 0 'lockdown' 'suspected break-in' -- release why R-6
    expect 0 'LOCKDOWN L-1 by ada' 'until somebody ends it' -- release when R-6
    plan jobs 2
    expect 0 'R-7' -- release submit jobs-2.yaml --as dev
    approve R-7
    expect 0 'LOCKDOWN L-1' 'next: bo or eva lifts L-1' -- release start R-7 --as bo
    seen 'lockdown' -- release why R-7
    expect 0 -- release rollback R-6 --why 'is it ours?' --as bo
    expect 0 -- release wait R-6 --until rolled-back --timeout "$PATIENCE"
    runs web 2
    nothing_runs jobs 2
    expect 1 'ada|yourself|own|somebody else' -- calendar lift L-1 --reason 'a false alarm' --as ada
    expect 0 -- calendar lift L-1 --reason 'a false alarm' --as bo
    expect 0 -- release wait R-7 --until succeeded --timeout "$PATIENCE"
    runs jobs 2
}

chain_of_three() {
    title "Three that wait for each other: jobs for api, api for web; and never in a circle"
    plan jobs 3 'start: auto' 'needs: [{ release: api-1.0.3 }]'
    plan api 3 'start: auto' 'needs: [{ release: web-1.0.5 }]'
    plan web 5
    expect 0 'R-8' -- release submit jobs-3.yaml --as dev
    expect 0 'R-9' -- release submit api-3.yaml --as dev
    expect 0 'R-10' -- release submit web-5.yaml --as dev
    approve R-8
    approve R-9
    seen 'api-1.0.3' -- release show R-8
    seen 'web-1.0.5' -- release show R-9
    plan web 5 'needs: [{ release: jobs-1.0.3 }]'
    expect 1 'R-8' 'R-9' 'R-10' '->' -- release update R-10 web-5.yaml --as dev
    nothing_runs jobs 3
    nothing_runs api 3
    approve R-10
    expect 0 -- release start R-10 --as ada
    expect 0 -- release wait R-8 --until succeeded --timeout "$PATIENCE"
    expect 0 'succeeded' -- release show R-9
    runs jobs 3
    order web 5 api 3
    order api 3 jobs 3
}

policy_test() {
    title "The policy, tried before the night it matters"
    cat >"$top/cases.toml" <<'END'
[[case]]
name = "payday"
at = "2026-11-21T02:00"
environment = "prod"
services = ["web"]
expect = { rule = "production", groups = { security = 1, operations = 1, cab = 2 } }

[[case]]
name = "a fire"
at = "2026-11-21T02:00"
environment = "prod"
services = ["jobs"]
kind = "emergency"
expect = { rule = "emergency", groups = { operations = 1 } }
END
    expect 0 'payday' 'a fire' -- policy test cases.toml
    sed -i 's/cab = 2/cab = 3/' "$top/cases.toml"
    expect 1 'payday' 'cab' -- policy test cases.toml
    sed -i 's/^expect/expct/' "$top/cases.toml"
    expect 2 'expct' 'cases.toml:' 'expect' -- policy test cases.toml
}

files_with_mistakes() {
    title "Files with mistakes: located errors, and the engine keeps the rules of before"
    mistake policy.toml 's/^needs = /neds = /' 'neds' 'needs'
    mistake people.toml 's/groups = \["security"\]/groups = ["secruity"]/' 'secruity' 'security'
    cat >"$top/fixed-calendar.toml" <<END
[[freeze]]
name = "later"
owner = "operations"
reason = "a fair"
starts = "$(at '+30 days')"
ends = "$(at '+31 days')"
repeats = "FREQ=YEARLY"
END
    cp "$top/fixed-calendar.toml" "$HOLDPOINT_ROOM/calendar.toml"
    seen 'later' -- calendar show --days 60
    mistake calendar.toml 's/FREQ=YEARLY/FREQ=YEARLI/' 'YEARLI'
    expect 0 'later' -- calendar show --days 60
}

# mistake FILE SED WORD...: what `check` and the engine say of a file with a mistake, and that a
# release meanwhile goes by the rules of before; then the mistake is mended.
mistake() {
    local file=$1 sed=$2
    shift 2
    say "a mistake in $file: $sed"
    cp "$HOLDPOINT_ROOM/$file" "$top/kept"
    sed -i "$sed" "$HOLDPOINT_ROOM/$file"
    expect 2 "$file:" "$@" -- check
    logged "rules of before stay in force.*$file:[0-9]+:[0-9]+"
    n=$((n + 1))
    plan api "$n"
    expect 0 'submitted|R-' -- release submit "api-$n.yaml" --as dev
    expect 1 'not approved' -- release start "api-1.0.$n" --as ada
    approve "api-1.0.$n"
    expect 0 -- release start "api-1.0.$n" --as ada
    expect 0 -- release wait "api-1.0.$n" --until succeeded --timeout "$PATIENCE"
    runs api "$n"
    cp "$top/kept" "$HOLDPOINT_ROOM/$file"
    expect 0 -- check
}
n=10

# --- the room ---

make_room() {
    mkdir -p "$HOLDPOINT_ROOM/keys"
    cd "$top"
    make_fleet
    make_people
    cat >"$HOLDPOINT_ROOM/catalog.toml" <<'END'
[environment.prod]
production = true
zone = "UTC"

[service.web]
owner = "front"
tier = 1

[service.api]
owner = "back"
tier = 1

[service.jobs]
owner = "back"
tier = 2
END
    cat >"$HOLDPOINT_ROOM/policy.toml" <<'END'
[[approval]]
name = "emergency"
production = true
kinds = ["emergency"]
needs = { operations = 1 }
expires = "4h"

[[approval]]
name = "production"
production = true
needs = { security = 1, operations = 1, cab = 2 }
distinct_people = true
excludes = ["authors", "starter"]
END
    echo '# nothing is planned' | tee "$top/empty.toml" >"$HOLDPOINT_ROOM/calendar.toml"
    chmod -R go-rwx "$HOLDPOINT_ROOM"
}

# Two instances of each service; what runs on one is written in a file, and `calls` keeps the order.
make_fleet() {
    cat >"$top/operate" <<'END'
#!/bin/sh
# operate deploy|status SERVICE
cd "$(dirname "$0")" || exit 1
case $1 in
deploy)
    echo "$2 $HOLDPOINT_VERSION" >>calls
    echo "$HOLDPOINT_VERSION $HOLDPOINT_DIGEST" >"new-$HOLDPOINT_INSTANCE"
    mv "new-$HOLDPOINT_INSTANCE" "on-$HOLDPOINT_INSTANCE" ;;
status)
    for i in 1 2; do
        read -r version digest <"on-$2-$i"
        printf '{"instance":"%s-%s","version":"%s","digest":"%s","state":"running"}\n' \
            "$2" "$i" "$version" "$digest"
    done ;;
esac
END
    chmod +x "$top/operate"
    : >"$top/calls"
    {
        echo 'name = "rules"'
        echo 'look = "300ms"'
    } >"$HOLDPOINT_ROOM/room.toml"
    local service i
    for service in web api jobs; do
        for i in 1 2; do
            echo "1.0.0 $(digest_of "$service" 0)" >"$top/on-$service-$i"
        done
        cat >>"$HOLDPOINT_ROOM/room.toml" <<END

[[target]]
name = "$service-prod"
service = "$service"
environment = "prod"
platform = "command"
instances = [{ name = "$service-1" }, { name = "$service-2" }]
deploy = ["$top/operate", "deploy", "$service"]
rollback = ["$top/operate", "deploy", "$service"]
status = ["$top/operate", "status", "$service"]
parallel = 2
END
    done
}

make_people() {
    cat >"$HOLDPOINT_ROOM/people.toml" <<END
[group.operations]
may = ["submit", "control", "exempt", "lockdown"]

[group.developers]
may = ["submit"]

[group.security]
may = []

[group.cab]
may = []

[[person]]
name = "me"
full_name = "Who runs this"
uid = $(id -u)
groups = ["developers"]
END
    person dev developers
    person ada operations
    person bo operations
    person kim security
    person eva security operations
    person cara cab
    person cyd cab
}

# person NAME GROUP...: with a token.
person() {
    local name=$1 groups
    shift
    groups=$(printf '"%s", ' "$@")
    printf '%s-token' "$name" >"$HOLDPOINT_ROOM/keys/$name.token"
    cat >>"$HOLDPOINT_ROOM/people.toml" <<END

[[person]]
name = "$name"
full_name = "$name"
groups = [${groups%, }]
token = "sha256:$(printf '%s-token' "$name" | sha256sum | cut -d ' ' -f 1)"
END
}

# plan SERVICE N [LINE...]: writes SERVICE-N.yaml, for version 1.0.N; a line may bring batches.
plan() {
    local service=$1 number=$2
    shift 2
    {
        echo "name: $service-1.0.$number"
        echo "title: $service 1.0.$number"
        echo "environment: prod"
        echo "services:"
        echo "  - { service: $service, version: 1.0.$number, digest: '$(digest_of "$service" "$number")' }"
        echo "observe: { for: 200ms }"
        [[ "$*" == *batches:* ]] || echo "batches: [{ exposure: full, after: [{ bake: 200ms }] }]"
        [ $# -eq 0 ] || printf '%s\n' "$@"
    } >"$top/$service-$number.yaml"
}

digest_of() {
    echo "sha256:$(printf '%s %s' "$1" "$2" | sha256sum | cut -d ' ' -f 1)"
}

# A time from now, on the wall clock of UTC.
at() {
    date -u -d "$1" +%Y-%m-%dT%H:%M
}

# The same time as it is shown, as an expression.
shown() {
    LC_ALL=C date -u -d "$1" '+%a 0?%-d %b %Y %H:%M'
}

start_engine() {
    "$hp" serve --json >"$top/hello" 2>"$top/engine.err" &
    engine=$!
    # its first line comes when it can be asked
    local deadline=$((SECONDS + PATIENCE))
    until [ -s "$top/hello" ]; do
        kill -0 "$engine" 2>/dev/null || fail "the engine does not come up"
        [ "$SECONDS" -lt "$deadline" ] || fail "the engine does not come up in $PATIENCE s"
        sleep 0.1
    done
}

stop_engine() {
    [ -z "$engine" ] || { kill "$engine" 2>/dev/null && wait "$engine"; } || true
}

# --- the steps ---

title() {
    printf '\n== %s\n' "$1"
}

say() {
    printf '\n-- %s\n' "$1"
}

# expect CODES WORD... -- ARGUMENTS: one command; its exit code, and what must stand in its output
# (extended regular expressions).
expect() {
    local codes=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1") && shift; done
    shift
    call "$@"
    show "$@"
    [[ ",$codes," == *",$code,"* ]] || fail "ended with $code, expected $codes"
    local word
    for word in ${words[@]+"${words[@]}"}; do
        said "$word" || fail "does not say: $word"
    done
}

# seen WORD... -- ARGUMENTS: the same command again and again, until it ends with 0 and says so.
seen() { poll all "$@"; }

# unseen WORD -- ARGUMENTS: until it ends with 0 and says so no more.
unseen() { poll none "$@"; }

poll() {
    local want=$1 words=() deadline=$((SECONDS + PATIENCE)) word good
    shift
    while [ "$1" != -- ]; do words+=("$1") && shift; done
    shift
    while :; do
        call "$@"
        good=$((code == 0))
        for word in "${words[@]}"; do
            if said "$word"; then [ "$want" = all ] || good=0; else [ "$want" = none ] || good=0; fi
        done
        [ "$good" = 0 ] || break
        [ "$SECONDS" -lt "$deadline" ] || { show "$@"; fail "in $PATIENCE s never came to ($want): ${words[*]}"; }
        sleep 0.1
    done
    show "$@"
}

# Four people for the rule "production".
approve() {
    local who
    for who in cara cyd kim eva; do
        expect 0 -- vote "$1" approve --as "$who"
    done
    expect 0 -- release wait "$1" --until approved --timeout "$PATIENCE"
}

call() {
    code=0
    out=$("$hp" "$@" 2>&1 </dev/null) || code=$?
}

said() {
    grep -qiE -e "$1" <<<"$out"
}

show() {
    printf '\n$ holdpoint %s\n' "$*"
    [ -z "$out" ] || sed 's/^/    /' <<<"$out"
    [ "$code" = 0 ] || echo "    (exit code $code)"
}

# logged REGEX: the engine says so, in its log or on stderr.
logged() {
    local deadline=$((SECONDS + PATIENCE))
    until cat "$top/engine.err" "$HOLDPOINT_ROOM"/log/* 2>/dev/null | grep -E -m 1 -e "$1" | sed 's/^/    engine: /'; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the engine does not say: $1"
        sleep 0.1
    done
}

# runs SERVICE N: on every instance.
runs() {
    local i
    for i in 1 2; do
        grep -q "^1\.0\.$2 " "$top/on-$1-$i" || fail "$1-$i runs $(cat "$top/on-$1-$i"), not 1.0.$2"
    done
    say "$1 1.0.$2 runs on both instances"
}

nothing_runs() {
    ! grep -q "^$1 1\.0\.$2$" "$top/calls" || fail "$1 1.0.$2 was deployed"
    say "nothing of $1 1.0.$2 was deployed"
}

# order S1 N1 S2 N2: every call for the first came before every call for the second.
order() {
    local last first
    last=$(grep -n "^$1 1\.0\.$2$" "$top/calls" | tail -n 1 | cut -d : -f 1)
    first=$(grep -n "^$3 1\.0\.$4$" "$top/calls" | head -n 1 | cut -d : -f 1)
    [ "${last:-9999}" -lt "${first:-0}" ] || fail "$1 1.0.$2 did not come before $3 1.0.$4: $(cat "$top/calls")"
    say "$1 1.0.$2 came before $3 1.0.$4"
}

fail() {
    printf '\nFAILED: %s\n' "$1"
    printf '\nthe releases:\n'
    "$hp" release list --all 2>&1 || true
    printf '\nthe end of the log:\n'
    cat "$top/engine.err" "$HOLDPOINT_ROOM"/log/* 2>/dev/null | tail -n 20
    exit 1
}

main
