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

@test "a plan says which running server loses which device, and how" {
        is_live || skip "no server runs on a simulator"
        iovprov apply -q rack.yaml
        sed 's/slot: 0}/slot: 2}/' rack.yaml > moved.yaml
        run -5 iovprov plan moved.yaml
        [[ ${lines[-1]} == '0 to add, 2 to change, 0 to remove' ]]
        server_runs web01 0 web-disk
        # It has no hypervisor that could be asked: refused, and done where it is forced. The plan says so.
        run -1 --separate-stderr iovprov plan moved.yaml
        [[ $output == *$'~ vadapter  web-disk  slot 0 -> 2\n            ! web01 loses web-disk in slot 0: replug\n'* ]]
        [[ $output != *'! db01'* ]]
        [[ ${lines[-1]} == '0 to add, 2 to change, 0 to remove, 1 server disturbed' ]]
        says 'moved.yaml:'
        says 'server web01 runs with it'
        run -5 --separate-stderr iovprov plan moved.yaml --force -o json
        [[ -z $stderr ]]
        is '[{"effect":"replug","server":"web01","vadapter":"web-disk","slot":0}]' \
                jq -c '.changes[]|select(.name=="web-disk").disturbs' <<< "$output"
        is '[]' jq -c '.changes[]|select(.name=="db-disk").disturbs' <<< "$output"
        is 1 jq .summary.disturbed_servers <<< "$output"
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

@test "a plan says which namespaces a server can only read" {
        local volume='volumes: {d: {adapter: ssd0, size: 1GiB}}'

        doc "$volume" 'vadapters: {v: {adapter: ssd0, namespaces: [{volume: d, read_only: true}]}}' > ro.yaml
        doc "$volume" 'vadapters: {v: {adapter: ssd0, namespaces: [{volume: d}]}}' > rw.yaml
        run -5 iovprov plan ro.yaml
        [[ $output == *$'+ namespace v/1  volume d, read_only yes\n'* ]]
        iovprov apply -q ro.yaml
        run -0 iovctl namespace list -o wide
        [[ ${lines[0]} == *READ_ONLY && ${lines[1]} == *yes ]]
        run -5 iovprov plan rw.yaml
        [[ ${lines[0]} == '~ namespace v/1  read_only yes -> -' ]]
        iovprov apply -q rw.yaml
        run -5 iovprov plan ro.yaml
        [[ ${lines[0]} == '~ namespace v/1  read_only - -> yes' ]]
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

# returns KIND OBJECT KEY VALUE DEFAULT [BASE [MORE]]: with the key, the object has it; without, its default again, and nothing else
# has changed. KEY and VALUE are as in YAML, DEFAULT is what the plan says that it returns to.
returns() {
        local kind=$1 object=$2 key=$3 value=$4 default=$5 base=${6:-} more=${7:-} planned
        local separator=${base:+, }
        doc "$kind: {$object: {$base}}" ${more:+"$more"} > without.yaml
        doc "$kind: {$object: {$base$separator$key: $value}}" ${more:+"$more"} > with.yaml
        iovprov apply -q --prune --yes without.yaml
        iovprov export > before
        iovprov apply -q with.yaml
        is 'nothing to do' iovprov status with.yaml
        planned=$(iovprov plan without.yaml) || [[ $? -eq 5 ]]
        [[ $planned == *"-> $default"* || $default == REMOVED && $planned == '- '* ]] || {
                echo "$kind $key: wanted '-> $default' in: $planned"
                return 1
        }
        iovprov apply -q --yes without.yaml
        is 'nothing to do' iovprov status without.yaml
        [[ $default == auto ]] || is "$(< before)" iovprov export
}

@test "a key that is removed returns to its default, for every key of every kind" {
        returns servers s profile p - 'link: 0' 'profiles: {p: {}}'
        returns servers s host '{qemu: /run/q.sock}' - 'link: 0'
        returns networks n port 1 0 'adapter: nic0'
        returns networks n vlans '[10, 20]' - 'adapter: nic0'
        returns networks n mtu 9000 1500 'adapter: nic0'
        returns volumes v on_remove retain delete 'adapter: ssd0, size: 1MiB'
        returns qos q read_iops 5k - ''
        returns qos q write_iops 5k - ''
        returns qos q bandwidth 1Gbit - ''
        returns qos q weight 7 100 ''
        local net='networks: {n: {adapter: nic0, vlans: [10]}}' volume='volumes: {v: {adapter: ssd0, size: 1MiB}}'
        returns vadapters a network n - 'adapter: nic0' "$net"
        returns vadapters a vlan 10 - 'adapter: nic0, network: n' "$net"
        returns vadapters a vlan_mode trunk - 'adapter: nic0, network: n' "$net"
        returns vadapters a qos q - 'adapter: nic0' 'qos: {q: {}}'
        returns vadapters a interrupts msi - 'adapter: ssd0'
        returns vadapters a attach '{server: s, slot: 2}' - 'adapter: ssd0' 'servers: {s: {link: 0}}'
        returns vadapters a persona '{serial: GIVEN}' auto 'adapter: ssd0'
        returns vadapters a persona '{nqn: "nqn.2026-01.org.example:x"}' auto 'adapter: ssd0'
        returns vadapters a persona '{mac: "02:00:00:00:00:09"}' auto 'adapter: nic0'
        returns vadapters a persona '{wwnn: "20:00:00:00:00:00:00:09"}' auto 'adapter: hba0'
        returns vadapters a persona '{wwpn: "20:00:00:00:00:00:00:0a"}' auto 'adapter: hba0'
        returns vadapters a namespaces '[{volume: v}]' REMOVED 'adapter: ssd0' "$volume"
        returns vadapters a luns '[{lun: 3, volume: v}]' REMOVED 'adapter: hba0' "$volume"
        returns vadapters a drives '[{volume: r}]' REMOVED 'adapter: raid0' 'volumes: {r: {adapter: raid0, size: 1MiB}}'
        returns profiles p slots '{0: a}' REMOVED '' 'vadapters: {a: {adapter: ssd0}}'
        returns identities mac rest 5m 3600 ''
        returns identities serial prefix '"RACK7-"' - ''
}
