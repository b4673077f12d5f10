#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# iovctl's verbs that change one object: add, set, remove, move.
load common

setup() {
        appliance_setup
        iovprov apply -q rack.yaml
}

teardown() {
        appliance_teardown
}

# What the appliance has, to see that a refusal changed nothing.
state() {
        iovdump topology
}

@test "a server, from its link to its end" {
        is '' iovctl server add app01 5
        is '[5]' json '[.servers[]|select(.name=="app01").link]' iovctl server list -o json
        is '' iovctl server set app01 link=6
        is 6 json '.servers[0].link' iovctl server show app01 -o json
        is '' iovctl server set app01 link=6
        is '' iovctl server remove app01 --yes
        fails 1 iovctl server show app01
}

@test "a volume grows, is kept or deleted, and goes" {
        is '' iovctl volume add app-data ssd0 2GiB --on-remove retain
        is '["ssd0",2147483648,"retain"]' json '.volumes[0]|[.adapter,.size,.on_remove]' iovctl volume show app-data -o json
        is '' iovctl volume set app-data size=3GiB on_remove=delete
        is '[3221225472,"delete"]' json '.volumes[0]|[.size,.on_remove]' iovctl volume show app-data -o json
        is '' iovctl volume remove app-data -y
        iovctl volume add app-data ssd0 4KiB
        is '"delete"' json '.volumes[0].on_remove' iovctl volume show app-data -o json
}

@test "a volume shrinks only with --yes" {
        state > before
        fails 2 iovctl volume set web-boot size=512MiB
        says 'volume web-boot would shrink from 1GiB to 512MiB and lose what is behind; --yes'
        is "$(< before)" state
        iovctl volume set --yes web-boot size=512MiB
        is 536870912 json '.volumes[0].size' iovctl volume show web-boot -o json
}

@test "the bytes of a volume that is retained stay, those of one that is deleted go" {
        # Plugged, a volume has its file.
        is_live || return 0
        iovctl volume set web-boot on_remove=retain
        iovctl volume set db-data on_remove=delete
        [[ $(find "$T/state/media" -name '*.img' | wc -l) -eq 2 ]]
        iovctl namespace remove web-disk/1 --yes
        iovctl namespace remove db-disk/1 --yes
        iovctl volume remove web-boot --yes
        iovctl volume remove db-data --yes
        is 1 wc -l < <(find "$T/state/media" -name '*.img')
        [[ -n $(find "$T/state/media/ssd0/retained" -name 'web-boot-*.img') ]]
}

@test "a vAdapter, its serial, its namespaces" {
        is '' iovctl vadapter add app-disk ssd0 --serial APP0001
        is '["ssd0",null,"APP0001"]' json '.vadapters[0]|[.adapter,.server,.serial]' iovctl vadapter show app-disk -o json
        is '' iovctl vadapter set app-disk serial=APP0002
        is '"APP0002"' json '.vadapters[0].serial' iovctl vadapter show app-disk -o json
        iovctl volume add app-data ssd0 1MiB
        is '' iovctl namespace add app-disk/3 app-data
        is $'app-disk/3\ndb-disk/1\nweb-disk/1' iovctl namespace list -o name
        is '[{"name":"app-disk/3","vadapter":"app-disk","nsid":3,"volume":"app-data","size":1048576,"read_only":false}]' \
                json '[.namespaces[]|select(.nsid==3)]' iovctl namespace list -o json
        is '' iovctl namespace remove app-disk/3 --yes
        is $'db-disk/1\nweb-disk/1' iovctl namespace list -o name
        iovctl namespace add app-disk/4 app-data
        is '' iovctl vadapter remove app-disk --yes
        is $'db-disk/1\nweb-disk/1' iovctl namespace list -o name
        iovctl volume show app-data
}

@test "a serial that nobody gives is chosen, and kept" {
        local serial
        iovctl vadapter add a ssd0
        iovctl vadapter add b ssd0 --serial auto
        serial=$(json '.vadapters[0].serial' iovctl vadapter show a -o json)
        [[ -n $serial && $serial != "$(json '.vadapters[0].serial' iovctl vadapter show b -o json)" ]]
        iovctl vadapter attach a web01 5
        is "$serial" json '.vadapters[0].serial' iovctl vadapter show a -o json
        # It has chosen already; what somebody gave is given up for one that it chooses.
        iovctl vadapter set a serial=auto
        is "$serial" json '.vadapters[0].serial' iovctl vadapter show a -o json
        iovctl vadapter set a serial=MINE
        iovctl vadapter set a serial=
        [[ $(json '.vadapters[0].serial' iovctl vadapter show a -o json) == *IOV* ]]
}

@test "move changes server and slot in one transaction" {
        local before
        before=$(iovdump registers -o json | jq -ec '[.. | objects | select(.name? == "GENERATION")][0].value')
        is '' iovctl vadapter move web-disk db01
        is '["db01",1]' json '.vadapters[0]|[.server,.slot]' iovctl vadapter show web-disk -o json
        is $((before + 1)) jq -ec '[.. | objects | select(.name? == "GENERATION")][0].value' <(iovdump registers -o json)
        is '' iovctl vadapter move web-disk db01 7
        is '["db01",7]' json '.vadapters[0]|[.server,.slot]' iovctl vadapter show web-disk -o json
        is '' iovctl vadapter move web-disk db01
        is '["db01",7]' json '.vadapters[0]|[.server,.slot]' iovctl vadapter show web-disk -o json
        iovctl vadapter detach web-disk
        is '' iovctl vadapter move web-disk web01
        is '["web01",0]' json '.vadapters[0]|[.server,.slot]' iovctl vadapter show web-disk -o json
}

@test "a move that cannot be changes nothing" {
        state > before
        fails 1 iovctl vadapter move web-disk db01 0
        says 'slot 0 is in use by db-disk'
        fails 1 iovctl vadapter move web-disk nowhere
        says 'nowhere: no such server'
        fails 2 iovctl vadapter move web-disk db01 16
        says 'slots 0 to 15'
        fails 1 iovctl vadapter move nothing db01
        is "$(< before)" state
}

@test "add refuses what is there, what cannot be, and names that are none" {
        state > before
        fails 1 iovctl server add web01 7
        says 'there is a server of that name'
        fails 1 iovctl server add app01 0
        says 'link 0 is that of server web01'
        fails 1 iovctl server add app01 99
        says 'the chassis has links 0 to 15'
        fails 2 iovctl server add app01 one
        fails 2 iovctl server add app01 -- -1
        fails 2 iovctl server add 'app 01' 5
        says 'names have letters'
        fails 2 iovctl server add "$(printf 'x%.0s' {1..64})" 5
        fails 1 iovctl volume add web-boot ssd0 1GiB
        fails 1 iovctl volume add v nowhere 1GiB
        says 'nowhere: no such adapter'
        fails 1 iovctl volume add v nic0 1GiB
        says 'no media'
        fails 1 iovctl volume add v ssd0 1000TiB
        says 'free on ssd0'
        fails 2 iovctl volume add v ssd0 12
        says 'such as 64GiB'
        fails 2 iovctl volume add v ssd0 4097B
        fails 2 iovctl volume add v ssd0 1GiB --on-remove burn
        fails 1 iovctl vadapter add v nic7
        fails 2 iovctl vadapter add v ssd0 --serial 123456789012345678901
        iovctl vadapter add v ssd0 --serial TWICE
        fails 1 iovctl vadapter add w ssd0 --serial TWICE
        says 'taken by v'
        iovctl vadapter remove v --yes
        is "$(< before)" state
}

@test "namespaces are named VADAPTER/NSID, each number once" {
        state > before
        fails 2 iovctl namespace add web-disk web-boot
        says 'VADAPTER/NSID'
        fails 2 iovctl namespace add web-disk/0 web-boot
        fails 2 iovctl namespace add web-disk/65 web-boot
        fails 2 iovctl namespace add web-disk/x web-boot
        fails 2 iovctl namespace add /1 web-boot
        fails 1 iovctl namespace add nothing/1 web-boot
        fails 1 iovctl namespace add web-disk/2 nothing
        fails 1 iovctl namespace add web-disk/1 web-boot
        says 'shows web-boot already'
        fails 1 iovctl namespace remove web-disk/9 --yes
        says 'web-disk/9: no such namespace'
        is "$(< before)" state
}

@test "set wants KEY=VALUE with a key that there is, once" {
        fails 2 iovctl server set web01 link
        says 'link='
        fails 2 iovctl server set web01 size=1GiB
        fails 2 iovctl volume set web-boot size=x
        fails 2 iovctl volume set web-boot on_remove=
        fails 2 iovctl volume set web-boot size=2GiB size=3GiB
        says 'which one?'
        fails 2 iovctl volume set web-boot colour=red
        says 'size=, on_remove=, provisioning=, block_size=, shared='
        fails 2 iovctl vadapter set web-disk
        fails 1 iovctl volume set nothing size=1GiB
}

@test "what something else needs is not removed" {
        state > before
        fails 1 iovctl server remove web01 --yes
        says 'web-disk is attached to it'
        fails 1 iovctl volume remove web-boot --yes
        says 'web-disk/1 shows it'
        is "$(< before)" state
}

@test "a removal names the target and wants --yes where nobody can be asked" {
        local command
        state > before
        iovctl server add app01 5
        for command in 'server remove app01' 'vadapter remove web-disk' 'namespace remove web-disk/1'; do
                # shellcheck disable=SC2086
                fails 2 iovctl $command
                says "${command/ remove/} would be removed; --yes is needed"
        done
        iovctl server remove app01 --yes
        is "$(< before)" state
}

@test "a removal asks on a terminal" {
        state > before
        run -1 script -qec 'iovctl vadapter remove web-disk' /dev/null <<< n
        [[ $output == *'- namespace web-disk/1'*'- vadapter web-disk'*'Remove vadapter web-disk? [y/N]'*'nothing was applied'* ]]
        is "$(< before)" state
        run -0 script -qec 'iovctl vadapter remove web-disk' /dev/null <<< y
        fails 1 iovctl vadapter show web-disk
}

@test "every verb has a dry run, which asks nothing and changes nothing" {
        iovctl volume add spare ssd0 1MiB
        state > before
        run -0 iovctl server add app01 5 --dry-run
        [[ ${lines[0]} == '+ server    app01  link 5' && ${lines[1]} == '1 to add, 0 to change, 0 to remove' ]]
        run -0 iovctl volume set web-boot size=2GiB --dry-run
        [[ ${lines[0]} == '~ volume    web-boot  size 1GiB -> 2GiB' ]]
        run -0 iovctl vadapter remove web-disk --dry-run
        [[ ${lines[0]} == '- namespace web-disk/1' && ${lines[1]} == '- vadapter  web-disk' ]]
        run -0 iovctl vadapter move web-disk db01 --dry-run
        [[ ${lines[0]} == '~ vadapter  web-disk  server web01 -> db01, slot 0 -> 1' ]]
        is '{"add":1,"change":0,"remove":0,"disturbed_servers":0}' json .summary iovctl namespace add web-disk/2 spare --dry-run -o json
        iovctl volume add v ssd1 1MiB --dry-run
        iovctl vadapter add v ssd1 --dry-run
        iovctl namespace remove web-disk/1 --dry-run
        is "$(< before)" state
        fails 1 iovctl volume set web-boot size=9999TiB --dry-run
}

@test "-v tells what was changed" {
        run -0 iovctl server add app01 5 -v
        [[ $output == *'+ server    app01  link 5'* ]]
}

@test "completion knows the verbs, their keys and the namespaces" {
        is $'db-disk/1\nweb-disk/1' iovctl --complete '' namespace remove
        is $'size=\non_remove=retain\non_remove=delete\nprovisioning=thin\nprovisioning=full\nblock_size=512\nblock_size=4096\nshared=true\nshared=false' \
                iovctl --complete '' volume set web-boot
        is 'on_remove=delete' iovctl --complete on_remove=d volume set web-boot size=2GiB
        is 'link=' iovctl --complete l server set web01
        is 'serial=' iovctl --complete s vadapter set web-disk
        is $'retain\ndelete' iovctl --complete '' volume add v ssd0 1GiB --on-remove
        is $'ssd0\nssd1' iovctl --complete ssd volume add v
        is $'db01\nweb01' iovctl --complete '' vadapter move web-disk
        is $'db-data\nweb-boot' iovctl --complete '' namespace add web-disk/2
}
