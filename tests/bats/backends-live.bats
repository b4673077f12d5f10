#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Volumes that are not in the state directory: in another directory, on devices, and on NBD servers, good and bad.
load common

setup() {
        LOOPS=()
        appliance_setup
        iovd_stop
        cat > state/chassis.yaml <<-YAML
		version: 1
		kind: chassis
		links: 4
		slots: 4
		adapters:
		  ssd0: {kind: ssd, capacity: 16GiB}
		  dir0: {kind: ssd, capacity: 16GiB, backend: "$T/dir"}
		  dev0: {kind: ssd, capacity: 16GiB, backend: "$T/dev/{volume}"}
		  nbd0: {kind: ssd, capacity: 16GiB, backend: "nbd+unix:///?socket=$T/nbd.sock"}
		  bad0: {kind: ssd, capacity: 16GiB, backend: "nbd+unix:///?socket=$T/bad.sock"}
	YAML
        mkdir dev
        truncate -s 64M disk bad-disk
        iovd_start
}

teardown() {
        local pid loop

        # nbdkit would wait for its clients.
        for pid in "${SERVER_PIDS[@]}"; do
                kill -KILL "$pid" 2> /dev/null || true
        done
        appliance_teardown
        for loop in "${LOOPS[@]}"; do
                losetup -d "$loop"
        done
}

# disk_on ADAPTER [EXTRA]: server web gets vAdapter disk with volume vol on it; server other has one in the state directory.
disk_on() {
        cat > want.yaml <<-YAML
		version: 1
		kind: topology
		servers: {web: {link: 0}, other: {link: 1}}
		volumes:
		  vol: {adapter: $1, size: 64MiB${2-, on_remove: retain}}
		  own: {adapter: ssd0, size: 64MiB}
		vadapters:
		  disk: {adapter: $1, namespaces: [{volume: vol}], attach: {server: web, slot: 0}}
		  safe: {adapter: ssd0, namespaces: [{volume: own}], attach: {server: other, slot: 0}}
	YAML
        iovprov apply -q want.yaml
}

host() { # SERVER HOW...
        timeout 100 "$IOV_BUILD/bench/nvme-host" "run/servers/$1/0.sock" "${@:2}" 3>&-
}

state_is() { # VADAPTER STATE
        [[ $(iovctl vadapter list -o json | jq -r --arg v "$1" '.vadapters[] | select(.name == $v) | .state') == "$2" ]]
}

reason_has() { # VADAPTER TEXT
        [[ $(iovctl vadapter list -o json | jq -r --arg v "$1" '.vadapters[] | select(.name == $v) | .reason') == *"$2"* ]]
}

# fails_with TEXT: the vAdapter cannot be plugged, and says why. Its neighbour is well.
fails_with() {
        until_true 20 state_is disk failed
        until_true 20 reason_has disk "$1" || {
                iovctl vadapter list -o json | jq -c '.vadapters[] | [.name, .state, .reason]'
                return 1
        }
        host other smoke > /dev/null
}

nbd_start() { # an honest server
        rm -f nbd.sock
        # It must not keep open what ends verify.
        (
                [[ -z ${HOLD-} ]] || exec {HOLD}>&-
                exec nbdkit -f -U "$T/nbd.sock" file disk 3>&- > nbd.log 2>&1
        ) &
        NBD_PID=$!
        SERVER_PIDS+=("$NBD_PID")
        until_true 10 test -S nbd.sock
}

nbd_kill() {
        kill -KILL "$NBD_PID"
        wait "$NBD_PID" || true
}

# port_find: a port of the loopback that nothing listens on, in PORT. Somebody else may take it before the server does: tcp_start tries others.
port_find() {
        PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
}

tcp_listens() { # it, or nothing any more
        ! kill -0 "$NBD_PID" 2> /dev/null || test -s tcp.pid
}

tcp_serve() { # on PORT
        rm -f tcp.pid
        (
                [[ -z ${HOLD-} ]] || exec {HOLD}>&-
                exec nbdkit -f -P "$T/tcp.pid" -i 127.0.0.1 -p "$PORT" file disk 3>&- > tcp.log 2>&1
        ) &
        NBD_PID=$!
        SERVER_PIDS+=("$NBD_PID")
        until_true 10 tcp_listens
        kill -0 "$NBD_PID"
}

tcp_start() { # and a vAdapter on it, whose adapter is named tcp0
        local i
        for ((i = 0; i < 10; i++)); do
                port_find
                ! tcp_serve || break
        done
        iovctl adapter insert tcp0 ssd capacity=16GiB "backend=nbd://127.0.0.1:$PORT"
        disk_on tcp0
        until_true 30 state_is disk attached
}

bad_start() { # KEY=VALUE...
        rm -f bad.sock
        python3 "$IOV_SOURCE/tests/bats/fake-nbd.py" "$T/bad.sock" bad-disk "$@" 3>&- > bad.log 2>&1 &
        BAD_PID=$!
        SERVER_PIDS+=("$BAD_PID")
        until_true 10 test -S bad.sock
}

bad_stop() {
        kill "$BAD_PID"
        wait "$BAD_PID" || true
}

# verify_start SERVER: it writes and checks until verify_end.
verify_start() {
        mkfifo "hold-$1"
        host "$1" verify < "hold-$1" > "verify-$1" 2>&1 &
        declare -g "VERIFY_$1=$!"
        exec {HOLD}> "hold-$1"
        until_true 20 grep -q "server $1 connected" iovd.log
}

verify_end() {
        local pid=VERIFY_$1
        exec {HOLD}>&-
        wait "${!pid}" || {
                cat "verify-$1" iovd.log
                return 1
        }
        grep '^good after' "verify-$1"
}

@test "a directory: looked for until it is there, files are made, kept and deleted in it" {
        disk_on dir0 ', on_remove: retain' || [ $? -eq 6 ]
        fails_with 'its directory: No such file'
        mkdir dir
        until_true 30 state_is disk attached
        host web smoke
        ls dir/*.img
        [ ! -e state/media/dir0 ]
        iovctl vadapter remove disk --yes
        iovctl volume remove vol --yes
        until_true 10 test -n "$(ls dir/retained)"
        run ! ls dir/*.img
        disk_on dir0 ''
        host web smoke
        iovctl vadapter remove disk --yes
        iovctl volume remove vol --yes
        until_true 10 bash -c '! ls dir/*.img 2> /dev/null'
}

@test "files that belong to nobody are kept, in such a directory too" {
        mkdir dir
        disk_on dir0
        host web smoke
        iovd_stop
        touch dir/7.img dir/mine.txt
        iovd_start
        [ -e dir/retained/orphan-7.img ]
        [ -e dir/mine.txt ]
        until_true 10 state_is disk attached
        host web smoke
}

@test "a file of somebody else: used as it is, never made, cut or deleted" {
        disk_on dev0 || [ $? -eq 6 ]
        fails_with 'No such file'
        [ ! -e dev/vol ]
        mkdir dev/vol
        fails_with 'neither a block device nor a file'
        rmdir dev/vol
        truncate -s 1M dev/vol
        fails_with '67108864 bytes asked, it has 1048576'
        mv dev/vol dev/real
        truncate -s 65M dev/real
        ln -s real dev/vol
        until_true 30 state_is disk attached
        host web smoke
        is 0 json '.vadapters[] | select(.name == "disk") | .counters.errors // 0' iovctl vadapter show disk -o json
        iovctl vadapter remove disk --yes
        iovctl volume remove vol --yes
        is $((65 << 20)) stat -c %s dev/real
        cmp -n 8192 <(tr '\0' x < dev/real) <(head -c 8192 /dev/zero | tr '\0' x) && return 1 || true
}

@test "what is not the appliance's is not deleted: on_remove: delete is refused" {
        refuses 1 disk_on dev0 ''
        says 'say on_remove: retain'
        refuses 1 disk_on nbd0 ', on_remove: delete'
        says 'say on_remove: retain'
}

@test "provisioning: full takes its space in a directory, and is refused where there is nothing to take" {
        refuses 1 disk_on dev0 ', on_remove: retain, provisioning: full'
        says 'has its volumes already'
        refuses 1 disk_on nbd0 ', on_remove: retain, provisioning: full'
        says 'has its volumes already'
        mkdir dir
        disk_on dir0 ', provisioning: full'
        local files=(dir/*.img)
        is 1 echo "${#files[@]}"
        [ $(($(stat -c '%b * %B' "${files[0]}"))) -ge $((64 << 20)) ]
        until_true 20 state_is disk attached
        host web smoke > /dev/null
}

@test "a volume grows when what it is on has grown" {
        truncate -s 64M dev/vol
        disk_on dev0
        host web identify | grep '131072 blocks of 512'
        iovctl volume set vol size=128MiB
        until_true 20 grep -q '134217728 bytes asked, it has 67108864' iovd.log
        host web identify | grep '131072 blocks of 512'
        truncate -s 128M dev/vol
        until_true 30 bash -c "timeout 20 '$IOV_BUILD/bench/nvme-host' run/servers/web/0.sock identify | grep '262144 blocks of 512'"
}

@test "block_size of a volume in a file of somebody else, until a server formats it" {
        truncate -s 64M dev/vol
        disk_on dev0 ', on_remove: retain, block_size: 4096'
        host web identify | grep '16384 blocks of 4096'
        host web smoke
        run host web format 512
        if [[ $output == 'type 1 code 0x0a' ]]; then
                skip "this machine keeps no attributes of files"
        fi
        is 'type 0 code 0x00' echo "$output"
        iovctl vadapter detach disk
        iovctl vadapter attach disk web 0
        until_true 10 state_is disk attached
        host web identify | grep '131072 blocks of 512'
}

@test "a block device, its block size, and that nobody else has it" {
        [ "$(id -u)" -eq 0 ] || skip "needs root for a loop device"
        truncate -s 64M image image4k
        loop=$(losetup -f --show image) || skip "no loop devices here"
        LOOPS+=("$loop")
        loop4k=$(losetup -f --show -b 4096 image4k) || skip "no loop devices here"
        LOOPS+=("$loop4k")
        ln -s "$loop" dev/vol
        disk_on dev0
        host web identify | grep '131072 blocks of 512'
        host web smoke
        verify_start web
        kill -KILL "$(worker_of web)"
        verify_end web
        # Somebody else has it open for himself.
        python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)' "$loop" 2>&1 | grep -i busy
        iovctl vadapter detach disk
        ln -sfn "$loop4k" dev/vol
        iovctl vadapter attach disk web 0
        host web identify | grep '16384 blocks of 4096'
        host web smoke
        iovctl vadapter detach disk
        until_true 10 python3 -c 'import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL)' "$loop4k"
}

@test "an NBD server: looked for until it is there, and only the workers that need it load libnbd" {
        disk_on nbd0 || [ $? -eq 6 ]
        fails_with 'cannot connect'
        nbd_start
        until_true 30 state_is disk attached
        host web smoke
        cmp -s -n 8192 disk bad-disk && return 1
        grep -q libnbd "/proc/$(worker_of web)/maps"
        run ! grep -q libnbd "/proc/$(control_pid)/maps"
}

@test "an NBD server is killed and started again under load: no error" {
        nbd_start
        disk_on nbd0
        verify_start web
        for i in 1 2 3; do
                nbd_kill
                until_true 20 bash -c "[ \$(grep -c 'NBD export vol is away' iovd.log) -ge $i ]"
                nbd_start
                until_true 20 bash -c "[ \$(grep -c 'NBD export vol is there again' iovd.log) -ge $i ]"
        done
        verify_end web
        is 0 json '.vadapters[] | select(.name == "disk") | .counters.errors // 0' iovctl vadapter show disk -o json
}

@test "an NBD server over TCP: it and the worker are killed and started again under load, no error" {
        tcp_start
        host web smoke
        verify_start web
        for i in 1 2 3; do
                nbd_kill
                until_true 20 bash -c "[ \$(grep -c 'NBD export vol is away' iovd.log) -ge $i ]"
                # The port is the same: it is in the chassis.
                until_true 20 tcp_serve
                until_true 20 bash -c "[ \$(grep -c 'NBD export vol is there again' iovd.log) -ge $i ]"
                before=$(worker_of web)
                kill -KILL "$before"
                until_true 20 bash -c "w=\$(iovctl server list -o json | jq '.servers[] | select(.name == \"web\") | .worker_pid'); [ \$w -ne $before ] && [ \$w -ne 0 ]"
        done
        verify_end web
        is 0 json '.vadapters[] | select(.name == "disk") | .counters.errors // 0' iovctl vadapter show disk -o json
}

@test "an NBD server over TCP that stands still: its commands end, and it is used again when it goes on" {
        tcp_start
        host web smoke
        kill -STOP "$NBD_PID"
        # NVMe 1.4 figure 132: internal path error
        is 'type 3 code 0x00' host web read 0
        host other smoke
        # While it stands still others end without waiting that long again, or after the same time; none hangs.
        is 'type 3 code 0x00' host web read 1
        kill -CONT "$NBD_PID"
        until_true 40 grep -q 'NBD export vol is there again' iovd.log
        host web smoke
        is 'type 0 code 0x00' host web read 0
}

@test "workers and the control process are killed under load on an NBD server: no error" {
        nbd_start
        disk_on nbd0
        timeout 120 "$IOV_BUILD/bench/restart" run/mgmt.sock run/servers/web/0.sock web 12 state/lock 3>&-
}

@test "a hand-over to another control process while the NBD server is away" {
        nbd_start
        disk_on nbd0
        verify_start web
        nbd_kill
        until_true 20 grep -q 'NBD export vol is away' iovd.log
        iovctl event wait --since 0 --filter object=vol --filter 'text~NBD export vol is away: .* on server web' --timeout 20
        before=$(control_pid)
        kill -HUP "$before"
        until_true 20 bash -c "[ \$(cat state/lock) != $before ]"
        nbd_start
        until_true 40 grep -q 'NBD export vol is there again' iovd.log
        verify_end web
}

@test "a device on a server that is away can be unplugged, and its neighbour in the same worker stays" {
        nbd_start
        disk_on nbd0
        iovctl volume add near ssd0 64MiB
        iovctl vadapter add second ssd0
        iovctl namespace add second/1 near
        iovctl vadapter attach second web 1
        worker=$(worker_of web)
        verify_start web
        nbd_kill
        until_true 20 grep -q 'NBD export vol is away' iovd.log
        iovctl vadapter detach disk --force
        until_true 20 state_is disk detached
        is "$worker" worker_of web
        timeout 60 "$IOV_BUILD/bench/nvme-host" run/servers/web/1.sock smoke 3>&-
        exec {HOLD}>&-
}

@test "NBD servers whose exports do not do are refused, with the reason" {
        disk_on bad0 || [ $? -eq 6 ]
        fails_with 'cannot connect'
        bad_start size=1048576
        fails_with '67108864 bytes asked, it has 1048576'
        bad_stop
        bad_start flags=3
        fails_with 'read-only'
        bad_stop
        bad_start flags=1
        fails_with 'cannot flush'
        bad_stop
        bad_start block=65536
        fails_with 'blocks of 65536 bytes'
        bad_stop
        bad_start handshake=garbage
        fails_with 'handshake'
        bad_stop
        bad_start handshake=refuse
        fails_with 'no'
        bad_stop
        bad_start handshake=silent
        fails_with 'no answer within 10 seconds'
        bad_stop
        bad_start block=4096
        until_true 40 state_is disk attached
        host web identify | grep '16384 blocks of 4096'
        host web smoke
}

@test "an NBD server that drops connections, answers nonsense or fails harms its own vAdapter alone" {
        for then in close garbage half; do
                bad_start "then=$then" after=40
                disk_on bad0
                verify_start web
                until_true 20 bash -c "[ \$(grep -c 'NBD export vol is there again' iovd.log) -ge 2 ]"
                host other smoke
                kill -USR1 "$BAD_PID"
                verify_end web
                rm hold-web
                iovctl vadapter remove disk --yes
                bad_stop
                iovd_stop
                iovd_start
        done
        bad_start then=error after=0
        disk_on bad0
        # NVMe 1.4 figure 131: unrecovered read error
        is 'type 2 code 0x81' host web read 0
        host other smoke
        is 'type 2 code 0x80' host web write 0
}

@test "an NBD server that changes under its volume is not used until it does again" {
        bad_start
        disk_on bad0
        host web smoke
        bad_stop
        bad_start size=4096
        until_true 20 grep -q 'NBD export vol is away' iovd.log
        host web smoke > smoke.out &
        pid=$!
        sleep 1
        kill -USR1 "$BAD_PID"
        wait "$pid"
        grep '^ok 1' smoke.out
        host other smoke
}
