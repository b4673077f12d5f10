#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Server links, and the adapters of a software chassis.
load common

setup() {
        appliance_setup
        iovprov apply -q rack.yaml
}

teardown() {
        appliance_teardown
}

@test "there is a record for each link of the chassis" {
        is 16 json '.links|length' iovctl link list -o json
        is '[[0,"web01","L0","8GT/s","x8"],[1,"db01","L0","8GT/s","x8"],[2,null,"detect",null,null]]' \
                json '[.links[:3][]|[.link,.server,.state,.speed,.width]]' iovctl link list -o json
        iovctl server set db01 link=2
        is '"db01"' json '.links[0].server' iovctl link show 2 -o json
        is 2 json '.links[0].link' iovctl link show db01 -o json
        [[ $(iovctl --complete d link show) == db01 ]]
        fails 1 iovctl link show 16
        says '16: no such link'
}

@test "down takes the vAdapters of the server away, up brings them back" {
        is '' iovctl link down web01
        is '["disabled",null]' json '.links[0]|[.state,.speed]' iovctl link show 0 -o json
        iovprov plan rack.yaml
        if is_live; then
                until_true 10 test ! -e run/servers/web01/0.sock
                [[ -S run/servers/db01/0.sock ]]
                # It stays down, whatever happens.
                iovctl server add app01 5
                iovd_stop
                iovd_start
                [[ ! -e run/servers/web01/0.sock ]]
        fi
        is '"disabled"' json '.links[0].state' iovctl link show 0 -o json
        is '' iovctl link up 0
        is '"L0"' json '.links[0].state' iovctl link show 0 -o json
        if is_live; then
                until_true 10 test -S run/servers/web01/0.sock
                "$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock smoke
        fi
        # No generation is made by it.
        local generation=1
        if is_live; then
                generation=2 # the server
        fi
        is "$generation" json '.generations[0].generation' iovprov history -o json
}

@test "who uses what is behind a link is not cut off unasked" {
        is_live || return 0
        "$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock hold > held 2>&1 3>&- &
        local pid=$!
        until_true 10 grep -q here held
        fails 2 iovctl link down web01
        says 'lose 1 vAdapter that it uses'
        iovctl link down web01 --yes
        wait "$pid"
        is $'here\ngone' cat held
        # All of it was said by a worker that ended as it should: one that crashes on the way out is replaced, and nobody would see it.
        until_true 10 eval 'iovctl server show web01 -o json | jq -e ".servers[0].worker_pid | not"'
        is 0 json '[.events[] | select(.text | contains("crashed"))] | length' iovctl event list -o json
}

@test "retrain counts, disturbs nobody, and needs a link that is up" {
        is '' iovctl link retrain 0
        is '"L0"' json '.links[0].state' iovctl link show 0 -o json
        if is_live; then
                is 1 json '.links[0].retrains' iovctl link show 0 -o json
                is 0 json '.servers[]|select(.name=="web01").worker_restarts' iovctl server list -o json
        fi
        iovctl link down 0
        fails 2 iovctl link retrain 0
        says 'it is not up'
        fails 2 iovctl link retrain 2
        fails 1 iovctl link up 99
}

@test "every object has its verbs, columns and abbreviations" {
        local object
        for object in server adapter volume vadapter namespace lun drive network qos profile pool identity link; do
                iovctl "$object" list -o wide > /dev/null
                iovctl "$object" list -o help | grep -q .
                [[ $(iovctl --complete sh "$object") == show ]]
        done
        for object in server volume vadapter network qos profile; do
                is $'add\nset\nremove\nrename' grep -xE 'add|set|remove|rename' <(iovctl --complete '' "$object")
        done
        for object in namespace lun drive pool; do
                is $'add\nset\nremove' grep -xE 'add|set|remove' <(iovctl --complete '' "$object")
        done
        is 16 json '.links|length' iovctl li li -o json
}

@test "a namespace shows another volume" {
        iovctl volume add other ssd0 1GiB
        is '' iovctl namespace set web-disk/1 volume=other
        is '"other"' json '.namespaces[0].volume' iovctl namespace show web-disk/1 -o json
        fails 1 iovctl namespace set web-disk/1 volume=nowhere
        says 'nowhere'
        fails 2 iovctl namespace set web-disk/1 size=1GiB
        is 'volume=' iovctl --complete v namespace set web-disk/1
}

@test "a namespace that the server may only read, and a volume that two share so" {
        iovctl volume add shared ssd0 1GiB
        is '' iovctl namespace set web-disk/1 volume=shared read_only=true
        is '["shared",true]' json '.namespaces[0]|[.volume,.read_only]' iovctl namespace show web-disk/1 -o json
        iovctl vadapter add second ssd0
        is '' iovctl namespace add second/9 shared read_only=true
        is 'true' json '.namespaces[0].read_only' iovctl namespace show second/9 -o json
        fails 1 iovctl namespace set second/9 read_only=false
        says 'shared'
        fails 2 iovctl namespace set second/9 read_only=yes
        says "read_only 'yes': true or false is wanted"
        iovctl namespace remove second/9 --yes
        is '' iovctl namespace set web-disk/1 read_only=false
        is '[false]' json '[.namespaces[0].read_only]' iovctl namespace show web-disk/1 -o json
        is $'read_only=false\nread_only=true' sort <(iovctl --complete r namespace set web-disk/1)
}

@test "an adapter is put in, used, and taken out" {
        is '' iovctl adapter insert ssd7 ssd capacity=1TiB 'model=spare "7"'
        is '["ssd",true,1099511627776,"spare \"7\""]' json '.adapters[0]|[.kind,.supported,.capacity,.model]' \
                iovctl adapter show ssd7 -o json
        iovctl volume add v ssd7 1GiB
        if is_live; then
                iovd_stop
                iovd_start
        fi
        fails 1 iovctl adapter remove ssd7 --yes
        says 'ssd7: volume v is on it'
        iovctl volume remove v --yes
        fails 2 iovctl adapter remove ssd7
        says '--yes is needed'
        is '' iovctl adapter remove ssd7 --yes
        fails 1 iovctl adapter show ssd7
        fails 1 iovctl adapter remove ssd7 --yes
        fails 1 iovctl adapter remove ssd0 --yes
        says 'is on it'
}

@test "an adapter is put in with rates of its own" {
        is '' iovctl adapter insert ssd7 ssd capacity=1TiB iops=400k bandwidth=16Gbit
        is '[400000,16000000000]' json '.adapters[0]|[.iops,.bandwidth]' iovctl adapter show ssd7 -o json
        is '[null,null]' json '.adapters[]|select(.name=="ssd0")|[.iops,.bandwidth]' iovctl adapter list -o json
        iovdump chassis > dumped.yaml
        grep -q 'ssd7: .*iops: 400000, bandwidth: 16Gbit' dumped.yaml || grep -q 'ssd7: .*iops: 400k, bandwidth: 16Gbit' dumped.yaml
        if is_live; then
                iovd_stop
                iovd_start
                is '[400000,16000000000]' json '.adapters[0]|[.iops,.bandwidth]' iovctl adapter show ssd7 -o json
        fi
        fails 2 iovctl adapter insert x nic ports=2 rate=10Gbit iops=5
        says 'kind nic has no "iops"'
        fails 2 iovctl adapter insert x ssd capacity=1TiB bandwidth=5
        # What is not plugged in has no share.
        iovctl volume add v ssd7 1GiB
        iovctl qos add gold weight=300
        iovctl vadapter add d ssd7 qos=gold
        is '[null,300,null]' json '.vadapters[0]|[.limits.bandwidth,.limits.weight,.share]' iovctl vadapter show d -o json
        fails 2 iovctl qos set gold weight=0
        fails 2 iovctl qos set gold weight=1001
}

@test "an adapter is put in with a backend" {
        mkdir elsewhere
        is '' iovctl adapter insert ssd7 ssd capacity=1TiB "backend=$T/elsewhere"
        is "\"$T/elsewhere\"" json '.adapters[0].backend' iovctl adapter show ssd7 -o json
        iovdump chassis > dumped.yaml
        grep -q "ssd7: .*backend: \"*$T/elsewhere" dumped.yaml
        is 'backend=' iovctl --complete backe adapter insert x ssd
        if is_live; then
                iovd_stop
                iovd_start
                is "\"$T/elsewhere\"" json '.adapters[0].backend' iovctl adapter show ssd7 -o json
                iovctl server add far 3
                iovctl volume add v ssd7 64MiB
                iovctl vadapter add d ssd7
                iovctl namespace add d/1 v
                iovctl vadapter attach d far 0
                until_true 20 bash -c "ls elsewhere/*.img"
        fi
        is '' iovctl adapter insert far0 ssd capacity=1TiB 'backend=nbd://storage:10810/{volume}'
        fails 2 iovctl adapter insert x ssd capacity=1TiB backend=
        fails 2 iovctl adapter insert x ssd capacity=1TiB backend=relative
        says 'neither a path'
        fails 2 iovctl adapter insert x ssd capacity=1TiB 'backend=nbd://storage:0'
        says 'the port is not within 1 to 65535'
        fails 2 iovctl adapter insert x ssd capacity=1TiB "backend=/$(head -c 300 /dev/zero | tr '\0' x)"
        fails 2 iovctl adapter insert x nic ports=2 rate=10Gbit backend=/srv
        says 'kind nic has no "backend"'
        fails 1 iovctl adapter show x
}

@test "adapters that make no sense are refused, and change nothing" {
        iovdump chassis > before
        fails 1 iovctl adapter insert ssd0 ssd capacity=1TiB
        says 'there is an adapter of that name'
        fails 2 iovctl adapter insert x floppy
        fails 2 iovctl adapter insert x nic
        says 'needs "ports"'
        fails 2 iovctl adapter insert x ssd capacity=1TiB rate=1Gbit
        fails 2 iovctl adapter insert x ssd capacity=many
        fails 2 iovctl adapter insert x ssd colour=red
        fails 2 iovctl adapter insert 'x y' ssd capacity=1TiB
        is "$(< before)" iovdump chassis
}

@test "a chassis that is a file of the operator's is not changed" {
        is_live || return 0
        iovd_stop
        cat > iovd-chassis <<-SCRIPT
		#!/bin/sh
		exec "$IOVD" --chassis "$T/chassis.yaml" "\$@"
	SCRIPT
        chmod +x iovd-chassis
        IOVD=$T/iovd-chassis iovd_start
        fails 1 iovctl adapter insert ssd7 ssd capacity=1TiB
        says 'chassis.yaml: change the file'
}

@test "what waits to be confirmed keeps the adapters that it came from" {
        iovctl adapter insert ssd7 ssd capacity=1TiB
        iovctl volume add v ssd7 1GiB
        sed '/^volumes:/a\  w: {adapter: ssd7, size: 1GiB}' rack.yaml > new.yaml
        iovprov apply -q new.yaml --confirm 1h
        fails 1 iovctl adapter insert ssd8 ssd capacity=1TiB
        says 'waits for'
        iovctl link down web01
        iovprov rollback --yes
        is '"disabled"' json '.links[0].state' iovctl link show 0 -o json
}
