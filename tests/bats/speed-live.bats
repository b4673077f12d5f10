#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What makes vAdapters fast, and what holds them back: doorbells in memory, media in memory, limits. Whether, not how fast.

load common

setup() {
        appliance_setup
        iovd_stop
        cat > state/chassis.yaml << 'EOF'
version: 1
kind: chassis
links: 4
slots: 4
adapters:
  ssd0: {kind: ssd, capacity: 16GiB, media: ram}
  ssd1: {kind: ssd, capacity: 16GiB}
EOF
        iovd_start
        cat > fast.yaml << 'EOF'
version: 1
kind: topology
servers: {web: {link: 0}, db: {link: 1}}
qos:
  slow: {read_iops: 5, weight: 100}
volumes:
  memory: {adapter: ssd0, size: 64MiB}
  file: {adapter: ssd1, size: 64MiB}
vadapters:
  web-disk: {adapter: ssd0, namespaces: [{volume: memory}], attach: {server: web, slot: 0}}
  db-disk: {adapter: ssd1, polling: always, namespaces: [{volume: file}], attach: {server: db, slot: 0}}
EOF
        iovprov apply -q fast.yaml
}

teardown() {
        appliance_teardown
}

host() { # VADAPTER_SOCKET HOW
        timeout 60 "$IOV_BUILD/bench/nvme-host" "$@" 3>&-
}

@test "shadow doorbells, media in memory" {
        host run/servers/web/0.sock shadow
        [ ! -e state/media/ssd0 ]
        [ "$(json '.vadapters[0].counters.write_bytes' iovctl vadapter show web-disk -o json)" -gt 0 ]
}

@test "media in memory are formatted to other blocks, and keep that" {
        host run/servers/web/0.sock smoke
        is 'type 0 code 0x00' host run/servers/web/0.sock format 512
        run host run/servers/web/0.sock format 4096
        if [[ $output == 'type 1 code 0x0a' ]]; then
                skip "this kernel keeps no attributes of files in memory"
        fi
        is 'type 0 code 0x00' echo "$output"
        host run/servers/web/0.sock smoke
        host run/servers/web/0.sock identify | grep -qx 'namespace 1: 16384 blocks of 4096 bytes'
        iovctl vadapter detach web-disk
        iovctl vadapter attach web-disk web 1
        host run/servers/web/1.sock identify | grep -qx 'namespace 1: 16384 blocks of 4096 bytes'
        is 'type 0 code 0x00' host run/servers/web/1.sock format 512
        host run/servers/web/1.sock identify | grep -qx 'namespace 1: 131072 blocks of 512 bytes'
}

@test "mapped doorbells only where polling is always" {
        host run/servers/db/0.sock mapped
        host run/servers/db/0.sock smoke
        run host run/servers/web/0.sock mapped
        [ "$status" -ne 0 ]
        run host run/servers/db/0.sock shadow
        [ "$status" -ne 0 ]
}

@test "polling is shown, kept and changed" {
        is '"always"' json '.vadapters[]|select(.name=="db-disk").polling' iovctl vadapter list -o json
        iovctl vadapter set db-disk polling=adaptive
        is '"adaptive"' json '.vadapters[]|select(.name=="db-disk").polling' iovctl vadapter list -o json
        iovctl vadapter set web-disk polling=always
        iovprov export > out.yaml
        grep -q 'polling: always' out.yaml
        iovprov status out.yaml
}

@test "limits hold commands back, and are taken away live" {
        is 0 json '.vadapters[0].counters.qos_ns' iovctl vadapter show web-disk -o json
        iovctl vadapter set web-disk qos=slow
        host run/servers/web/0.sock smoke
        waited=$(json '.vadapters[0].counters.qos_ns' iovctl vadapter show web-disk -o json)
        [ "$waited" -gt 0 ]
        iovctl qos set slow read_iops=none
        host run/servers/web/0.sock smoke
        is "$waited" json '.vadapters[0].counters.qos_ns' iovctl vadapter show web-disk -o json
}
