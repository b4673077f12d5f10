#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
load common

setup() {
        appliance_setup
}

teardown() {
        appliance_teardown
}

@test "every example is applied, and a second apply changes nothing" {
        local file n=0
        for file in ./*.yaml; do
                grep -q '^kind: topology' "$file" || continue
                run -5 iovprov plan --prune "$file"
                iovprov apply -q --prune --yes "$file"
                is 'nothing to do' iovprov plan --prune "$file"
                is 'nothing to do' iovprov apply --prune "$file"
                doc | iovprov apply -q --prune --yes
                n=$((n + 1))
        done
        [[ $n -ge 3 ]]
}

@test "plan shows what is added, changed and removed, and exits with 5" {
        run -5 iovprov plan rack.yaml
        [[ ${lines[0]} =~ ^\+\ volume\ +db-data\  ]]
        [[ $output =~ $'\n'\+\ server\ +db01\ +link\ 1$'\n' ]]
        [[ ${lines[-1]} == '8 to add, 0 to change, 0 to remove' ]]
        iovprov apply -q rack.yaml
        doc 'volumes: {web-boot: {adapter: ssd0, size: 1GiB, on_remove: retain}}' > change.yaml
        run -5 iovprov plan change.yaml
        [[ ${lines[0]} == '~ volume    web-boot  on_remove delete -> retain' ]]
        [[ ${lines[1]} == '0 to add, 1 to change, 0 to remove' ]]
        doc > nothing.yaml
        run -5 iovprov plan --prune nothing.yaml
        [[ ${lines[-1]} == '0 to add, 0 to change, 8 to remove' ]]
        is 'nothing to do' iovprov plan nothing.yaml
}

@test "plan has JSON and YAML with typed fields" {
        run -5 iovprov plan rack.yaml -o json
        is '{"add":8,"change":0,"remove":0,"disturbed_servers":0}' jq -c .summary <<< "$output"
        is 1073741824 jq -c '.changes[]|select(.name=="web-boot").fields[]|select(.field=="size").want' <<< "$output"
        run -5 iovprov plan rack.yaml -o yaml
        [[ $output == *$'summary:\n  add: 8\n  change: 0\n  remove: 0\n  disturbed_servers: 0' ]]
        run -5 iovprov plan -q rack.yaml
        [[ -z $output ]]
}

@test "apply prints what it did, and -q nothing" {
        run -0 iovprov apply rack.yaml
        [[ ${lines[-1]} == '8 to add, 0 to change, 0 to remove' ]]
        iovctl vadapter detach web-disk
        is '' iovprov apply -q rack.yaml
        is '"web01"' json '.vadapters[0].server' iovctl vadapter show web-disk -o json
}

@test "a dry run changes nothing, but is checked by the appliance" {
        iovprov apply --dry-run rack.yaml
        is '' iovctl server list
        doc 'volumes: {big: {adapter: ssd0, size: 99TiB}}' > big.yaml
        refuses 1 iovprov apply --dry-run big.yaml
}

@test "standard input is read with - and without" {
        iovprov validate - < rack.yaml
        run -5 iovprov plan < rack.yaml
        iovprov apply -q < rack.yaml
        is 'nothing to do' iovprov plan < rack.yaml
        refuses 2 iovprov validate - <<< 'version: 2'
        says '<stdin>:1:'
}

@test "several files make one topology" {
        doc 'servers: {web01: {link: 0}}' > a.yaml
        doc 'volumes: {v: {adapter: ssd0, size: 1GiB}}' > b.yaml
        iovprov apply -q a.yaml b.yaml
        is web01 iovctl server list -o name
        is v iovctl volume list -o name
        refuses 2 iovprov validate a.yaml a.yaml
        says 'defined twice'
}

@test "removal needs --prune, and --yes where nobody can be asked" {
        iovprov apply -q rack.yaml
        doc 'servers: {web01: {link: 0}, db01: {link: 1}}' > less.yaml
        is 'nothing to do' iovprov apply less.yaml
        fails 2 iovprov apply --prune less.yaml
        says '--yes'
        is 2 json '.volumes|length' iovctl volume list -o json
        run -0 iovprov apply --prune --yes less.yaml
        [[ ${lines[-1]} == '0 to add, 0 to change, 6 to remove' ]]
        is '' iovctl volume list
}

@test "on a terminal removal is asked for" {
        iovprov apply -q rack.yaml
        doc > less.yaml
        run -1 script -qec 'iovprov apply --prune less.yaml' /dev/null <<< n
        [[ $output == *'Remove 8 objects? [y/N]'* ]]
        is 2 json '.volumes|length' iovctl volume list -o json
        run -0 script -qec 'iovprov apply --prune less.yaml' /dev/null <<< y
        is '[]' json '.volumes' iovctl volume list -o json
}

@test "a serial number of auto is kept" {
        local serial
        iovprov apply -q rack.yaml
        serial=$(iovctl vadapter show db-disk -o json | jq -er '.vadapters[0].serial')
        is 'nothing to do' iovprov apply rack.yaml
        is "\"$serial\"" json '.vadapters[0].serial' iovctl vadapter show db-disk -o json
}

@test "malformed YAML" {
        refuses 2 iovprov apply - <<< $'version: 1\nkind: topology\nservers: {web01: ['
        says '<stdin>:4:1: error: not valid YAML'
        refuses 2 iovprov validate - < /dev/null
        refuses 2 iovprov validate - < "$IOVD"
        is '' iovctl server list
}

@test "unknown keys, with a guess" {
        doc 'volumes:' '  v: {adapter: ssd0, siz: 1GiB}' > f.yaml
        refuses 2 iovprov apply f.yaml
        says 'f.yaml:4:22: error: unknown key "siz" in volume v; did you mean "size"?'
        says '  v: {adapter: ssd0, siz: 1GiB}'
        says '^~~'
}

@test "names that no file defines, with a guess" {
        doc 'servers: {alpha: {link: 1}}' 'volumes:' '  disk: {adapter: ssd0, size: 1GiB}' 'vadapters:' \
                '  v: {adapter: ssd0, namespaces: [{volume: disc}], attach: {server: alfa, slot: 0}}' > f.yaml
        iovprov validate f.yaml 2> said
        grep -F 'f.yaml:7:44: warning: no file defines volume disc; did you mean disk, at f.yaml:5:3?' said
        grep -F 'f.yaml:7:69: warning: no file defines server alfa; did you mean alpha, at f.yaml:3:11?' said
        refuses 2 iovprov apply f.yaml
        says 'f.yaml:7:69: error: neither a file nor the appliance has a server alfa; did you mean alpha, at f.yaml:3:11?'
}

@test "names that the appliance has are not guessed at" {
        doc 'servers: {alfa: {link: 1}}' | iovprov apply -q -
        doc 'servers: {alpha: {link: 2}}' 'vadapters:' '  v: {adapter: ssd0, attach: {server: alfa, slot: 0}}' > f.yaml
        iovprov apply -q f.yaml 2> said
        is '' cat said
}

@test "wrong and missing units" {
        local size
        for size in 64 64GB 64gib 1.5GiB -1GiB 0GiB 99999999999EiB; do
                doc 'volumes:' "  v: {adapter: ssd0, size: $size}" > f.yaml
                refuses 2 iovprov apply f.yaml
                says 'f.yaml:4:28: error: size:'
        done
}

@test "names defined twice, in one file and in two" {
        doc 'servers:' '  web01: {link: 0}' '  web01: {link: 1}' > f.yaml
        refuses 2 iovprov apply f.yaml
        says 'f.yaml:5:3: error: server web01 is defined twice; first at f.yaml:4:3'
}

@test "all errors of a file are told at once" {
        doc 'servers: {web01: {lnk: 0}}' 'volumes: {v: {adapter: ssd0, size: 64}}' > f.yaml
        refuses 2 iovprov validate f.yaml
        # shellcheck disable=SC2154
        [[ $(grep -c 'error:' <<< "$stderr") -ge 2 ]]
}

@test "errors as JSON" {
        doc 'volumes: {v: {adapter: ssd0, size: 64}}' > f.yaml
        refuses 2 iovprov apply f.yaml -o json
        is '["error","f.yaml",3,36]' jq -c '.errors[0]|[.severity,.file,.line,.column]' <<< "$stderr"
        doc 'volumes: {v: {adapter: ssd0, size: 99TiB}}' > f.yaml
        refuses 1 iovprov apply f.yaml -o json
        is '["f.yaml",3]' jq -c '.errors[0]|[.file,.line]' <<< "$stderr"
}

@test "a volume larger than what is free is refused at its line, and nothing is applied" {
        doc 'servers: {web01: {link: 0}}' 'volumes:' '  big: {adapter: ssd0, size: 99TiB}' > f.yaml
        refuses 1 iovprov apply f.yaml
        says 'f.yaml:5:3: error: volume big: 99TiB asked, 1600GiB free on ssd0'
        is '' iovctl server list
}

@test "an adapter that does not exist" {
        doc 'vadapters:' '  v: {adapter: nic7}' > f.yaml
        refuses 2 iovprov apply f.yaml
        says 'f.yaml:4:16: error: the appliance has no adapter nic7'
}

@test "a refusal of what does not change itself is at its place, too" {
        iovprov apply -q rack.yaml
        sed 's/web-boot: {adapter: ssd0/web-boot: {adapter: ssd1/' rack.yaml > f.yaml
        refuses 2 iovprov apply f.yaml
        says 'f.yaml:15:'
        says 'error: namespace web-disk/1: volume web-boot is on ssd1, vadapter web-disk on ssd0'
}

@test "names that nobody has are told by plan and apply, all of them, with what was meant" {
        iovprov apply -q rack.yaml
        doc 'volumes: {data: {adapter: sd0, size: 1GiB}}' 'vadapters:' \
                '  v: {adapter: ssd0, qos: gold, namespaces: [{volume: dtaa}], attach: {server: webb01, slot: 5}}' > f.yaml
        iovprov validate f.yaml 2> warnings
        grep -F 'f.yaml:5:55: warning: no file defines volume dtaa; did you mean data, at f.yaml:3:11?' warnings
        local command
        for command in plan apply status; do
                refuses 2 iovprov "$command" f.yaml
                says 'f.yaml:3:27: error: the appliance has no adapter sd0; did you mean ssd0?'
                says 'f.yaml:5:27: error: neither a file nor the appliance has a qos gold'
                says 'f.yaml:5:55: error: neither a file nor the appliance has a volume dtaa; did you mean data, at f.yaml:3:11?'
                says 'f.yaml:5:80: error: neither a file nor the appliance has a server webb01; did you mean web01?'
        done
        refuses 2 iovprov plan -o json f.yaml
        is 4 jq '.errors | length' <<< "$stderr"
        # What only the appliance has may be referred to.
        doc 'vadapters:' '  v: {adapter: ssd0, attach: {server: web01, slot: 5}}' > g.yaml
        iovprov apply -q g.yaml
}

@test "kinds of adapters that this version has no model for" {
        local adapter
        for adapter in nic0 hba0 raid0; do
                doc 'servers: {s: {link: 0}}' 'vadapters:' "  v: {adapter: $adapter, attach: {server: s, slot: 0}}" > f.yaml
                refuses 1 iovprov apply f.yaml
                says 'not yet'
        done
}

@test "a slot in use, in the file and on the appliance" {
        doc 'servers: {s: {link: 0}}' 'vadapters:' '  a: {adapter: ssd0, attach: {server: s, slot: 1}}' \
                '  b: {adapter: ssd0, attach: {server: s, slot: 1}}' > f.yaml
        refuses 2 iovprov apply f.yaml
        says 'f.yaml:6:48: error: slot 1 of server s has a vAdapter already'
        sed -i '$d' f.yaml
        iovprov apply -q f.yaml
        doc 'vadapters:' '  b: {adapter: ssd0, attach: {server: s, slot: 1}}' > g.yaml
        refuses 1 iovprov apply g.yaml
        says 'g.yaml:4:3: error: '
        says 'is taken by a'
}

@test "a link, a serial number and a volume in use" {
        iovprov apply -q rack.yaml
        doc 'servers:' '  other: {link: 0}' > f.yaml
        refuses 1 iovprov apply f.yaml
        says 'other: link 0'
        doc 'vadapters:' '  other: {adapter: ssd0, persona: {serial: WEB01DISK}}' > f.yaml
        refuses 1 iovprov apply f.yaml
        says 'WEB01DISK'
}

@test "files that are not there, and directories" {
        fails 1 iovprov validate missing.yaml
        says 'missing.yaml: No such file or directory'
        mkdir rack.d
        fails 2 iovprov validate rack.d
        says 'rack.d: there is no *.yaml or *.yml in this directory'
        doc 'servers: {web01: {link: 0}}' > rack.d/a.yaml
        doc 'volumes: {v: {adapter: ssd0, size: 1GiB}}' > rack.d/b.yml
        echo nonsense | tee rack.d/.hidden.yaml rack.d/README > rack.d/c.yaml~
        iovprov apply -q rack.d
        is web01 iovctl server list -o name
        is v iovctl volume list -o name
        is 'nothing to do' iovprov status rack.d/
        # With a file besides, and errors in both.
        doc 'servers: {web01: {link: 1}}' > more.yaml
        refuses 2 iovprov validate more.yaml rack.d
        says 'rack.d/a.yaml:3:11: error: server web01 is defined twice; first at more.yaml:3:11'
        refuses 2 iovprov validate more.yaml rack.d -o json
        is '["rack.d/a.yaml",3,"first here","more.yaml",3,11]' \
                jq -c '.errors[0]|[.file,.line,.related.message,.related.file,.related.line,.related.column]' <<< "$stderr"
}

@test "validate takes chassis too, and needs no appliance" {
        IOV_APPLIANCE=unix:/nonexistent iovprov validate chassis.yaml rack.yaml
        sed 's/10Gbit/10/' chassis.yaml > bad.yaml
        refuses 2 iovprov validate bad.yaml
        says 'bad.yaml:9:'
}

@test "a thousand objects are one transaction" {
        {
                doc 'volumes:'
                for ((i = 0; i < 1000; i++)); do
                        printf '  v%d: {adapter: ssd0, size: 1MiB}\n' "$i"
                done
        } > many.yaml
        iovprov apply -q many.yaml
        is 1000 json '.volumes|length' iovctl volume list -o json
        is 'nothing to do' iovprov apply many.yaml
}

@test "what was applied is still there later" {
        iovprov apply -q rack.yaml
        if is_live; then
                iovd_stop
                iovd_start
        fi
        is 'nothing to do' iovprov plan --prune rack.yaml
}

# volume SIZE: a topology of one.
volume() {
        doc "volumes: {v: {adapter: ssd0, size: $1}}"
}

@test "history tells what was committed, by whom and when" {
        local before after
        is '[0]' json '[.generations[].generation]' iovprov history -o json
        before=$(date -u +%FT%TZ)
        iovprov apply -q rack.yaml
        iovctl vadapter detach web-disk
        after=$(date -u +%FT%TZ)
        is $'2\n1\n0' iovprov history -o name
        is '[2,8,1,true]' json '.generations[0]|[.generation,.objects,.changes,.current]' iovprov history -o json
        is "[$(id -u),8,8,false]" json '.generations[1]|[.uid,.objects,.changes,.current]' iovprov history -o json
        is '[null,"iovd",0]' json '.generations[2]|[.time,.user,.objects]' iovprov history -o json
        time=$(iovprov history -o json | jq -r '.generations[0].time')
        [[ ! $time < $before && ! $time > $after ]]
        # What changes nothing is no generation.
        iovprov apply -q --dry-run rack.yaml
        iovctl vadapter detach web-disk || true
        is 3 json '.generations|length' iovprov history -o json
        if is_live; then
                iovd_stop
                iovd_start
                is $'2\n1\n0' iovprov history -o name
        fi
}

@test "show prints a generation, and what it changed" {
        iovprov apply -q rack.yaml
        iovprov export > one.yaml
        iovctl vadapter detach web-disk
        is "$(< one.yaml)" iovprov show 1
        is "$(iovprov export)" iovprov show 2
        is $'~ vadapter  web-disk  server web01 -> -, slot 0 -> -\n0 to add, 1 to change, 0 to remove' iovprov show 2 -o diff
        run -0 iovprov show 1 -o diff
        [[ ${lines[-1]} == '8 to add, 0 to change, 0 to remove' ]]
        is $'version: 1\nkind: topology' iovprov show 0
        fails 1 iovprov show 0 -o diff
        says 'no generation before 0'
        fails 1 iovprov show 3
        says 'generation 3: it is not in the history'
        for word in -- -1 x 1x '' 18446744073709551616; do
                fails 2 iovprov show "$word"
        done
}

@test "rollback goes back one, or to any generation, and a second one takes it back" {
        local one two
        iovprov apply -q rack.yaml
        one=$(iovprov export)
        iovctl vadapter detach web-disk
        two=$(iovprov export)
        is $'~ vadapter  web-disk  server - -> web01, slot - -> 0\n0 to add, 1 to change, 0 to remove' iovprov rollback --dry-run
        is "$two" iovprov export
        is '' iovprov rollback -q
        is "$one" iovprov export
        iovprov rollback -q
        is "$two" iovprov export
        fails 2 iovprov rollback 0
        says '--yes'
        run -0 iovprov rollback --yes 0
        [[ ${lines[-1]} == '0 to add, 0 to change, 8 to remove' ]]
        is '' iovctl server list
        is '' iovprov rollback -q 1
        # The identities too, also those that the appliance chose.
        is "$one" iovprov export
        is 'nothing to do' iovprov rollback 1
        fails 1 iovprov rollback 77
        says 'not in the history'
}

@test "there is nothing to roll back on a new appliance" {
        fails 1 iovprov rollback
        says 'no generation before 0'
        is 'nothing to do' iovprov rollback 0
}

@test "a rollback that the appliance refuses changes nothing" {
        volume 1GiB | iovprov apply -q
        doc | iovprov apply -q --prune --yes
        doc "volumes: {v: {adapter: ssd1, size: 1GiB}}" | iovprov apply -q
        refuses 1 iovprov rollback 1
        says 'it is on ssd1 and cannot move to ssd0'
        is '"ssd1"' json '.volumes[0].adapter' iovctl volume list -o json
        is 4 json '.generations|length' iovprov history -o json
}

@test "a volume shrinks only where somebody agrees" {
        volume 1GiB | iovprov apply -q
        volume 2GiB | iovprov apply -q
        volume 1GiB > f.yaml
        for command in 'apply f.yaml' rollback; do
                # shellcheck disable=SC2086
                fails 2 iovprov $command
                says 'volume v would shrink from 2GiB to 1GiB and lose what is behind; --yes is needed'
                is 2147483648 json '.volumes[0].size' iovctl volume list -o json
        done
        run -1 script -qec 'iovprov apply f.yaml' /dev/null <<< n
        [[ $output == *'~ volume v would shrink from 2GiB to 1GiB and lose what is behind'*'Shrink 1 volume? [y/N]'* ]]
        run -5 iovprov plan f.yaml
        [[ ${lines[0]} == '~ volume    v  size 2GiB -> 1GiB' ]]
        iovprov apply -q --yes f.yaml
        is 1073741824 json '.volumes[0].size' iovctl volume list -o json
        iovprov rollback -q
        iovprov rollback -q --yes
        is 1073741824 json '.volumes[0].size' iovctl volume list -o json
}

@test "data stays behind a move, unless it is to be scrubbed" {
        is_live || skip "only what is plugged has data"
        iovprov apply -q --wait rack.yaml
        # image: the file of web-boot.
        image() {
                echo state/media/ssd0/"$(iovctl volume show web-boot -o json | jq -r '.volumes[0].id')".img
        }
        local first
        first=$(image)
        echo secret > "$first"
        sed 's/attach: {server: web01, slot: 0}/attach: {server: db01, slot: 1}/' rack.yaml > moved.yaml
        iovprov apply -q --wait moved.yaml
        is "$first" image
        is secret cat "$first"
        iovprov apply -q --wait --scrub rack.yaml
        [[ $(image) != "$first" && ! -e $first ]]
        is '' cat "$(image)"
        is 'nothing to do' iovprov status rack.yaml
        # What was to be retained is kept aside.
        first=state/media/ssd1/$(iovctl volume show db-data -o json | jq -r '.volumes[0].id').img
        echo precious > "$first"
        sed 's/attach: {server: db01, slot: 0}/attach: {server: web01, slot: 1}/' rack.yaml > moved.yaml
        iovprov apply -q --wait --scrub moved.yaml
        [[ ! -e $first ]]
        is precious cat state/media/ssd1/retained/db-data-*.img
}

@test "a damaged generation is told, and the others can be read" {
        volume 1GiB | iovprov apply -q
        volume 2GiB | iovprov apply -q
        volume 3GiB | iovprov apply -q
        printf x | dd of=state/history/2 bs=1 seek=200 conv=notrunc status=none
        fails 1 iovprov show 2
        says 'damaged'
        [[ $(iovprov show 1) == *1GiB* ]]
        truncate -s 100 state/history/1
        fails 1 iovprov rollback 1
        says 'damaged'
}

@test "the history is bounded" {
        local i
        for ((i = 1; i <= 66; i++)); do
                volume "${i}GiB" | iovprov apply -q
        done
        is 64 json '.generations|length' iovprov history -o json
        is '[66,3]' json '[.generations[0,-1].generation]' iovprov history -o json
        is 64 bash -c 'ls state/history | wc -l'
        [[ $(iovprov show 3) == *3GiB* ]]
        fails 1 iovprov show 2
}

@test "a large generation comes in pieces and whole" {
        {
                doc 'volumes:'
                for ((i = 0; i < 1000; i++)); do
                        printf '  v%d: {adapter: ssd0, size: 1MiB}\n' "$i"
                done
        } > many.yaml
        iovprov apply -q many.yaml
        is "$(iovprov export)" iovprov show 1
        doc | iovprov apply -q --prune --yes
        iovprov rollback -q
        is 'nothing to do' iovprov plan many.yaml
}

@test "status compares the whole appliance with the files" {
        iovprov apply -q rack.yaml
        is 'nothing to do' iovprov status rack.yaml
        iovctl vadapter detach web-disk
        run -5 iovprov status rack.yaml
        [[ ${lines[0]} == '~ vadapter  web-disk  server - -> web01, slot - -> 0' ]]
        run -5 iovprov status -q rack.yaml
        [[ -z $output ]]
        iovprov apply -q rack.yaml
        # Unlike plan, what the files do not name is a difference.
        doc 'servers: {web01: {link: 0}}' > less.yaml
        is 'nothing to do' iovprov plan less.yaml
        run -5 iovprov status less.yaml
        [[ ${lines[-1]} == '0 to add, 0 to change, 7 to remove' ]]
        refuses 2 iovprov status - <<< 'version: 2'
}

@test "what is exported is the topology that makes it" {
        iovprov apply -q rack.yaml
        iovprov export > one.yaml
        is 'nothing to do' iovprov status one.yaml
        is "$(< one.yaml)" iovdump topology
        doc | iovprov apply -q --prune --yes
        iovprov apply -q one.yaml
        is "$(< one.yaml)" iovprov export
}
