#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Networks, qos, profiles, LUNs, drives, identities and renaming with iovctl.
load common

setup() {
        appliance_setup
        iovctl server add web01 0
        iovctl server add db01 1
        iovctl vadapter add web-disk ssd0
        iovctl volume add web-boot ssd0 1GiB
        iovctl namespace add web-disk/1 web-boot
}

teardown() {
        appliance_teardown
}

@test "a profile is worn, moved and taken off" {
        iovctl profile add web 1=web-disk
        is 'null' jq -c '.profiles[0].server' <(iovctl profile show web -o json)
        iovctl profile wear web web01
        is '["web01",1,"web"]' jq -c '.vadapters[0]|[.server,.slot,.profile]' <(iovctl vadapter show web-disk -o json)
        is web iovctl server list -o profile -n --filter name=web01
        refuses 1 iovctl profile wear web db01
        says "web: web01 wears it; 'iovctl profile move' moves it"
        iovctl profile move web db01
        is '"db01"' jq -c '.vadapters[0].server' <(iovctl vadapter show web-disk -o json)
        refuses 1 iovctl profile remove web --yes
        says 'web: db01 wears it; take it off first'
        iovctl profile take-off web
        is null jq -c '.vadapters[0].server' <(iovctl vadapter show web-disk -o json)
        iovctl profile set web 1= 3=web-disk
        is '[[3,"web-disk","detached"]]' jq -c '.profiles[0].slots|map([.slot,.vadapter,.state])' <(iovctl profile show web -o json)
        iovctl profile remove web --yes
        is '[]' jq -c .profiles <(iovctl profile list -o json)
        is web-disk iovctl vadapter list -o name
}

@test "what a profile cannot have" {
        refuses 1 iovctl profile add web 0=nobody
        says 'nobody: no such vAdapter'
        refuses 2 iovctl profile add web 99=web-disk
        says 'slot 99: this chassis has slots 0 to'
        refuses 2 iovctl profile add web web-disk
        says 'SLOT=VADAPTER is wanted'
        iovctl vadapter attach web-disk web01 0
        refuses 1 iovctl profile add web 0=web-disk
        says 'vadapter web-disk is attached to server web01 by itself'
}

@test "networks, VLANs and qos" {
        iovctl network add prod nic0 port=1 vlans=10,100-199,20 mtu=9000
        is '["nic0",1,"10,20,100-199",9000]' jq -c '.networks[0]|[.adapter,.port,.vlans,.mtu]' <(iovctl network show prod -o json)
        iovctl qos add gold read_iops=200k bandwidth=10Gbit weight=400
        is '[200000,null,10000000000,400]' jq -c '.qos[0]|[.read_iops,.write_iops,.bandwidth,.weight]' <(iovctl qos show gold -o json)
        iovctl vadapter add web-net nic0 network=prod vlan=10 qos=gold mac=02:1A:4A:00:07:01
        is '["prod",10,"gold","02:1a:4a:00:07:01"]' jq -c '.vadapters[0]|[.network,.vlan,.qos,.mac]' <(iovctl vadapter show web-net -o json)
        refuses 2 iovctl vadapter set web-net vlan=30
        says 'VLAN 30 is not one of network prod'
        refuses 1 iovctl network remove prod --yes
        says 'prod: web-net is on it'
        refuses 1 iovctl qos remove gold --yes
        says 'gold: web-net has it'
        refuses 2 iovctl network set prod vlans=4095
        says 'VLAN ids from 1 to 4094'
        iovctl qos set gold read_iops=none weight=7
        is '[null,7]' jq -c '.qos[0]|[.read_iops,.weight]' <(iovctl qos show gold -o json)
        iovctl vadapter set web-net network= vlan=0 qos=
        iovctl network remove prod --yes
        iovctl qos remove gold --yes
}

@test "LUNs and drives" {
        iovctl vadapter add h hba0
        iovctl vadapter add r raid0
        iovctl volume add lun-data ssd1 1GiB
        iovctl volume add raid-data raid0 1GiB
        iovctl lun add h/0 lun-data
        iovctl drive add r/0 raid-data
        is '[["h",0,"lun-data",1073741824]]' jq -c '.luns|map([.vadapter,.lun,.volume,.size])' <(iovctl lun list -o json)
        is '[["r",0,"raid-data"]]' jq -c '.drives|map([.vadapter,.drive,.volume])' <(iovctl drive list -o json)
        is '"h/0"' jq -c '.volumes[0].used_by[0].name' <(iovctl volume show lun-data -o json)
        refuses 1 iovctl volume remove lun-data --yes
        says 'lun-data: h/0 shows it'
        refuses 2 iovctl lun add web-disk/0 lun-data
        says 'it has no luns'
        refuses 2 iovctl drive add r/64 raid-data
        iovctl vadapter remove h --yes
        is '[]' jq -c .luns <(iovctl lun list -o json)
}

@test "identities: chosen once, kept, and nobody else's while they rest" {
        iovctl vadapter add n nic0 mac=02:1a:4a:00:07:01
        is '["held","n","given"]' jq -c '.identities[0]|[.state,.holder,.origin]' <(iovctl identity show 02:1a:4a:00:07:01 -o json)
        refuses 1 iovctl vadapter add n2 nic0 mac=02:1a:4a:00:07:01
        says 'mac 02:1a:4a:00:07:01 is taken by n'
        iovctl vadapter remove n --yes
        is '["resting","n"]' jq -c '.identities[0]|[.state,.holder]' <(iovctl identity show 02:1a:4a:00:07:01 -o json)
        refuses 1 iovctl vadapter add n2 nic0 mac=02:1a:4a:00:07:01
        says "was n's until lately"
        iovctl vadapter add n nic0 mac=02:1a:4a:00:07:01
        is '["held","resting"]' jq -c '.identities|map(.state)' <(iovctl identity show 02:1a:4a:00:07:01 -o json)
        refuses 1 iovctl identity show 02:ff:ff:ff:ff:ff
        says 'nobody has or had it'
        # The chosen ones stay whatever else changes, and are the same for every tool.
        local serial
        serial=$(iovctl vadapter list -o serial -n --filter name=web-disk)
        iovctl vadapter attach web-disk web01 3
        is "$serial" iovctl vadapter list -o serial -n --filter name=web-disk
        is "$serial" iovctl identity list -o identity -n --filter holder=web-disk --filter type=serial
}

@test "renaming keeps data, identities and what refers to it" {
        local before
        iovctl profile add web 1=web-disk
        iovctl profile wear web web01
        before=$(iovctl vadapter list -o id,serial -n)
        iovctl vadapter rename web-disk disk
        iovctl server rename web01 front
        iovctl volume rename web-boot boot
        iovctl profile rename web www
        is "$before" iovctl vadapter list -o id,serial -n
        is '["disk","front",1,"www","boot"]' jq -c '.vadapters[0]|[.name,.server,.slot,.profile,.namespaces[0].volume]' \
                <(iovctl vadapter show disk -o json)
        refuses 1 iovctl server rename front db01
        says 'there is a server db01 already'
        refuses 1 iovctl server rename nobody x
        says 'there is no server nobody to rename'
        refuses 2 iovctl server rename front 'no name'
}

@test "pools: identities come from them, and rest as long as they say" {
        iovctl pool add mac first=02:00:00:00:00:01 last=02:00:00:00:00:02 rest=0s
        iovctl pool add serial prefix=RACK7-
        is '[["mac","02:00:00:00:00:01","02:00:00:00:00:02",0],["serial","RACK7-",null,3600]]' \
                jq -c '.pools|map([.name,.first,.last,.rest])' <(iovctl pool list -o json)
        iovctl vadapter add a nic0
        iovctl vadapter add b nic0
        is $'02:00:00:00:00:01\n02:00:00:00:00:02' iovctl identity list -o identity -n --filter type=mac
        refuses 1 iovctl vadapter add c nic0
        says 'the pool of mac identities is used up'
        iovctl vadapter remove a --yes
        iovctl vadapter add c nic0
        is 02:00:00:00:00:01 iovctl identity list -o identity -n --filter type=mac --filter holder=c
        [[ $(iovctl vadapter list -o serial -n --filter name=c) == RACK7-* ]]
        refuses 2 iovctl pool add colour
        refuses 2 iovctl pool set mac first=03:00:00:00:00:01
        says 'group address'
        iovctl pool remove mac --yes
        iovctl vadapter add d nic0
        is web-disk iovctl vadapter list -o name --filter adapter=ssd0
}
