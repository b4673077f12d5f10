# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the bats files share. Each test has an appliance of its own: a fresh state directory behind sim:, or, in files called NAME-live.bats
# (links to NAME.bats), a running iovd; in NAME-threads-live.bats one without io_uring, in
# NAME-direct-live.bats one with direct I/O.
#
# IOV_BUILD, IOV_SOURCE and IOVD come from the makefile; by hand: IOV_BUILD=$PWD/build IOV_SOURCE=$PWD IOVD=$PWD/build/iovd bats tests/bats

bats_require_minimum_version 1.5.0
export PATH="$IOV_BUILD:$PATH" LC_ALL=C.UTF-8
unset NO_COLOR IOV_APPLIANCE

appliance_setup() {
        # Socket paths are limited to 107 characters, and bats' own directories are deep.
        T=$(mktemp -d "${TMPDIR:-/tmp}/iov.XXXXXX")
        IOVD_PID=
        SERVER_PIDS=()
        cd "$T" || return
        cp "$IOV_SOURCE"/examples/*.yaml .
        chmod u+w ./*.yaml
        if [[ $BATS_TEST_FILENAME == *-threads-live.bats ]]; then
                export IOV_LOOP=threads
        fi
        if [[ $BATS_TEST_FILENAME == *-direct-live.bats ]]; then
                IOVD_OPTIONS='--media-cache direct'
        fi
        if [[ $BATS_TEST_FILENAME == *-live.bats ]]; then
                [[ -z ${IOV_NO_LIVE-} ]] || skip 'no live iovd is wanted (IOV_NO_LIVE)'
                iovd_start || return
        else
                export IOV_APPLIANCE=sim:$T/state
        fi
}

# appliance_has ADAPTERS: after appliance_setup, another chassis: two links, two slots, and these.
appliance_has() {
        mkdir -p state
        printf 'version: 1\nkind: chassis\nlinks: 2\nslots: 2\nadapters: %s\n' "$1" > state/chassis.yaml
        if is_live; then
                iovd_stop
                iovd_start
        fi
}

appliance_teardown() {
        local pid
        for pid in "${SERVER_PIDS[@]}"; do
                kill "$pid" 2> /dev/null || true
                wait "$pid" 2> /dev/null || true
        done
        if [[ -n $IOVD_PID ]]; then
                iovd_stop
        fi
        cd / || return
        rm -rf "$T"
}

# doc LINE...: a topology with these lines.
doc() {
        printf 'version: 1\nkind: topology\n'
        printf '%s\n' "$@"
}

is_live() {
        [[ -n $IOVD_PID ]]
}

# Start an iovd over $T/state and wait until it listens.
iovd_start() {
        local i

        # One that was killed has left its socket, which is not to be taken for the new one's.
        rm -f "$T/run/mgmt.sock"
        "$IOVD" --state "$T/state" --run "$T/run" --unplug-timeout "${UNPLUG_TIMEOUT:-30}" \
                ${IOVD_OPTIONS:+$IOVD_OPTIONS} > "$T/iovd.log" 2>&1 3>&- &
        IOVD_PID=$!
        for ((i = 0; i < 200; i++)); do
                if [[ -S $T/run/mgmt.sock ]]; then
                        export IOV_APPLIANCE=unix:$T/run/mgmt.sock
                        return 0
                fi
                kill -0 "$IOVD_PID" 2> /dev/null || break
                sleep 0.05
        done
        cat "$T/iovd.log" >&2
        return 1
}

# The control process: the one that started iovd is only its keeper.
control_pid() {
        cat "$T/state/lock"
}

# until_true SECONDS COMMAND...: tries until it succeeds.
until_true() {
        local i
        for ((i = 0; i < $1 * 20; i++)); do
                "${@:2}" && return 0
                sleep 0.05
        done
        echo "not true within $1 s: ${*:2}"
        return 1
}

# worker_of SERVER: the process id of its worker, once it has started.
worker_of() {
        local i pid
        for ((i = 0; i < 200; i++)); do
                pid=$(iovctl server list -o json | jq -r --arg s "$1" '.servers[] | select(.name == $s) | .worker_pid')
                [[ $pid -eq 0 ]] || break
                sleep 0.05
        done
        echo "$pid"
}

# Ends it and passes its exit status on.
# Its status; one that does not end within a minute is killed.
iovd_stop() {
        local pid=$IOVD_PID state i

        IOVD_PID=
        kill "$pid"
        for ((i = 0; i < 2000; i++)); do
                state=$(cat "/proc/$pid/stat" 2> /dev/null) || break
                [[ $state != *') Z '* ]] || break
                sleep 0.03
        done
        if ((i == 2000)); then
                echo "iovd $pid does not end:" >&2
                cat "$T/iovd.log" >&2
                kill -9 "$pid" "$(cat "$T/state/lock")"
        fi
        wait "$pid"
}

# server_runs SERVER SLOT VADAPTER: something drives the vAdapter in that slot from now on. Live only.
server_runs() {
        local i

        python3 - "$T/run/servers/$1/$2.sock" 3>&- <<'PYTHON' &
import socket, struct, sys, time
s = socket.socket(socket.AF_UNIX)
for _ in range(200):
    try:
        s.connect(sys.argv[1])
        break
    except OSError:
        time.sleep(0.05)
s.sendall(struct.pack('<HHIIIHH', 0, 1, 20, 0, 0, 0, 0))
while s.recv(4096):
    pass
PYTHON
        SERVER_PIDS+=($!)
        for ((i = 0; i < 200; i++)); do
                [[ $(iovctl vadapter show "$3" -o json | jq -r '.vadapters[0].state') != connected ]] || return 0
                sleep 0.05
        done
        return 1
}

# fails STATUS COMMAND...: it exits so, says something on stderr in one line and nothing on stdout.
fails() {
        local want=$1
        shift
        run --separate-stderr "$@"
        # shellcheck disable=SC2154
        [[ $status -eq $want && -z $output && $(wc -l <<< "$stderr") -eq 1 && -n $stderr ]] || {
                echo "wanted exit status $want and one line, got $status: $output$stderr"
                return 1
        }
}

# refuses STATUS COMMAND...: as above, with as many lines as it needs.
refuses() {
        local want=$1
        shift
        run --separate-stderr "$@"
        [[ $status -eq $want && -z $output && -n $stderr ]] || {
                echo "wanted exit status $want, got $status: $output$stderr"
                return 1
        }
}

# says TEXT: the last stderr holds it.
says() {
        [[ $stderr == *"$1"* ]] || {
                echo "wanted '$1' in: $stderr"
                return 1
        }
}

# is VALUE COMMAND...: prints exactly that.
is() {
        local want=$1 got
        shift
        got=$("$@") || return 1
        [[ $got == "$want" ]] || {
                printf 'wanted:\n%s\ngot:\n%s\n' "$want" "$got"
                return 1
        }
}

# json FILTER COMMAND...: what jq makes of its output.
json() {
        local filter=$1
        shift
        "$@" | jq -ec "$filter"
}
