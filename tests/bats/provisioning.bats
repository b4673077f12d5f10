#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Volumes whose space is set aside: taken with the commit or refused, kept under deallocation, given back with the volume.
load common

setup() {
        appliance_setup
        appliance_has '{ssd0: {kind: ssd, capacity: 1EiB}, ram0: {kind: ssd, capacity: 1EiB, media: ram}}'
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
}

@test "memory that there is not is refused, and asked for in vain changes nothing" {
        refuses 1 iovctl volume add huge ram0 512PiB --provisioning full --dry-run
        says 'volume huge: provisioning full needs 512PiB of memory, and '
        refuses 1 iovctl volume add huge ram0 512PiB --provisioning full
        says 'volume huge: provisioning full needs 512PiB of memory, and '
        says 'is free for it'
        fails 1 iovctl volume show huge
        iovctl volume add small ram0 1MiB --provisioning full
        # Two of which one does not fit: neither.
        doc 'volumes: {a: {adapter: ram0, size: 1MiB, provisioning: full},' \
                '  b: {adapter: ram0, size: 512PiB, provisioning: full}}' > two.yaml
        refuses 1 iovprov apply two.yaml
        is 1 json '.volumes | length' iovctl volume list -o json
        # A thin one is nobody's business.
        iovctl volume add huge ram0 512PiB
        refuses 1 iovctl volume set huge provisioning=full
        is '"thin"' json '.volumes[0].provisioning' iovctl volume show huge -o json
        iovprov export > as-it-is.yaml
        grep -q 'small: {adapter: ram0, size: 1MiB, provisioning: full}' as-it-is.yaml
        is 'nothing to do' iovprov plan as-it-is.yaml
}

# Bytes that are allocated for the volumes in memory, each a file without a name of the control process.
memory_held() {
        local fd
        for fd in /proc/"$(control_pid)"/fd/*; do
                [[ $(readlink "$fd") != /memfd:iov-volume* ]] || stat -L -c '%i %b %B' "$fd"
        done 2> /dev/null | sort -u | awk '{ n += $2 * $3 } END { printf "%d\n", n }'
}

@test "memory is allocated with the commit, follows the size, and goes with the volume" {
        is_live || return 0
        iovctl volume add thin ram0 8MiB
        is 0 memory_held
        # Not a multiple of a large page.
        iovctl volume add full ram0 5MiB --provisioning full
        is $((5 << 20)) memory_held
        grep -Eq 'full: 5MiB of memory set aside, (4MiB|none) in large pages' iovd.log
        iovctl volume set full size=9MiB
        is $((9 << 20)) memory_held
        iovctl volume set full size=4MiB --yes
        is $((4 << 20)) memory_held
        refuses 1 iovctl volume set full size=512PiB
        is $((4 << 20)) memory_held
        iovctl volume set thin provisioning=full
        is $((12 << 20)) memory_held
        iovctl volume remove full --yes
        is $((8 << 20)) memory_held
}

is_another_worker() {
        [[ $(worker_of s) != "$1" ]]
}

# Once the worker knows of it.
gives_back() {
        "$IOV_BUILD/bench/nvme-host" run/servers/s/0.sock deallocate 0 > said && [[ $(memory_held) -lt $((8 << 20)) ]]
}

@test "memory of a server's volume: kept when deallocated and over kills, set aside again when the appliance starts" {
        is_live || return 0
        local host=$IOV_BUILD/bench/nvme-host before
        iovctl server add s 0
        iovctl volume add v ram0 8MiB --provisioning full
        iovctl vadapter add v ram0
        iovctl namespace add v/1 v
        iovctl vadapter attach v s 0
        until_true 10 test -S run/servers/s/0.sock
        "$host" run/servers/s/0.sock write 0
        "$host" run/servers/s/0.sock deallocate 0
        is $((8 << 20)) memory_held
        before=$(worker_of s)
        kill -9 "$before"
        until_true 10 is_another_worker "$before"
        "$host" run/servers/s/0.sock deallocate 0
        is $((8 << 20)) memory_held
        kill -9 "$(control_pid)"
        until_true 10 iovctl volume show v > shown
        is $((8 << 20)) memory_held
        # What is thin gives it back, and takes it again.
        iovctl volume set v provisioning=thin
        until_true 10 gives_back
        iovctl volume set v provisioning=full
        is $((8 << 20)) memory_held
        iovd_stop
        iovd_start
        until_true 10 test -S run/servers/s/0.sock
        is $((8 << 20)) memory_held
}

@test "a volume in memory that has shrunk has nothing behind its end when it grows" {
        is_live || return 0
        local host=$IOV_BUILD/bench/nvme-host
        iovctl server add s 0
        iovctl volume add v ram0 8MiB
        iovctl vadapter add v ram0
        iovctl namespace add v/1 v
        iovctl vadapter attach v s 0
        until_true 10 test -S run/servers/s/0.sock
        # The last block of 8 MiB.
        "$host" run/servers/s/0.sock write $(((8 << 20) / 512 - 8))
        [ "$(memory_held)" -gt 0 ]
        iovctl volume set v size=4MiB --yes
        iovctl volume set v size=8MiB
        is 0 memory_held
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
