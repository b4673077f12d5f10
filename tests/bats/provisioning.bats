#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Volumes whose space is set aside: taken with the commit or refused, kept under deallocation, given back with the volume.
load common

setup() {
        appliance_setup
        appliance_has '{ssd0: {kind: ssd, capacity: 1EiB}, ram0: {kind: ssd, capacity: 1GiB, media: ram}}'
}

teardown() {
        appliance_teardown
}

file_of() {
        echo "state/media/ssd0/$(iovctl volume show "$1" -o json | jq .volumes[0].id).img"
}

# bytes_of VOLUME: what is set aside for it
bytes_of() {
        echo $(($(stat -c '%b * %B' "$(file_of "$1")")))
}

at_least() {
        [[ $(bytes_of "$1") -ge $2 ]]
}

@test "space is set aside with the commit, when it grows, and where it was not before" {
        iovctl volume add thin ssd0 1MiB
        iovctl volume add full ssd0 1MiB --provisioning full
        [ ! -e "$(file_of thin)" ]
        at_least full $((1 << 20))
        iovctl volume set full size=3MiB
        at_least full $((3 << 20))
        [ "$(stat -c %s "$(file_of full)")" -eq $((3 << 20)) ]
        iovctl volume set thin provisioning=full
        at_least thin $((1 << 20))
        is '["full","full"]' json '[.volumes[].provisioning]' iovctl volume list -o json
        is '  full: {adapter: ssd0, size: 3MiB, provisioning: full}' grep ' full:' <(iovprov export)
        iovctl volume set full size=1MiB --yes
        [ "$(bytes_of full)" -lt $((2 << 20)) ]
        file=$(file_of full)
        iovctl volume remove full --yes
        [ ! -e "$file" ]
}

@test "what there is no space for is refused, and nothing of it stays" {
        iovctl volume add small ssd0 1MiB --provisioning full
        refuses 1 iovctl volume add huge ssd0 512PiB --provisioning full
        says 'volume huge: provisioning full needs 512PiB'
        fails 1 iovctl volume show huge
        refuses 1 iovctl volume set small size=512PiB
        [ "$(stat -c %s "$(file_of small)")" -eq $((1 << 20)) ]
        # Two of which one does not fit: neither.
        printf 'version: 1\nkind: topology\nvolumes:\n  a: {adapter: ssd0, size: 1MiB, provisioning: full}\n' > two.yaml
        printf '  b: {adapter: ssd0, size: 256PiB, provisioning: full}\n' >> two.yaml
        refuses 1 iovprov apply two.yaml
        says 'volume b: provisioning full needs 256PiB'
        is 1 find state/media/ssd0 -name '*.img' -printf 1
        # A thin one of that size is nobody's business.
        iovctl volume add huge ssd0 512PiB
        refuses 1 iovctl volume set huge provisioning=full
        is '"thin"' json '.volumes[0].provisioning' iovctl volume show huge -o json
        refuses 1 iovctl volume add ram ram0 1MiB --provisioning full
        says 'ram0 has its media in memory'
}

@test "plans show it, and history brings it back" {
        iovctl volume add v ssd0 1MiB
        printf 'version: 1\nkind: topology\nvolumes: {v: {adapter: ssd0, size: 1MiB, provisioning: full}}\n' > full.yaml
        run iovprov plan full.yaml
        [ "$status" -eq 5 ]
        [[ $output == *'provisioning thin -> full'* ]]
        iovprov apply full.yaml
        at_least v $((1 << 20))
        iovprov rollback 1
        is '"thin"' json '.volumes[0].provisioning' iovctl volume show v -o json
}

@test "a server that deallocates keeps the space of such a volume, also when it becomes one under it" {
        is_live || return 0
        iovctl server add s 0
        iovctl volume add thin ssd0 8MiB
        iovctl volume add full ssd0 8MiB --provisioning full
        for v in thin full; do
                iovctl vadapter add "$v" ssd0
                iovctl namespace add "$v/1" "$v"
        done
        iovctl vadapter attach thin s 0
        iovctl vadapter attach full s 1
        for slot in 0 1; do
                "$IOV_BUILD/bench/nvme-host" "run/servers/s/$slot.sock" write 0
                "$IOV_BUILD/bench/nvme-host" "run/servers/s/$slot.sock" deallocate 0
        done
        [ "$(bytes_of thin)" -eq 0 ]
        at_least full $((8 << 20))
        iovctl volume set thin provisioning=full
        at_least thin $((8 << 20))
        "$IOV_BUILD/bench/nvme-host" run/servers/s/0.sock deallocate 0
        at_least thin $((8 << 20))
        iovctl volume set thin provisioning=thin
        "$IOV_BUILD/bench/nvme-host" run/servers/s/0.sock deallocate 0
        until_true 10 test "$(bytes_of thin)" -lt $((8 << 20))
}

@test "a volume that is renamed keeps its file" {
        local file
        iovctl volume add before ssd0 1MiB provisioning=full
        file=$(file_of before)
        printf data | dd of="$file" conv=notrunc status=none
        iovctl volume rename before after
        is "$file" file_of after
        is data head -c 4 "$file"
        iovctl volume remove after --yes
        [ ! -e "$file" ]
}
