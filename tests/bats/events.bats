#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# iovctl event list, follow, wait.
load common

setup() {
        appliance_setup
}

teardown() {
        appliance_teardown
}

@test "list shows what has happened, in order, with who did it" {
        is_live || return 0
        iovprov apply -q rack.yaml
        iovctl event list -o json > events.json
        is true jq -e '[.events[].number] == [range(.events|length)]' events.json
        is '"notice"' jq -e '.events[]|select(.text|startswith("generation 1: "))|.level' events.json
        is "\"$(id -un)\"" jq -e '.events[]|select(.text|startswith("generation 1: "))|.user' events.json
        run -0 iovctl event list --filter level=notice -o number,text
        [[ $output == *'generation 1: '* ]]
}

@test "a simulator has nothing to follow, and says so" {
        is_live && return 0
        iovctl event list
        fails 1 iovctl event follow
        says 'use a running iovd'
        fails 1 iovctl event wait
}

@test "wait ends with the first event that passes the filters" {
        is_live || return 0
        iovctl event wait --since 0 --filter 'text~generation 2' -o json > waited 3>&- &
        local pid=$!
        iovprov apply -q rack.yaml
        iovctl server add app01 5
        wait "$pid"
        is '"generation 2: 1 change: server app01 added"' jq -e .text waited
        # What has happened already counts from a number on.
        is '"generation 1: 8 changes: volume db-data added, volume web-boot added, server db01 added, and 5 more"' json .text iovctl event wait --since 0 --filter 'text~generation' -o json
}

@test "wait gives up after its time" {
        is_live || return 0
        fails 1 iovctl event wait --filter text=never --timeout 0.2
        says 'no such event within 0.2 seconds'
        fails 2 iovctl event wait --since x
        fails 2 iovctl event wait --filter colour=red
}

@test "follow prints a line of JSON for each event, until it is interrupted" {
        is_live || return 0
        # A background job of a script ignores SIGINT unless it says otherwise.
        python3 - "$IOV_BUILD/iovctl" > status 3>&- <<'PYTHON' &
import json, signal, subprocess, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
p = subprocess.Popen([sys.argv[1], "event", "follow", "--since", "0", "--filter", "text~generation", "-o", "json"], stdout=subprocess.PIPE)
texts = [json.loads(p.stdout.readline())["text"] for i in range(2)]
p.send_signal(signal.SIGINT)
print(p.wait(), texts)
PYTHON
        local pid=$!
        iovprov apply -q rack.yaml
        iovctl server add app01 5
        wait "$pid"
        is "0 ['generation 1: 8 changes: volume db-data added, volume web-boot added, server db01 added, and 5 more', 'generation 2: 1 change: server app01 added']" cat status
}

@test "follow ends with who reads its pipe, and does not wait for the next event" {
        is_live || return 0
        iovprov apply -q rack.yaml
        timeout 60 bash -c 'iovctl event follow --since 0 | head -1' > first
        [[ -s first ]]
        # One that ignores SIGPIPE is told as if it had written.
        timeout 60 bash -c "trap '' PIPE; iovctl event follow --since 0 2> said | head -1" > first
        grep -q 'Broken pipe' said
}

@test "follow says that the appliance has gone" {
        is_live || return 0
        iovctl event follow > followed 2> lost 3>&- &
        local pid=$!
        # It has the connection once it is in the list of sockets; an event that it prints shows it.
        for _ in {1..100}; do
                iovctl server add app01 5 && iovctl server remove app01 --yes
                [[ -s followed ]] && break
        done
        iovd_stop
        run -3 wait "$pid"
        grep -q 'does not answer any more' lost
}

# How often a process has slept until now.
sleeps() {
        sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "/proc/$1/status"
}

# quiet PID...: none of them wakes for half a second
quiet() {
        local before pid
        before=$(for pid in "$@"; do sleeps "$pid"; done)
        sleep 0.5
        [[ $(for pid in "$@"; do sleeps "$pid"; done) == "$before" ]]
}

@test "follow sleeps until something happens, and so does the appliance" {
        is_live || skip "nothing happens in a simulator"
        iovprov apply -q rack.yaml
        iovctl event follow -o json > followed 2>&1 3>&- &
        local pid=$!
        until_true 20 quiet "$pid" "$(control_pid)"
        iovctl server add app01 5
        until_true 20 grep -q 'server app01 added' followed
        kill -INT "$pid"
        wait "$pid"
}
