#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What an NVMe vAdapter keeps for its whole life belongs to the vAdapter: SMART figures, error log, self-test log, LBA range types.
# A read of block 100000 is past the end, and so an error of status 080.

load common
load nvme-hosts

setup() {
        appliance_setup
        doc 'servers: {a: {link: 0}, b: {link: 1}}' 'volumes: {v: {adapter: ssd0, size: 4MiB}}' 'vadapters:' \
                '  d: {adapter: ssd0, attach: {server: a, slot: 0}, namespaces: [{volume: v}]}' > life.yaml
        iovprov apply -q life.yaml
}

teardown() {
        hosts_stop
        appliance_teardown
}

# A server that does all that is counted: two writes, one read, and one that fails.
use() {
        gets 000 0 write 0
        gets 000 0 write 1
        gets 000 0 read 0
        gets 080 0 read 100000
}

# smart WRITES READS CYCLES UNSAFE ERRORS: of the server that runs.
smart() {
        gets "000 units [1-9]* [1-9]* commands $2 $1 cycles $3 unsafe $4 media 0 errors $5" 0 smart
}

is_saved() {
        [[ -s $(find state/life -name '[0-9]*' ! -name '*.new') ]]
}

goes_to() {
        iovctl vadapter move d "$1" 0
        until_true 20 test -S "run/servers/$1/0.sock"
}

@test "moved from server to server, figures and error log go on; power that goes without a word is counted" {
        hosts_start a/0.sock
        use
        smart 2 2 1 0 1
        hosts_stop
        goes_to b
        hosts_start b/0.sock
        smart 2 2 2 1 1
        gets '000 count 1 status 080 valid 1' 0 errors
        use
        gets '000 count 2 status 080 valid 2' 0 errors
        gets 000 0 down
        hosts_stop
        goes_to a
        hosts_start a/0.sock
        smart 4 4 3 1 2
        gets '000 count 2 status 080 valid 2' 0 errors
}

@test "unplugged while a server has it, and a reset of the controller" {
        hosts_start a/0.sock
        use
        gets 000 0 reset
        smart 2 2 1 0 1
        iovctl vadapter detach d --force
        hosts_stop
        iovctl vadapter attach d a 0
        until_true 20 test -S run/servers/a/0.sock
        hosts_start a/0.sock
        smart 2 2 2 1 1
}

@test "worker and control process are killed, the power stays on" {
        hosts_start a/0.sock
        use
        kill -9 "$(worker_of a)"
        use
        kill -9 "$(control_pid)"
        until_true 20 iovctl -q server list > server.list 2>&1
        use
        smart 6 6 1 0 3
        gets '000 count 3 status 080 valid 3' 0 errors
        gets 000 0 down
        hosts_stop
        goes_to b
        hosts_start b/0.sock
        smart 6 6 2 0 3
}

@test "iovd stops under a server and starts" {
        hosts_start a/0.sock
        use
        iovd_stop
        hosts_stop
        iovd_start
        until_true 20 test -S run/servers/a/0.sock
        hosts_start a/0.sock
        smart 2 2 2 1 1
}

@test "all of iovd is killed: what a server left is there" {
        hosts_start a/0.sock
        use
        gets 000 0 down
        hosts_stop
        until_true 20 is_saved
        kill -9 "$IOVD_PID"
        wait "$IOVD_PID" || true
        iovd_start
        until_true 20 test -S run/servers/a/0.sock
        hosts_start a/0.sock
        smart 2 2 2 0 1
        gets '000 count 1 status 080 valid 1' 0 errors
}

@test "self-tests and LBA range types are kept; features are not" {
        hosts_start a/0.sock
        gets 000 0 test 1
        until_true 20 gets '000 runs 0 newest 10 valid 1' 0 results
        gets 000 0 range 2
        gets 000 0 reset
        gets '000 type 2 blocks 8' 0 range
        hosts_stop
        goes_to b
        hosts_start b/0.sock
        gets '000 runs 0 newest 10 valid 1' 0 results
        gets '000 type 2 blocks 8' 0 range
        gets 000 0 format 0
        gets '000 type 0 blocks 8191' 0 range
}

@test "the vAdapter's, whatever its name; with another serial number it is another device" {
        hosts_start a/0.sock
        use
        hosts_stop
        iovctl vadapter rename d e
        iovctl vadapter detach e
        iovctl vadapter attach e b 0
        until_true 20 test -S run/servers/b/0.sock
        hosts_start b/0.sock
        smart 2 2 2 1 1
        hosts_stop
        iovctl vadapter detach e
        iovctl vadapter set e serial=ANOTHER
        iovctl vadapter attach e b 0
        until_true 20 test -S run/servers/b/0.sock
        hosts_start b/0.sock
        use
        smart 2 2 1 0 1
}

@test "nothing is written of a vAdapter that no server has driven, and nothing stays of one that is removed" {
        iovctl vadapter detach d
        iovctl vadapter attach d a 0
        until_true 20 test -S run/servers/a/0.sock
        iovctl vadapter detach d
        [[ -z $(find state/life -type f) ]]
        iovctl vadapter attach d a 0
        until_true 20 test -S run/servers/a/0.sock
        hosts_start a/0.sock
        use
        hosts_stop
        until_true 20 is_saved
        iovctl vadapter detach d
        iovctl namespace remove d/1 --yes
        iovctl vadapter remove d --yes
        until_true 20 test -z "$(find state/life -type f)"
}

@test "removed by a commit that is taken back: it is as it was" {
        hosts_start a/0.sock
        use
        hosts_stop
        until_true 20 is_saved
        doc 'servers: {a: {link: 0}, b: {link: 1}}' 'volumes: {v: {adapter: ssd0, size: 4MiB}}' > none.yaml
        iovprov apply -q none.yaml --prune --yes --confirm 1
        until_true 20 is 2 json '.generations[0].takes_back' iovprov history -o json
        until_true 20 test -S run/servers/a/0.sock
        hosts_start a/0.sock
        smart 2 2 2 1 1
}

@test "a damaged file is told of, and the figures begin anew" {
        hosts_start a/0.sock
        use
        hosts_stop
        iovd_stop
        truncate -s 100 state/life/*
        iovd_start
        iovctl event list | grep -q 'figures of vAdapter number .* begin anew'
        until_true 20 test -S run/servers/a/0.sock
        hosts_start a/0.sock
        use
        smart 2 2 1 0 1
        hosts_stop
        goes_to b
        hosts_start b/0.sock
        smart 2 2 2 1 1
}
