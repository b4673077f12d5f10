#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The blocks that a volume shows until a server formats it, and that what the server has chosen wins.
load common

setup() {
        appliance_setup
        appliance_has '{ssd0: {kind: ssd, capacity: 1GiB}, ram0: {kind: ssd, capacity: 1GiB, media: ram}}'
}

teardown() {
        appliance_teardown
}

block_size() {
        json '.volumes[0].block_size' iovctl volume show "$1" -o json
}

@test "it is chosen when a volume is made, and stays" {
        iovctl volume add small ssd0 1MiB
        iovctl volume add same ssd0 1MiB block_size=512
        iovctl volume add large ssd0 1MiB block_size=4096
        is 512 block_size small
        is 4096 block_size large
        is $'  large: {adapter: ssd0, size: 1MiB, block_size: 4096}\n  same: {adapter: ssd0, size: 1MiB}' \
                grep -E '^  (large|same):' <(iovprov export)
        refuses 1 iovctl volume set small block_size=4096
        says 'volume small: block_size is chosen when a volume is made, and is 512 here'
        refuses 1 iovctl volume set large block_size=512 --force
        iovctl volume set large block_size=4096 size=2MiB
        iovctl volume rename large huge
        is 4096 block_size huge
        fails 2 iovctl volume add v ssd0 1MiB block_size=1024
        says "block_size '1024': 512 or 4096 is wanted"
        if is_live; then
                iovd_stop
                iovd_start
                is 4096 block_size huge
                is 512 block_size small
        fi
        # A new volume of the name is another one.
        iovctl volume remove huge --yes
        iovctl volume add huge ssd0 1MiB
        is 512 block_size huge
}

@test "topologies and plans have it as a number" {
        printf 'version: 1\nkind: topology\nvolumes: {v: {adapter: ssd0, size: 1MiB, block_size: 4096}}\n' > large.yaml
        run iovprov plan large.yaml -o json
        [ "$status" -eq 5 ]
        is 4096 jq '.changes[0].fields[] | select(.field == "block_size").want' <<< "$output"
        echo "$output" > plan.json
        iovprov apply --plan plan.json
        is 4096 block_size v
        iovprov apply large.yaml
        printf 'version: 1\nkind: topology\nvolumes: {v: {adapter: ssd0, size: 1MiB}}\n' > small.yaml
        refuses 1 iovprov apply small.yaml
        says 'block_size is chosen when a volume is made, and is 4096 here'
}

# shown SLOT BLOCKS SIZE
shown() {
        timeout 60 "$IOV_BUILD/bench/nvme-host" "run/servers/s/$1.sock" identify 3>&- | grep -qx "namespace 1: $2 blocks of $3 bytes"
}

@test "a server sees it, and what the server formats to wins and is kept" {
        is_live || return 0
        iovctl server add s 0
        for slot in 0 1; do
                adapter=$([ $slot = 0 ] && echo ssd0 || echo ram0)
                iovctl volume add "v$slot" "$adapter" 8MiB block_size=4096
                iovctl vadapter add "d$slot" "$adapter"
                iovctl namespace add "d$slot/1" "v$slot"
                iovctl vadapter attach "d$slot" s "$slot"
                shown "$slot" 2048 4096
                iovctl vadapter detach "d$slot"
                iovctl vadapter attach "d$slot" s "$slot"
                shown "$slot" 2048 4096
        done
        # Growing keeps the blocks.
        iovctl volume set v0 size=16MiB
        until_true 10 shown 0 4096 4096
        for slot in 0 1; do
                run timeout 60 "$IOV_BUILD/bench/nvme-host" "run/servers/s/$slot.sock" format 512 3>&-
                if [[ $output == 'type 1 code 0x0a' ]]; then
                        skip "this machine keeps no attributes of files"
                fi
                is 'type 0 code 0x00' echo "$output"
                iovctl vadapter detach "d$slot"
                iovctl vadapter attach "d$slot" s "$slot"
                shown "$slot" $(((16 >> slot) << 11)) 512
        done
        # The volume was made with the other one all the same.
        is 4096 block_size v0
}
