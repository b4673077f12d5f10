#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
load common

setup() {
        appliance_setup
        iovprov apply -q rack.yaml
}

teardown() {
        appliance_teardown
}

@test "a topology is accepted unchanged" {
        is 'nothing to do' iovprov plan --prune <(iovdump topology)
        iovdump topology > one.yaml
        is 'nothing to do' iovprov plan - < one.yaml
        iovprov apply -q --prune --yes <<< $'version: 1\nkind: topology'
        iovprov apply -q one.yaml
        cmp one.yaml <(iovdump topology)
}

@test "dump and plan in one pipe do not block each other" {
        run -0 timeout 60 bash -c 'iovdump topology | iovprov plan -'
        [[ $output == 'nothing to do' ]]
}

@test "the chassis is accepted by validate, and is the built-in one" {
        iovdump chassis > dumped.yaml
        iovprov validate dumped.yaml
        grep -q 'links: 16' dumped.yaml
}

@test "registers have names, fields and values" {
        run -0 iovdump registers
        [[ $output =~ MAGIC\ +0\ 0x00000\ +31:0\ ro\ +0x4d564f49 ]]
        [[ $output == *MAJOR* ]]
        is 1297502025 json '.registers[]|select(.name=="MAGIC").value' iovdump registers -o json
        is 1 json '.registers[]|select(.name=="VERSION").fields[]|select(.name=="MAJOR").value' iovdump registers -o json
        is 1 json '.registers[]|select(.name=="GENERATION").value' iovdump registers -o json
        is null jq -c '.registers[]|select(.access=="wo").value' <(iovdump registers -o json)
}

@test "lspci reads the configuration spaces" {
        run -0 bash -c 'iovdump pci web01 | lspci -F /dev/stdin -n'
        [[ ${lines[0]} =~ ^01:00.0\ 0108:\ 1af4:10f1 ]]
        run -0 bash -c 'iovdump pci web01 | lspci -F /dev/stdin -vvv'
        [[ $output == *'Non-Volatile memory controller'* && $output == *'MSI-X: Enable'* && $output == *'Advanced Error Reporting'* ]]
        [[ $output != *'!!!'* && $output != *'unknown'* ]]
}

@test "lspci writes back what it read" {
        iovdump pci web01 | grep -E '^[0-9a-f]+: ' > ours
        iovdump pci web01 | lspci -F /dev/stdin -xxxx 2> /dev/null | grep -E '^[0-9a-f]+: ' > theirs
        cmp ours theirs
}

@test "slot N is bus N+1" {
        iovctl vadapter detach db-disk
        iovctl vadapter attach db-disk web01 9
        is $'01:00.0\n0a:00.0' bash -c 'iovdump pci web01 | lspci -F /dev/stdin | cut -d " " -f 1'
        is '[["01:00.0","web-disk",0],["0a:00.0","db-disk",9]]' json '[.functions[]|[.address,.vadapter,.slot]]' iovdump pci web01 -o json
        is '' iovdump pci db01
        fails 1 iovdump pci nowhere
}

@test "a bundle has everything, and its manifest is right" {
        iovdump bundle b.tar.gz
        [[ $(stat -c %a b.tar.gz) == 600 ]]
        tar -xzf b.tar.gz
        cd iov-bundle-*
        is $'chassis.yaml\niovd.log\nmanifest.json\npci-db01.txt\npci-web01.txt\nregisters.txt\nstate.json\ntopology.yaml' ls
        jq -r '.members[]|"\(.sha256)  \(.name)"' manifest.json > sums
        sha256sum --quiet -c sums
        [[ $(wc -l < sums) -eq 7 ]]
        is "$(stat -c %s topology.yaml)" jq '.members[]|select(.name=="topology.yaml").size' manifest.json
        is 'nothing to do' iovprov plan --prune topology.yaml
        is '["web-boot"]' jq -c '[.volumes[].name|select(.=="web-boot")]' state.json
        cmp pci-web01.txt <(iovdump pci web01)
        if is_live; then
                grep -q 'generation 1' iovd.log
        fi
}

@test "a bundle's format follows its suffix, and - is standard output" {
        iovdump bundle b.tar.xz
        tar -tJf b.tar.xz > /dev/null
        iovdump bundle b.strange
        tar -tzf b.strange > /dev/null
        iovdump bundle - | tar -tzf - > /dev/null
        iovdump bundle b.zip
        [[ $(head -c 2 b.zip) == PK ]]
}

@test "a bundle is written to what is there and is no file, not put in its place" {
        mkfifo pipe
        tar -tzf - < pipe > list &
        iovdump bundle pipe
        wait $!
        [[ -p pipe ]]
        grep -q topology.yaml list
        iovdump bundle /dev/stdout | tar -tzf - > /dev/null
}

@test "a bundle that cannot be written leaves nothing" {
        fails 1 iovdump bundle missing/b.tar.gz
        mkdir d
        fails 1 iovdump bundle d
        is d bash -c 'ls -d d*'
}

@test "a full disk is an error" {
        run -1 bash -c 'iovdump topology > /dev/full'
        [[ $output == *'No space left on device'* ]]
        run -1 bash -c 'iovdump bundle - > /dev/full'
        run -1 bash -c 'iovctl server list > /dev/full'
}
