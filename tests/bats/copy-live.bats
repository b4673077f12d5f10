#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# NVMe Copy: a worker that dies in the midst of it, its qos, its counters. Blocks are of 512 bytes, and numbers to the base of 16.

load common
load nvme-hosts

setup() {
        appliance_setup
        cat > copy.yaml << 'YAML'
version: 1
kind: topology
servers:
  a: {link: 0}
qos:
  slow: {bandwidth: 16Mbit}
volumes:
  v: {adapter: ssd0, size: 64MiB}
  s: {adapter: ssd0, size: 64MiB, shared: true}
vadapters:
  dv: {adapter: ssd0, attach: {server: a, slot: 0}, namespaces: [{volume: v}]}
  ds: {adapter: ssd0, attach: {server: a, slot: 1}, namespaces: [{volume: s}]}
YAML
        iovprov apply -q copy.yaml
        hosts_start a/0.sock a/1.sock
}

teardown() {
        hosts_stop
        appliance_teardown
}

@test "there and back" {
        gets '000 same' 0 fill 5a
        gets 000 0 copy 1000 0 80
        gets '000 same' 0 fill 11
        gets '000 place 0 differs' 0 check 5a
        gets 000 0 copy 0 1000 80
        gets '000 same' 0 check 5a
        is '[34,0,262144,200704]' json '.vadapters[0].counters|[.write_ops,.errors,.write_bytes,.read_bytes]' iovctl vadapter show dv -o json
}

@test "refused: too much, past the end, onto itself; and not on a namespace that others have" {
        gets 183 0 copy 1000 0 801
        gets 080 0 copy 20000 0 1
        gets 080 0 copy 0 20000 1
        gets 187 0 copy 4 0 8
        gets 000 1 copy 1000 0 8
}

# Two MiB at two a second: the worker dies while most of it is to do, and the next one does it from the start.
@test "killed: the worker" {
        local i

        gets '000 same' 0 fill 5a
        iovctl vadapter set dv qos=slow
        for ((i = 0; i < 2; i++)); do
                gets 000 0 start copy 1000 0 800
                kill -9 "$(worker_of a)"
                gets 000 0 finish
        done
        [ "$(json '.vadapters[0].counters.qos_ns > 0' iovctl vadapter show dv -o json)" = true ]
        iovctl vadapter set dv qos=
        gets '000 same' 0 fill 11
        gets 000 0 copy 0 1000 80
        gets '000 same' 0 check 5a
}

@test "a reset ends it" {
        iovctl vadapter set dv qos=slow
        gets 000 0 start copy 1000 0 800
        gets 000 0 reset
        iovctl vadapter set dv qos=
        gets '000 same' 0 fill 5a
        gets 000 0 copy 1000 0 80
        gets '000 same' 0 check 5a
}

@test "what was marked is readable when it was copied to, and cannot be copied" {
        gets 000 0 mark 1000 8
        gets 281 0 copy 2000 fff 2
        gets 000 0 copy 1004 0 4
        gets 281 0 read 1003
        gets 000 0 read 1004
        gets 000 0 copy 2000 1004 4
}
