#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What plans say beyond the differences: who is disturbed, every field of every kind.
load common

setup() {
        appliance_setup
}

teardown() {
        appliance_teardown
}

doc() {
        printf 'version: 1\nkind: topology\n'
        printf '%s\n' "$@"
}

@test "a plan says which running server loses which device, and how" {
        is_live || skip "no server runs on a simulator"
        iovprov apply -q rack.yaml
        sed 's/slot: 0}/slot: 2}/' rack.yaml > moved.yaml
        run -5 iovprov plan moved.yaml
        [[ ${lines[-1]} == '0 to add, 2 to change, 0 to remove' ]]
        server_runs web01 0 web-disk
        run -5 iovprov plan moved.yaml
        [[ $output == *$'~ vadapter  web-disk  slot 0 -> 2\n            ! web01 loses web-disk in slot 0: replug\n'* ]]
        [[ $output != *'! db01'* ]]
        [[ ${lines[-1]} == '0 to add, 2 to change, 0 to remove, 1 server disturbed' ]]
        run -5 iovprov plan moved.yaml -o json
        is '[{"effect":"replug","server":"web01","vadapter":"web-disk","slot":0}]' \
                jq -c '.changes[]|select(.name=="web-disk").disturbs' <<< "$output"
        is '[]' jq -c '.changes[]|select(.name=="db-disk").disturbs' <<< "$output"
        is 1 jq .summary.disturbed_servers <<< "$output"
        # The appliance judges likewise: refused, and done where it is forced.
        refuses 1 iovprov apply moved.yaml
        says 'server web01 runs with it'
        run -0 iovprov apply --force moved.yaml
        [[ ${lines[-1]} == *'1 server disturbed' ]]
}

@test "what changes under a server that goes on is marked as live" {
        is_live || skip "no server runs on a simulator"
        iovprov apply -q rack.yaml
        server_runs web01 0 web-disk
        iovctl qos add gold weight=500
        iovctl vadapter set web-disk qos=gold
        doc 'qos: {gold: {weight: 100}}' > qos.yaml
        run -5 iovprov plan qos.yaml
        [[ ${lines[1]} == '            . web01 keeps web-disk: live' ]]
        [[ ${lines[-1]} == '0 to add, 1 to change, 0 to remove' ]]
        # Nobody needs to force it.
        iovprov apply -q qos.yaml
        is '"connected"' json '.vadapters[0].state' iovctl vadapter show web-disk -o json
}

@test "every field of every kind is shown as it is written" {
        doc 'networks: {n: {adapter: nic0, port: 1, vlans: [10, "100-199"], mtu: 9000}}' \
                'qos: {gold: {read_iops: 200k, bandwidth: 10Gbit, weight: 400}}' \
                'vadapters: {v: {adapter: nic0, network: n, vlan: 10, vlan_mode: trunk, qos: gold, interrupts: msi}}' > f.yaml
        run -5 iovprov plan f.yaml
        [[ $output == *'+ network   n     adapter nic0, port 1, mtu 9000, vlans 10,100-199'* ]]
        [[ $output == *'+ qos       gold  read_iops 200000, bandwidth 10Gbit, weight 400'* ]]
        [[ $output == *'+ vadapter  v     adapter nic0, network n, qos gold, vlan 10, vlan_mode trunk, interrupts msi'* ]]
        iovprov apply -q f.yaml
        doc 'vadapters: {v: {adapter: nic0, persona: {mac: "02:00:00:00:00:01"}}}' > g.yaml
        iovprov apply -q g.yaml
        doc 'vadapters: {v: {adapter: nic0}}' > h.yaml
        run -5 iovprov plan h.yaml
        [[ ${lines[0]} == '~ vadapter  v  mac 02:00:00:00:00:01 -> auto' ]]
}
