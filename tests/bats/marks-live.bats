#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Blocks that NVMe Write Uncorrectable has marked: they belong to the volume. Unrecovered Read Error is status 281. Blocks are
# numbers to the base of 16.

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

# One that answers, so that it is not one that is dead already.
kill_control() {
        until_true 20 iovctl -q server list > server.list 2>&1
        kill -9 "$(control_pid)"
}

# Both at once, without asking the control process who they are.
kill_workers() {
        local pid

        for pid in $WORKERS; do
                kill -9 "$pid"
        done
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

# Neither a worker nor a control process that is killed loses a mark that was acknowledged, or brings one back.
@test "killed: workers and control processes, before and while something is asked" {
        local i

        hosts_start
        for ((i = 0; i < 4; i++)); do
                gets 000 0 mark 8 8
                kill -9 "$(worker_of a)"
                gets 281 1 read 8
                gets 281 0 read f
                kill_control
                gets 281 0 read 8
                gets 281 1 read f
                # The control process is away: what is asked waits.
                kill_control
                gets 000 0 start mark 20 4
                gets 000 1 start write 8 1
                gets 000 0 finish
                gets 000 1 finish
                gets 281 1 read 20
                gets 000 0 read 8
                # And one that asks is killed, too.
                WORKERS="$(worker_of a) $(worker_of b)"
                kill -STOP "$(control_pid)"
                gets 000 0 start mark 30 1
                gets 000 1 start zero 20 4
                sleep 0.1
                kill_workers
                kill -9 "$(control_pid)"
                gets 000 0 finish
                gets 000 1 finish
                gets 281 1 read 30
                gets 000 0 verify 20 4
                gets 000 1 zero 0 40
                gets 000 0 verify 0 40
        done
}

@test "a reset, and a restart of the appliance, keep marks; the list has how much" {
        hosts_start a/1.sock
        is '[0,0]' json '[.volumes[].unreadable]' iovctl volume list -o json
        gets 000 0 mark 8 8
        gets 000 0 reset
        gets 281 0 read 8
        is '[["w",4096]]' json '[.volumes[]|[.name,.unreadable]]' iovctl volume show w -o json
        hosts_stop
        iovd_stop
        iovd_start
        is '[0,4096]' json '[.volumes[].unreadable]' iovctl volume list -o json
        until_true 20 test -S run/servers/a/1.sock
        hosts_start a/1.sock
        gets 281 0 read 8
        gets 000 0 zero 8 4
        is '[0,2048]' json '[.volumes[].unreadable]' iovctl volume list -o json
        iovctl volume list -o name,unreadable --bytes | grep -q '^w *2048$'
        gets 281 0 read c
}

@test "in memory: marks stay while the memory does" {
        iovd_stop
        cat > state/chassis.yaml <<-'YAML'
		version: 1
		kind: chassis
		links: 2
		slots: 2
		adapters: {ssd0: {kind: ssd, capacity: 1GiB, media: ram}}
	YAML
        iovd_start
        until_true 20 test -S run/servers/a/1.sock
        hosts_start a/1.sock
        gets 000 0 mark 8 8
        kill_control
        until_true 20 iovctl -q server list > server.list 2>&1
        gets 281 0 read 8
        hosts_stop
        iovd_stop
        iovd_start
        until_true 20 test -S run/servers/a/1.sock
        hosts_start a/1.sock
        gets 000 0 read 8
        is '[0,0]' json '[.volumes[].unreadable]' iovctl volume list -o json
}

@test "gone with the volume, its end, and a commit that is not taken back" {
        hosts_start a/1.sock
        gets 000 0 mark 8 8
        gets 000 0 mark 10000 8
        hosts_stop
        [[ $(find state/marks -type f | wc -l) -eq 1 ]]
        until_true 20 iovctl vadapter detach dw
        iovctl volume set w size=16MiB --yes
        iovctl volume set w size=64MiB
        iovctl vadapter attach dw a 1
        hosts_start a/1.sock
        gets 000 0 verify 10000 8
        gets 281 0 read 8
        hosts_stop
        until_true 20 iovctl vadapter detach dw
        iovctl namespace remove dw/1 --yes
        iovctl volume remove w --yes
        until_true 20 test -z "$(find state/marks -type f)"
}

@test "what cannot be read of marks leaves nothing readable until it is written" {
        hosts_start a/1.sock
        gets 000 0 mark 8 8
        hosts_stop
        iovd_stop
        truncate -s 100 state/marks/*
        iovd_start
        iovctl event list | grep -q "unreadable"
        until_true 20 test -S run/servers/a/1.sock
        hosts_start a/1.sock
        gets 281 0 read 1000
        gets 000 0 write 1000
        gets 000 0 read 1000
        gets 000 0 format 0
        gets 000 0 verify 0 100
}
