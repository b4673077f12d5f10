#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon itself: how it starts, what it refuses, what it survives, what it leaves behind.

load common

setup() {
        appliance_setup
}

teardown() {
        appliance_teardown
}

# A worker of s has a volume open with O_DIRECT (proc(5); 040000 on x86, 0200000 on ARM).
is_direct() {
        local fd flags
        for fd in /proc/"$(worker_of s)"/fd/*; do
                [[ $(readlink "$fd") == *.img ]] || continue
                flags=$(awk '/^flags/ {print $2}' "${fd/\/fd\//\/fdinfo\/}")
                ((8#$flags & 8#240000)) && return 0
        done
        return 1
}

@test "two iovds on one state directory: the second says who has it" {
        run "$IOVD" --state state --run run2
        [ "$status" -eq 1 ]
        [[ $output == *"in use by another iovd (process $(control_pid))"* ]]
        iovctl server list
}

@test "two iovds on one run directory: the second is refused, and the first keeps its sockets" {
        iovprov apply -q rack.yaml
        sockets=$(ls -i run/mgmt.sock run/servers/*)
        run timeout 30 "$IOVD" --state state2 --run run
        [ "$status" -eq 1 ]
        [[ $output == *"run: another iovd has its sockets there: stop it, or use another --run"* ]]
        [ "$sockets" = "$(ls -i run/mgmt.sock run/servers/*)" ]
        is $'db-disk\nweb-disk' iovctl vadapter list -o name
        # It is free again when the first has ended.
        iovd_stop
        rm -rf state
        mv state2 state
        iovd_start
        is '' iovctl vadapter list -o name
}

@test "a state of a newer version is refused and left alone" {
        iovprov apply rack.yaml
        iovd_stop
        printf '\002' | dd of=state/state bs=1 seek=8 conv=notrunc status=none
        sum=$(sha256sum < state/state)
        run "$IOVD" --state state --run run
        [ "$status" -eq 1 ]
        [[ $output == *"newer version"* ]]
        [ "$sum" = "$(sha256sum < state/state)" ]
}

@test "a state that is cut off is refused and left alone" {
        iovprov apply rack.yaml
        iovd_stop
        truncate -s 500 state/state
        run "$IOVD" --state state --run run
        [ "$status" -eq 1 ]
        [[ $output == *"cut off"* ]]
        [ "$(stat -c %s state/state)" -eq 500 ]
}

@test "what was applied is there after a restart, and after kill -9" {
        iovprov apply rack.yaml
        before=$(iovdump topology)
        iovd_stop
        iovd_start
        [ "$before" = "$(iovdump topology)" ]
        kill -9 "$IOVD_PID"
        wait "$IOVD_PID" || true
        iovd_start
        [ "$before" = "$(iovdump topology)" ]
        iovprov plan rack.yaml
}

@test "a state that does not fit the chassis is refused" {
        iovprov apply rack.yaml
        iovd_stop
        sed '/ssd1/d' chassis.yaml > small.yaml
        run "$IOVD" --state state --run run --chassis small.yaml
        [ "$status" -eq 1 ]
        [[ $output == *"does not fit this chassis"*ssd1* ]]
}

@test "a malformed chassis is refused with its position" {
        iovd_stop
        printf 'version: 1\nkind: chassis\nadapters:\n  ssd0: {kind: floppy}\n' > bad.yaml
        run "$IOVD" --state state --run run --chassis bad.yaml
        [ "$status" -eq 1 ]
        [[ $output == *"bad.yaml:4:"* ]]
}

@test "a full disk: apply fails, the old state stands, and later it works" {
        {
                printf 'version: 1\nkind: topology\nname: many\nservers: {web01: {link: 0}}\nvolumes:\n'
                printf '  vol%d: {adapter: ssd0, size: 1MiB}\n' {1..100}
        } > many.yaml
        # A file size limit stands for the full disk: the write past it fails in the same way.
        prlimit --pid "$(control_pid)" --fsize=8192:
        run iovprov apply many.yaml
        [ "$status" -eq 1 ]
        [[ $output == *"cannot be saved, nothing was changed"* ]]
        is "" iovctl server list -o name
        [ ! -e state/state.new ]
        prlimit --pid "$(control_pid)" --fsize=unlimited:
        iovprov apply many.yaml
        iovd_stop
        iovd_start
        iovprov plan many.yaml
}

@test "a state directory that cannot be made is a clear error" {
        run "$IOVD" --state /proc/nowhere --run run2
        [ "$status" -eq 1 ]
        [[ $output == *"/proc/nowhere: cannot make the state directory"* ]]
}

@test "a run directory with too long a name is a clear error" {
        run "$IOVD" --state state2 --run "$T/$(printf 'x%.0s' {1..100})"
        [ "$status" -eq 1 ]
        [[ $output == *"use a shorter --run"* ]]
}

@test "usage errors are one line and exit status 2" {
        for words in --nonsense "--log-level 9" "extra" "--state"; do
                # shellcheck disable=SC2086 # words are words
                run "$IOVD" $words
                [ "$status" -eq 2 ]
                [ "${#lines[@]}" -eq 1 ]
        done
}

@test "stopping leaves no process and no socket" {
        iovprov apply rack.yaml
        web=$(worker_of web01)
        [ "$web" -gt 0 ]
        iovd_stop
        run kill -0 "$web"
        [ "$status" -ne 0 ]
        [ -z "$(find run -mindepth 1)" ]
}

@test "a killed worker is started again, and its neighbour does not notice" {
        iovprov apply rack.yaml
        web=$(worker_of web01) db=$(worker_of db01)
        kill -9 "$web"
        restarted() {
                local now
                now=$(worker_of web01)
                [[ $now != "$web" && $now -gt 0 ]]
        }
        until_true 10 restarted
        [ "$(worker_of db01)" = "$db" ]
        [ -S run/servers/web01/0.sock ]
        [ "$(iovctl server list -o json | jq '[.servers[] | select(.name == "web01")][0].worker_restarts')" -eq 1 ]
}

@test "garbage on the management socket costs that connection only" {
        iovprov apply rack.yaml
        python3 - "$T/run/mgmt.sock" "$T/run/servers/web01/0.sock" <<'PYTHON'
import os, socket, sys
for path in sys.argv[1:]:
    for message in (b"\0" * 15, b"\xff" * 16, os.urandom(4096), b"\1\0\1\0\x10\0\0\0\0\0\0\0\0\0\0\0", b"\1\0\11\0\0\0\0\x40" + b"\0" * 8):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        s.sendall(message)
        s.settimeout(0.2)
        try:
            s.recv(4096)
        except (TimeoutError, ConnectionError):
            pass
        s.close()
PYTHON
        is "db01
web01" iovctl server list -o name
        [ "$(worker_of web01)" -gt 0 ]
        [ "$(iovctl server list -o json | jq '[.servers[].worker_restarts] | add')" -eq 0 ]
}

@test "sockets are for the owner and the group only" {
        iovprov apply rack.yaml
        [ "$(stat -c %a run/mgmt.sock)" = 660 ]
        [ "$(stat -c %a run/servers/web01/0.sock)" = 660 ]
        [ "$(stat -c %a run/servers/web01)" = 710 ]
}

@test "many tools at once are all served" {
        iovprov apply rack.yaml
        for i in {1..20}; do
                iovctl vadapter list -o json > "list.$i" &
                pids[i]=$!
        done
        for i in {1..20}; do
                wait "${pids[i]}"
                cmp "list.$i" list.1
        done
}

@test "connections that say nothing do not take all descriptors" {
        iovprov apply -q rack.yaml
        timeout 60 python3 - "$T/run/mgmt.sock" "$IOVD_PID" <<'PYTHON'
import os, socket, sys, time
held = []
for i in range(300):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    held.append(s)
# The last one is dealt with when it is closed, or answered.
for wait in range(100):
    if len(os.listdir(f"/proc/{sys.argv[2]}/fd")) < 150:
        break
    time.sleep(0.05)
else:
    sys.exit("iovd holds %d descriptors" % len(os.listdir(f"/proc/{sys.argv[2]}/fd")))
PYTHON
        iovctl server list
}

@test "direct I/O where the file can, and only where it is asked for" {
        iovctl server add s 0
        iovctl volume add v ssd0 64MiB
        iovctl vadapter add v ssd0
        iovctl namespace add v/1 v
        iovctl vadapter attach v s 0
        "$IOV_BUILD/bench/nvme-host" run/servers/s/0.sock smoke
        run is_direct
        [ "$status" -eq 1 ]
        iovd_stop
        IOVD_OPTIONS='--media-cache direct' iovd_start
        until_true 10 test -S run/servers/s/0.sock
        "$IOV_BUILD/bench/nvme-host" run/servers/s/0.sock smoke
        # tmpfs and old kernels have none
        stat -f -c %T state | grep -q '^ext2/ext3$\|^xfs$' || skip "the state directory's file system may have no direct I/O"
        is_direct
        fails 2 iovd --media-cache none
        says 'auto, page or direct'
}

@test "without io_uring it serves, and says so" {
        iovd_stop
        IOV_LOOP=threads iovd_start
        grep -q "io_uring is not to be had" iovd.log
        iovprov apply rack.yaml
        iovd_stop
        iovd_start
        run grep "io_uring is not to be had" iovd.log
        [ "$status" -eq 1 ]
}

# The control process that is told may be dead already, or not ready to hear it.
@test "told to end while the next control process takes over, it ends" {
        local i pid

        for i in 0 1 2 3 4 5 6 7 8 9; do
                pid=$IOVD_PID
                kill -9 "$(control_pid)"
                sleep "0.00$i"
                kill "$pid"
                until_true 20 bash -c "! kill -0 $pid 2> /dev/null"
                wait "$pid"
                IOVD_PID=
                iovd_start
        done
}
