#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Faults on demand: they strike as real ones do, are listed, counted and cleared.
load common

setup() {
        appliance_setup
        iovprov apply -q rack.yaml
}

teardown() {
        appliance_teardown
}

host() {
        "$IOV_BUILD/bench/nvme-host" "run/servers/$1/0.sock" "${@:2}"
}

hits() {
        [[ $(iovctl inject list -n -o hits) -ge $1 ]]
}

@test "a media error strikes the blocks it is in, and no other" {
        is_live || return 0
        is 1 iovctl inject media-error web-boot 8 2
        # NVMe 1.4 figure 129: Write Fault, Unrecovered Read Error
        is 'type 2 code 0x80' host web01 write 9
        is 'type 2 code 0x81' host web01 read 8
        is 'type 0 code 0x00' host web01 read 7
        is 'type 0 code 0x00' host web01 write 10
        is 'type 0 code 0x00' host db01 write 9
        until_true 10 hits 2
        is '["media-error","web-boot",8,2,2]' json '.faults[0]|[.type,.object,.first,.count,.hits]' iovctl inject list -o json
        iovctl inject clear 1
        is 'type 0 code 0x00' host web01 read 8
        # The operator is told of the first of them, in the name of the volume.
        is '["error","web-boot","a write of 512 bytes at byte 4608 failed: Input/output error (web-disk on server web01)"]' \
                json '[.level,.object,.text]' iovctl event wait --since 0 --filter level=error -o json
        is 1 json '[.events[]|select(.text|contains("failed: "))]|length' iovctl event list -o json
}

@test "a full volume refuses writes and gives what it has" {
        is_live || return 0
        is 1 iovctl inject volume-full web-boot
        # NVMe 1.4 figure 128: Capacity Exceeded
        is 'type 0 code 0x81' host web01 write 0
        is 'type 0 code 0x00' host web01 read 0
        iovctl inject clear --all
        is 'type 0 code 0x00' host web01 write 0
        iovctl event wait --since 0 --filter object=web-boot --filter 'text~a write of .* failed: No space left on device' --timeout 20
        # And that it is over, with how many there were.
        iovctl event wait --since 0 --filter object=web-boot --filter 'text~no request has failed for want of space .* 1 had' --timeout 60
}

@test "latency delays, and does no harm" {
        is_live || return 0
        is 1 iovctl inject latency web-disk 20ms
        host web01 smoke
        until_true 10 hits 4
        # What is late does not hold up who pulls it.
        iovctl inject latency web-disk 60s
        host web01 read 0 > /dev/null 2>&1 &
        local pid=$!
        until_true 10 is '"connected"' json '.vadapters[0].state' iovctl vadapter show web-disk -o json
        iovctl vadapter detach web-disk --force
        wait "$pid" || true
        [[ ! -e run/servers/web01/0.sock ]]
}

@test "a fault is there for a server that comes later, and after a restart" {
        is_live || return 0
        iovctl vadapter detach web-disk
        iovctl inject media-error web-boot 0
        iovctl vadapter attach web-disk web01 0
        is 'type 2 code 0x81' host web01 read 0
        kill -9 "$IOVD_PID"
        wait "$IOVD_PID" || true
        iovd_start
        is 'type 2 code 0x81' host web01 read 0
        # It goes with what it is in.
        iovctl volume rename web-boot boot
        is '' iovctl inject list
        is 'type 0 code 0x00' host web01 read 0
}

@test "surprise removal takes the vAdapter away, and clearing brings it back" {
        is_live || return 0
        host web01 hold > held 2>&1 3>&- &
        local pid=$!
        until_true 10 grep -q here held
        is 1 iovctl inject surprise-removal web-disk
        wait "$pid"
        is $'here\ngone' cat held
        [[ ! -e run/servers/web01/0.sock ]]
        iovctl inject clear 1
        until_true 10 test -S run/servers/web01/0.sock
        host web01 smoke
}

@test "a link that fails takes all its vAdapters away" {
        is 1 iovctl inject link-down web01
        is '["detect",null]' json '.links[]|select(.server=="web01")|[.state,.speed]' iovctl link list -o json
        if is_live; then
                until_true 10 test ! -e run/servers/web01/0.sock
                [[ -S run/servers/db01/0.sock ]]
        fi
        is '["link-down","web01"]' json '.faults[0]|[.type,.object]' iovctl inject show 1 -o json
        iovctl inject clear 1
        fails 1 iovctl inject show 1
        says '1: no such fault'
        is '["L0","8GT/s"]' json '.links[]|select(.server=="web01")|[.state,.speed]' iovctl link list -o json
        if is_live; then
                until_true 10 test -S run/servers/web01/0.sock
                host web01 smoke
        fi
}

@test "a worker crashes once, and is started again" {
        is_live || return 0
        is '' iovctl inject worker-crash web01
        is '' iovctl inject list
        restarted() {
                [[ $(iovctl server show web01 -o json | jq '.servers[0].worker_restarts') -eq 1 ]]
        }
        until_true 10 restarted
        until_true 10 test -S run/servers/web01/0.sock
        host web01 smoke
        iovctl server add app01 9
        fails 1 iovctl inject worker-crash app01
        says 'no worker is running for it'
}

@test "commands that are not answered run into the tool's own time-out" {
        is 1 iovctl inject mailbox-timeout 2
        is '["mailbox-timeout",null,2]' json '.faults[0]|[.type,.object,.commands]' iovctl inject list -o json
        IOV_TIMEOUT=1 fails 1 iovprov history
        says 'not done after 1 s'
        is '[1,1]' json '.faults[0]|[.commands,.hits]' iovctl inject list -o json
        sed 's/WEB01DISK/CHANGED/' rack.yaml > new.yaml
        IOV_TIMEOUT=1 fails 1 iovprov apply new.yaml
        is '' iovctl inject list
        # What was not answered was not done.
        iovprov plan rack.yaml
        # The way out is never shut.
        iovctl inject mailbox-timeout 100
        is '' iovctl inject clear --all
        iovprov history
}

@test "what makes no sense is refused" {
        fails 1 iovctl inject link-down nobody
        says 'no such server'
        fails 2 iovctl inject mailbox-timeout 0
        fails 2 iovctl inject mailbox-timeout many
        fails 2 iovctl inject latency web-disk 5
        says 'such as 200us'
        fails 2 iovctl inject clear
        fails 2 iovctl inject clear 1 --all
        fails 1 iovctl inject clear 7
        says '7: no such fault'
        IOV_TIMEOUT=never fails 2 iovctl inject list
        if is_live; then
                fails 2 iovctl inject media-error web-boot 2097152
                says 'blocks 0 to 2097151'
                fails 2 iovctl inject media-error web-boot 0 2097153
                fails 2 iovctl inject latency web-disk 61s
                fails 1 iovctl inject latency web-boot 1s
        else
                for type in 'media-error web-boot 0' 'latency web-disk 1ms' 'volume-full web-boot' 'worker-crash web01' \
                        'surprise-removal web-disk'; do
                        # shellcheck disable=SC2086 # words are words
                        fails 1 iovctl inject $type
                        says 'a running iovd'
                done
        fi
        is '' iovctl inject list
}

@test "completion knows the faults" {
        iovctl inject link-down web01
        is 1 iovctl --complete '' inject clear
        is $'media-error\nmailbox-timeout' iovctl --complete m inject
}
