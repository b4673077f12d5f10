#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Blocks that NVMe Write Uncorrectable has marked: they belong to the volume. Unrecovered Read Error is status 281.

load common
load nvme-hosts

setup() {
        appliance_setup
        cat > marks.yaml <<'YAML'
version: 1
kind: topology
servers:
  a: {link: 0}
  b: {link: 1}
volumes:
  v: {adapter: ssd0, size: 64MiB, shared: true}
  w: {adapter: ssd0, size: 64MiB}
vadapters:
  da: {adapter: ssd0, attach: {server: a, slot: 0}, namespaces: [{volume: v}]}
  db: {adapter: ssd0, attach: {server: b, slot: 0}, namespaces: [{volume: v}]}
  dw: {adapter: ssd0, attach: {server: a, slot: 1}, namespaces: [{volume: w}]}
YAML
        iovprov apply -q marks.yaml
}

teardown() {
        hosts_stop
        appliance_teardown
}

@test "a marked block cannot be read until it is written" {
        hosts_start a/1.sock
        gets 000 0 mark 8 10
        gets 000 0 read 7
        gets 281 0 read 8
        gets 281 0 read 17
        gets 000 0 read 18
        gets 281 0 verify 0 20
        gets 281 0 compare 10
        gets 000 0 write 10
        gets 000 0 read 10
        gets 281 0 read 11
        gets 000 0 zero 11 4
        gets 000 0 read 14
        gets 281 0 read 15
        gets 000 0 trim 15 2 17 1
        gets 000 0 verify 10 8
        gets 281 0 verify 8 8
        gets 000 0 format 0
        gets 000 0 verify 0 100
}

@test "unplugged, and plugged in at another server: it is still marked" {
        hosts_start a/1.sock
        gets 000 0 mark 8 1
        hosts_stop
        iovctl vadapter move dw b 1
        until_true 20 test -S run/servers/b/1.sock
        hosts_start b/1.sock
        gets 281 0 read 8
        gets 000 0 write 8
        gets 000 0 read 8
}

@test "a shared volume: both see a mark, and both see it go" {
        hosts_start
        gets 000 0 mark 8 1
        gets 281 0 read 8
        gets 281 1 read 8
        gets 000 1 write 8
        gets 000 0 read 8
        gets 000 1 read 8
}
