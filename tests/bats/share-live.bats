#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# An adapter that has rates of its own, and two servers that want more than that. Figures are of commands, not of time.

load common

setup() {
        appliance_setup
        iovd_stop
        cat > state/chassis.yaml << 'YAML'
version: 1
kind: chassis
links: 4
slots: 4
adapters:
  ssd0: {kind: ssd, capacity: 16GiB, iops: 400}
  ssd1: {kind: ssd, capacity: 16GiB}
YAML
        iovd_start
        cat > two.yaml << 'YAML'
version: 1
kind: topology
servers: {web: {link: 0}, db: {link: 1}}
qos: {heavy: {weight: 300}}
volumes:
  web: {adapter: ssd0, size: 64MiB}
  db: {adapter: ssd0, size: 64MiB}
vadapters:
  web-disk: {adapter: ssd0, qos: heavy, namespaces: [{volume: web}], attach: {server: web, slot: 0}}
  db-disk: {adapter: ssd0, namespaces: [{volume: db}], attach: {server: db, slot: 0}}
YAML
        iovprov apply -q two.yaml
}

teardown() {
        appliance_teardown
}

# host SERVER: reads all the time, as fast as it can.
host() {
        timeout 120 "$IOV_BUILD/bench/nvme-host" "run/servers/$1/0.sock" load 3>&- &
        SERVER_PIDS+=($!)
}

# shares WEB DB: what they may have now.
shares() {
        [[ $(iovctl vadapter list -o json --filter 'name~disk' | jq -c '[.vadapters[]|.share.iops]') == "[$2,$1]" ]]
}

operations() { # VADAPTER
        iovctl vadapter show "$1" -o json | jq '.vadapters[0].counters.read_ops'
}

has_done() { # VADAPTER COUNT
        [[ $(operations "$1") -ge $2 ]]
}

@test "by weight, which is changed live" {
        shares 400 400
        host web
        host db
        until_true 30 shares 300 100
        web=$(operations web-disk) db=$(operations db-disk)
        until_true 60 has_done db-disk $((db + 100))
        [[ $(operations web-disk) -ge $((web + 200)) ]]
        iovctl qos set heavy weight=100
        until_true 30 shares 200 200
        iovctl qos add light weight=50
        iovctl vadapter set db-disk qos=light
        until_true 30 shares 266 133
        is '[null,null,null,50]' json '.vadapters[0].limits|[.read_iops,.write_iops,.bandwidth,.weight]' iovctl vadapter show db-disk -o json
        [ "$(json '.vadapters[0].counters|.qos_ns > 0 and .qos_ns <= .busy_ns' iovctl vadapter show db-disk -o json)" = true ]
        iovtop -b -n 1 -d 0.5 -o json > top.json
        is true json '.vadapters|all(.qos_us > 0 and .medium_us >= 0)' cat top.json
}

@test "what one does not want, the other gets" {
        host db
        until_true 30 shares 300 400
        until_true 30 has_done db-disk 100
        shares 300 400
        # A limit of its own holds, and leaves the rest.
        host web
        until_true 30 shares 300 100
        iovctl qos set heavy read_iops=40
        below() { [[ $(iovctl vadapter show db-disk -o json | jq '.vadapters[0].share.iops') -gt 300 ]]; }
        until_true 30 below
        iovctl qos set heavy read_iops=none
        until_true 30 shares 300 100
        iovctl vadapter detach web-disk --force
        is '[400,null]' jq -c '[.vadapters[]|.share.iops]' <(iovctl vadapter list -o json)
        until_true 60 has_done db-disk $(($(operations db-disk) + 100))
}

@test "shares outlive workers and control processes" {
        host web
        host db
        until_true 30 shares 300 100
        kill -KILL "$(worker_of web)"
        web=$(operations web-disk)
        until_true 30 has_done web-disk $((web + 200))
        shares 300 100
        pid=$(control_pid)
        kill -KILL "$pid"
        another() { [[ $(control_pid) != "$pid" && -S run/mgmt.sock ]] && iovctl vadapter list > /dev/null; }
        until_true 30 another
        until_true 30 shares 300 100
        iovctl qos set heavy weight=100
        until_true 30 shares 200 200
        kill -KILL "$(worker_of db)"
        db=$(operations db-disk)
        until_true 60 has_done db-disk $((db + 100))
        shares 200 200
        run -1 grep nonsense iovd.log
}

@test "pages of what others want can only be read" {
        host web
        host db
        until_true 30 shares 300 100
        is 0 jq '[.isolation[]|select(.type=="mapping")]|length' <(iovdump isolation -o json)
        for server in web db; do
                [ "$(grep -c '^[^ ]* rw-s .*memfd:iov-wants' "/proc/$(worker_of $server)/maps")" -eq 1 ]
                [ "$(grep -c '^[^ ]* r--s .*memfd:iov-wants' "/proc/$(worker_of $server)/maps")" -eq 1 ]
        done
}

@test "an adapter without rates has no shares" {
        iovctl volume add v ssd1 64MiB
        iovctl vadapter add x ssd1
        iovctl namespace add x/1 v
        iovctl vadapter attach x web 1
        is '[null]' json '[.vadapters[0].share]' iovctl vadapter show x -o json
        # That of web-disk.
        [ "$(grep -c '^[^ ]* rw-s .*memfd:iov-wants' "/proc/$(worker_of web)/maps")" -eq 1 ]
}
