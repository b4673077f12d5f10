#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
load common

setup() {
        export TERM=xterm
        appliance_setup
        iovprov apply -q rack.yaml
}

teardown() {
        appliance_teardown
}

@test "batch mode prints as many frames as asked for" {
        run -0 iovtop -b -n 2 -d 0.1
        [[ $(grep -c '^NAME' <<< "$output") -eq 2 ]]
        [[ $(grep -c '^web-disk' <<< "$output") -eq 2 ]]
        [[ ${lines[1]} =~ ^db-disk\ +db01\ +0\ (attached|detached)\ +0\ +0\ +0\ +0\ +0\ +0\ +0\ +0$ ]]
}

@test "JSON lines: one object a frame" {
        iovtop -o json -n 3 -d 0.1 > out
        [[ $(wc -l < out) -eq 3 ]]
        is '[1,2,true]' jq -sc '[.[0].schema,(.[0].vadapters|length),all(.interval_ns > 0)]' out
        is '"number"' jq -sc '.[0].vadapters[0].read_iops|type' out
        is true jq -sc '.[0].time_ns < .[1].time_ns and .[1].time_ns < .[2].time_ns' out
}

@test "CSV: one heading, a row for each vAdapter and frame" {
        iovtop -o csv -n 2 -d 0.1 > out
        [[ $(wc -l < out) -eq 5 ]]
        is time_ns,interval_ns,name,server,slot,adapter,state,read_iops,write_iops,read_rate,write_rate,queue_depth,latency_us,qos_us,medium_us,inflight head -1 out
        is 16 awk -F, 'NR == 5 { print NF }' out
}

@test "every frame is flushed at once" {
        mkfifo pipe
        iovtop -b -o json -d 0.1 > pipe 3>&- &
        local pid=$!
        # Without a flush this read would wait for a full buffer.
        run -0 timeout 20 head -n 2 pipe
        [[ ${#lines[@]} -eq 2 ]]
        kill "$pid" 2> /dev/null || true
        wait "$pid" || true
}

@test "columns can be picked" {
        run -0 iovtop -n 1 -d 0.1 -o name,read_iops
        [[ ${lines[0]} =~ ^NAME\ +READ_IOPS$ ]]
}

@test "the screen shows the vAdapters, and q leaves it" {
        run -0 script -qec 'stty rows 24 cols 80; iovtop -d 60' /dev/null < <(printf q)
        [[ $output == *web-disk* && $output == *'F10 Quit'* ]]
        run -0 script -qec 'stty rows 24 cols 80; iovtop -d 0.1 -n 2' /dev/null
        [[ $output == *web-disk* ]]
}

@test "SIGTERM leaves the screen in order" {
        run -0 script -qec 'stty rows 24 cols 80; timeout --foreground -s TERM --preserve-status 2 iovtop -d 0.2' /dev/null
        [[ $output == *web-disk* ]]
}

@test "an unknown terminal is told, and batch mode named" {
        run -1 script -qec 'TERM=nonsense iovtop' /dev/null
        [[ $output == *'try -b'* ]]
}

@test "an appliance that goes away ends it with status 3" {
        is_live || return 0
        iovtop -b -d 0.1 > out 2> err 3>&- &
        local pid=$! i
        for ((i = 0; i < 100; i++)); do
                [[ -s out ]] && break
                sleep 0.1
        done
        iovd_stop
        i=0
        wait "$pid" || i=$?
        [[ $i -eq 3 && $(wc -l < err) -eq 1 ]]
        grep -q 'does not answer any more' err
}
