#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# iovdump isolation on a running iovd, with servers that share what they must not.

load common

setup() {
        appliance_setup
        iovprov apply -q rack.yaml
        HOST_PID=
}

teardown() {
        servers_stop
        appliance_teardown
}

# servers_start HOW: web01 and db01 drive their disks and share nothing, memory or an eventfd.
servers_start() {
        local line

        mkfifo in out
        "$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock "share-$1" run/servers/db01/0.sock < in > out 2> host.log 3>&- &
        HOST_PID=$!
        exec 8> in 9< out
        read -r -t 20 line <&9 || { cat host.log; return 1; }
        [[ $line == ready ]]
}

servers_stop() {
        if [[ -n $HOST_PID ]]; then
                exec 8>&- 9<&-
                wait "$HOST_PID"
                HOST_PID=
        fi
}

@test "before a server is on: requesters and media" {
        run -0 iovdump isolation -o json
        is '[["db01","requester"],["db01","medium"],["web01","requester"],["web01","medium"]]' \
                jq -c '[.isolation[]|[.server,.type]]' <<< "$output"
        is '[true,true]' jq -c '[.isolation[]|select(.type=="medium").verified]' <<< "$output"
        is '["volume db-data","volume web-boot"]' jq -c '[.isolation[]|select(.type=="medium").behind]' <<< "$output"
        is '"01:00.0"' jq -c '[.isolation[].requester]|unique|.[]' <<< "$output"
}

@test "two servers at the same addresses: both sides of every translation, and no overlap" {
        servers_start nothing
        run -0 iovdump isolation -o json
        [[ -z $(jq '.isolation[]|.overlap//empty' <<< "$output") ]]
        is '[["db01",4294967296,1048576,"rw",true],["web01",4294967296,1048576,"rw",true]]' \
                jq -c '[.isolation[]|select(.type=="window")|[.server,.address,.size,.access,.verified]]' <<< "$output"
        # What is behind them are two files, and they are the servers' own.
        is 2 jq '[.isolation[]|select(.type=="window").inode]|unique|length' <<< "$output"
        inode=$(jq '[.isolation[]|select(.type=="window").inode][0]' <<< "$output")
        grep -q " $inode  */memfd:" "/proc/$HOST_PID/maps"
        # An interrupt each, by eventfds of their own.
        is 2 jq '[.isolation[]|select(.type=="vector" and .verified).id]|unique|length' <<< "$output"
        is 0 jq '[.isolation[]|select(.type=="mapping")]|length' <<< "$output"
        [[ $(jq '[.isolation[]|select(.type=="requester").peer_pid]|unique|.[]' <<< "$output") == "$HOST_PID" ]]

        servers_stop
        until ! iovctl vadapter list -o json | grep -q connected; do sleep 0.1; done
        is 0 json '[.isolation[]|select(.type=="window" or .type=="vector")]|length' iovdump isolation -o json
}

@test "as a table and as YAML" {
        servers_start nothing
        run -0 iovdump isolation
        [[ ${lines[0]} == SERVER*VADAPTER*REQUESTER*BEHIND*OVERLAP* ]]
        [[ $output =~ web01\ +web-disk\ +01:00.0\ +window\ +.*0x100000000\ +1MiB\ +rw ]]
        [[ $output =~ web01\ +web-disk\ +01:00.0\ +vector\ +msix\ 1\ .*eventfd\ [0-9]+ ]]
        run -0 iovdump isolation -o yaml
        [[ $output == *'behind: volume web-boot'* || $output == *'behind: "volume web-boot"'* ]]
        run -0 iovdump isolation -o server,type -n
        [[ ${lines[0]} =~ ^db01\ +requester$ ]]
}

@test "memory of one server in another's window is an overlap" {
        servers_start memory
        run -1 --separate-stderr iovdump isolation -o json
        says 'servers db01 and web01 both reach'
        is '["web01 window 0x100000000"]' \
                jq -c '[.isolation[]|select(.server=="db01" and .type=="window" and .address==2147483648).overlap]' <<< "$output"
        is '["db01 window 0x80000000"]' jq -c '[.isolation[]|select(.server=="web01" and .type=="window").overlap]' <<< "$output"
        # db01's own memory is nobody else's.
        is '[null]' jq -c '[.isolation[]|select(.server=="db01" and .address==4294967296).overlap]' <<< "$output"
        servers_stop
        until iovdump isolation > /dev/null; do sleep 0.1; done
}

@test "an eventfd in two servers is an overlap" {
        servers_start eventfd
        run -1 --separate-stderr iovdump isolation -o json
        says 'both reach eventfd'
        is '["db01 vector","web01 vector"]' jq -c '[.isolation[]|.overlap//empty]|sort' <<< "$output"
}

@test "a worker that is gone does not take the windows of its neighbour along" {
        servers_start nothing
        kill -9 "$(iovctl server list -o json | jq -r '.servers[]|select(.name=="web01").worker_pid')"
        until [[ $(iovctl server list -o json | jq -r '.servers[]|select(.name=="web01").worker_restarts') == 1 ]]; do sleep 0.1; done
        run -0 iovdump isolation -o json
        is 1 jq '[.isolation[]|select(.type=="window" and .server=="db01")]|length' <<< "$output"
}

@test "nobody but servers: a simulator has nothing to tell" {
        is '{"schema":1,"isolation":[]}' bash -c 'iovdump -a sim: isolation -o json | jq -c .'
}
