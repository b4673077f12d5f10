#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Volumes in memory have their data until they are gone for good.

load common
load nvme-hosts

setup() {
        appliance_setup
        appliance_has '{ram0: {kind: ssd, capacity: 1GiB, media: ram}}'
        doc 'servers: {a: {link: 0}}' > none.yaml
        doc 'servers: {a: {link: 0}}' 'volumes: {v: {adapter: ram0, size: 64MiB}}' 'vadapters:' \
                '  d: {adapter: ram0, attach: {server: a, slot: 0}, namespaces: [{volume: v}]}' > ram.yaml
        iovprov apply -q ram.yaml
        hosts_start a/0.sock
        gets '000 same' 0 fill 5a
        hosts_stop
}

teardown() {
        hosts_stop
        appliance_teardown
}

is_plugged() {
        test -S run/servers/a/0.sock
}

is_taken_back() {
        is 2 json '.generations[0].takes_back' iovprov history -o json
}

# has ANSWER: its first blocks, to a server that comes.
has() {
        until_true 20 is_plugged
        hosts_start a/0.sock
        gets "$1" 0 check 5a
        hosts_stop
}

@test "removed by a commit that is taken back, it is as it was; also where the control process dies meanwhile" {
        iovprov apply -q none.yaml --prune --yes --confirm 1
        until_true 20 is_taken_back
        has '000 same'
        iovprov apply -q none.yaml --prune --yes --confirm 2
        kill -9 "$(< state/lock)"
        until_true 20 is 4 json '.generations[0].takes_back' iovprov history -o json
        has '000 same'
}

@test "removed for good, and by a commit that is confirmed, it is another one when it comes again" {
        iovprov apply -q none.yaml --prune --yes
        iovprov apply -q ram.yaml
        has '000 place 0 differs'
        hosts_start a/0.sock
        gets '000 same' 0 fill 5a
        hosts_stop
        iovprov apply -q none.yaml --prune --yes --confirm 60
        iovprov confirm
        iovprov apply -q ram.yaml
        has '000 place 0 differs'
}
