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

@test "lists show every kind of object" {
        is $'db01\nweb01' iovctl server list -o name
        is $'hba0\nhba1\nnic0\nnic1\nraid0\nssd0\nssd1' iovctl adapter list -o name
        is $'db-data\nweb-boot' iovctl volume list -o name
        is $'db-disk\nweb-disk' iovctl vadapter list -o name
}

@test "a table has headings, -n takes them away, columns can be picked" {
        is $'NAME     ADAPTER SIZE\ndb-data  ssd1    1GiB\nweb-boot ssd0    1GiB' iovctl volume list -o name,adapter,size
        is $'db-data  ssd1    1GiB\nweb-boot ssd0    1GiB' iovctl volume list -n -o name,adapter,size
        is $'1GiB db-data\n1GiB web-boot' iovctl -n volume list -o SIZE,Name
        is $'1073741824 db-data\n1073741824 web-boot' iovctl -n volume list -o size,name --bytes
}

@test "JSON has an object as root, arrays, and numbers in base units" {
        is 1 json .schema iovctl server list -o json
        is '["db01","web01"]' json '[.servers[].name]' iovctl server list -o json
        is 1073741824 json '.volumes[0].size' iovctl volume list -o json
        is '[{"nsid":1,"volume":"web-boot","size":1073741824}]' json '.vadapters[0].namespaces' iovctl vadapter show web-disk -o json
        is '"number"' json '.vadapters[0].counters.read_ops|type' iovctl vadapter show web-disk -o json
        is '[false,10000000000,null]' json '.adapters[]|select(.name=="nic0")|[.supported,.rate,.capacity]' iovctl adapter list -o json
}

@test "JSON is a superset of the wide table" {
        local object column
        for object in server adapter volume vadapter; do
                for column in $(iovctl "$object" list -o wide | head -1 | tr '[:upper:]' '[:lower:]'); do
                        json "first(.[]|arrays)|map(has(\"$column\"))|all" iovctl "$object" list -o json
                done
        done
}

@test "an empty list is an empty array, and an empty table" {
        iovprov apply -q --prune --yes <<< $'version: 1\nkind: topology'
        is '[]' json .vadapters iovctl vadapter list -o json
        is '' iovctl vadapter list
        is $'schema: 1\nvadapters: []' iovctl vadapter list -o yaml
}

@test "YAML output says the same as JSON" {
        iovctl volume show web-boot -o yaml > out
        grep -qx 'schema: 1' out
        grep -qx 'volumes:' out
        grep -qx -- '- name: web-boot' out
        grep -qx '  size: 1073741824' out
}

@test "show prints one object, its namespaces and counters" {
        run -0 iovctl vadapter show web-disk
        [[ ${lines[0]} =~ ^name:\ +web-disk$ ]]
        [[ $output == *'web-boot 1GiB'* && $output == *'read_ops:'* ]]
        run -0 iovctl server show web01
        [[ $output =~ 0\ web-disk\ ssd0 ]]
        fails 1 iovctl vadapter show nobody
        says "nobody: no such vAdapter"
}

@test "words may be shortened while they are unambiguous" {
        is $'db01\nweb01' iovctl s l -o name
        is $'db-disk\nweb-disk' iovctl vad li -o name
        fails 2 iovctl v list
        says "could be volume, vadapter"
}

@test "detach and attach move a vAdapter" {
        is '' iovctl vadapter detach web-disk
        is '[null,null]' json '.vadapters[0]|[.server,.slot]' iovctl vadapter show web-disk -o json
        is '' iovctl vadapter detach web-disk
        is '' iovctl vadapter attach web-disk web01 3
        is '["web01",3]' json '.vadapters[0]|[.server,.slot]' iovctl vadapter show web-disk -o json
        is '' iovctl vadapter attach web-disk web01 3
        is '' iovctl vadapter attach web-disk web01
}

@test "attach takes the first free slot" {
        iovctl vadapter detach db-disk
        iovctl vadapter attach db-disk web01
        is '["web01",1]' json '.vadapters[0]|[.server,.slot]' iovctl vadapter show db-disk -o json
}

@test "a dry run shows the change and makes none" {
        run -0 iovctl vadapter detach web-disk --dry-run
        [[ ${lines[0]} == '~ vadapter  web-disk  server web01 -> -, slot 0 -> -' ]]
        is '"web01"' json '.vadapters[0].server' iovctl vadapter show web-disk -o json
        is '[{"field":"server","have":"web01","want":null},{"field":"slot","have":0,"want":null}]' \
                json '.changes[0].fields' iovctl vadapter detach web-disk --dry-run -o json
}

@test "attach refuses what cannot be, and says what to do" {
        fails 1 iovctl vadapter attach web-disk db01
        says "web-disk: is attached to web01, slot 0; detach it first"
        iovctl vadapter detach db-disk
        fails 1 iovctl vadapter attach db-disk web01 0
        says "slot 0 is in use by web-disk"
        fails 2 iovctl vadapter attach db-disk web01 16
        says "slots 0 to 15"
        fails 2 iovctl vadapter attach db-disk web01 one
        fails 1 iovctl vadapter attach db-disk nowhere
        says "nowhere: no such server"
        fails 1 iovctl vadapter attach nothing web01
        says "nothing: no such vAdapter"
        fails 1 iovctl vadapter detach nothing
}

@test "a full server refuses another vAdapter" {
        {
                printf 'version: 1\nkind: topology\nvadapters:\n'
                for ((i = 0; i < 16; i++)); do
                        printf '  v%d: {adapter: ssd0, attach: {server: db01, slot: %d}}\n' "$i" "$i"
                done
        } > full.yaml
        iovctl vadapter detach db-disk
        iovprov apply -q full.yaml
        fails 1 iovctl vadapter attach db-disk db01
        says "all 16 slots are in use"
}

@test "two who plug at the same time both succeed" {
        local i pids=()
        printf 'version: 1\nkind: topology\nvadapters: {a: {adapter: ssd0}, b: {adapter: ssd0}, c: {adapter: ssd0}}\n' | iovprov apply -q
        # A simulator serves one at a time; a second is told so.
        is_live || return 0
        for i in a b c; do
                iovctl vadapter attach "$i" db01 3>&- &
                pids+=($!)
        done
        for i in "${pids[@]}"; do
                wait "$i"
        done
        is '[0,1,2,3]' json '[.vadapters[]|select(.server=="db01").slot]|sort' iovctl vadapter list -o json
}

@test "server args cables a guest" {
        if ! is_live; then
                fails 1 iovctl server args web01
                says "has no socket"
                return
        fi
        run -0 iovctl server args web01
        [[ ${lines[0]} == -device && ${lines[2]} == -device && ${#lines[@]} -eq 4 ]]
        [[ ${lines[1]} == pcie-root-port,id=iov0,bus=pcie.0,chassis=1,slot=0,io-reserve=0 ]]
        is '{"driver":"vfio-user-pci","id":"va-web-disk","bus":"iov0","socket":{"type":"unix","path":"'"$T"'/run/servers/web01/0.sock"}}' \
                jq -c . <<< "${lines[3]}"
        [[ -S $(jq -r .socket.path <<< "${lines[3]}") ]]
}

@test "server args --management cables the management function behind the slots" {
        if ! is_live; then
                fails 1 iovctl server args db01 --management
                return
        fi
        run -0 iovctl server args web01 --management
        [[ ${#lines[@]} -eq 8 && ${lines[5]} == pcie-root-port,id=iov-mgmt,bus=pcie.0,chassis=17,slot=16,io-reserve=0 ]]
        is '{"driver":"vfio-user-pci","id":"iov-management","bus":"iov-mgmt","socket":{"type":"unix","path":"'"$T"'/run/mgmt.sock"}}' \
                jq -c . <<< "${lines[7]}"
        iovctl vadapter detach web-disk
        is 4 json '.args|length' iovctl server args web01 --management -o json
}

@test "pci: without a management function: status 3, and what to do" {
        fails 3 iovctl server list -a pci:ff:1f.7
        fails 2 iovctl server list -a pci:nonsense
        says 'BUS:DEVICE.FUNCTION'
}

@test "what answers but is not the management function: status 3" {
        is_live || return 0
        fails 3 iovctl server list -a "unix:$T/run/servers/web01/0.sock"
        says 'not the management function'
}

@test "server args prints empty ports, one line for the shell, and JSON" {
        iovctl vadapter detach web-disk
        is '' iovctl server args web01
        is 4 json '.args|length' iovctl server args web01 --ports 2 -o json
        run -0 iovctl server args web01 -p 2 --shell
        [[ ${#lines[@]} -eq 1 ]]
        eval "set -- $output"
        [[ $# -eq 4 && $4 == pcie-root-port,id=iov1,bus=pcie.0,chassis=2,slot=1,io-reserve=0 ]]
        fails 2 iovctl server args web01 --ports 17
        fails 1 iovctl server args nowhere
}

@test "server args --shell survives the shell word by word" {
        is_live || return 0
        eval "set -- $(iovctl server args web01 --shell)"
        [[ $# -eq 4 ]]
        is "$4" sed -n 4p <(iovctl server args web01)
}
