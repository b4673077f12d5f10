#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Plans judged by the appliance: all that apply would be refused for, where it is in the files, and nothing changed by asking.
load common

setup() {
        appliance_setup
}

teardown() {
        appliance_teardown
}

# All that there is to change: names, sizes, blocks and bytes of the state directory, and what the tools can see.
picture() {
        (
                cd state || return
                find . -mindepth 1 ! -name lock -printf '%p %y %s %i %b\n' | sort
                find . -type f ! -name lock -print0 | sort -z | xargs -0 sha256sum
        )
        iovprov export
        iovprov history -o json
        iovctl identity list -o json
        iovctl vadapter list -o json
        iovctl adapter list -o json
        ! is_live || iovctl event list -o json
}

several() {
        doc 'servers:' '  app01: {link: 5}' '  app02: {link: 99}' 'volumes:' '  large: {adapter: ssd0, size: 900TiB}' \
                '  ok: {adapter: ssd0, size: 4MiB}' 'vadapters:' '  taken: {adapter: ssd0, attach: {server: web01, slot: 0}}' \
                '  far: {adapter: ssd0, attach: {server: app01, slot: 77}, namespaces: [{nsid: 1, volume: ok}]}' > several.yaml
}

@test "a plan tells all that it would be refused for, at its place, and has the exit status of that" {
        iovprov apply -q rack.yaml
        several
        picture > before
        run -1 --separate-stderr iovprov plan several.yaml
        [[ ${lines[-1]} == '7 to add, 0 to change, 0 to remove' ]]
        plan=$stderr
        says $'several.yaml:5:3: error: server app02: link 99 asked, the chassis has links 0 to 15\n  app02: {link: 99}\n  ^~~~~'
        says 'several.yaml:7:3: error: volume large: 900TiB asked'
        says 'several.yaml:10:3: error: taken: slot 0 of server web01 is taken by web-disk'
        says 'several.yaml:11:3: error: vadapter far: slot 77 asked'
        is 4 grep -c ': error: ' <<< "$plan"
        # The same words from those who would do it.
        refuses 1 iovprov apply several.yaml --dry-run
        [[ $stderr == "$plan" ]]
        refuses 1 iovprov apply several.yaml
        [[ $stderr == "$plan" ]]
        refuses 1 iovprov plan -q several.yaml
        [[ $stderr == "$plan" ]]
        picture > after
        diff before after
        # A status compares, and asks nobody.
        run -5 --separate-stderr iovprov status several.yaml
        [[ -z $stderr ]]
}

@test "a plan that is good is pending, and asking has changed nothing" {
        iovprov apply -q rack.yaml
        # What would draw identities, set space aside, and make files and directories.
        doc 'volumes: {f: {adapter: ssd1, size: 8MiB, provisioning: full}}' \
                'vadapters: {v: {adapter: ssd1, namespaces: [{nsid: 1, volume: f}]}, n: {adapter: nic0}}' > good.yaml
        picture > before
        run -5 --separate-stderr iovprov plan good.yaml
        [[ -z $stderr ]]
        run -5 iovprov plan good.yaml -o json
        is '[true,[]]' jq -c '[.judged,.refusals]' <<< "$output"
        iovprov apply good.yaml --dry-run > /dev/null
        iovctl volume add g ssd1 1MiB --provisioning full --dry-run
        run -0 iovprov plan rack.yaml -o json
        is '[true,[]]' jq -c '[.judged,.refusals]' <<< "$output"
        picture > after
        diff before after
        iovprov apply -q good.yaml
        iovprov plan good.yaml
}

@test "documents have the refusals, too, and are taken by apply none the less" {
        doc 'servers: {a: {link: 99}}' 'volumes:' '  v: {adapter: ssd0, size: 1MiB}' > bad.yaml
        run -1 --separate-stderr iovprov plan bad.yaml -o json
        is '[true,1,"server","a","bad.yaml",3,11]' \
                jq -c '[.judged,(.refusals|length)]+(.refusals[0]|[.kind,.name,.file,.line,.column])' <<< "$output"
        is '"server a: link 99 asked, the chassis has links 0 to 15"' jq '.refusals[0].message' <<< "$output"
        is '["bad.yaml",3,11]' jq -c '.errors[0]|[.file,.line,.column]' <<< "$stderr"
        run -1 --separate-stderr iovprov plan bad.yaml -o yaml
        cat <<< "$output" > saved.yaml
        python3 -c 'import json, sys, jsonschema, yaml
with open(sys.argv[1]) as f:
    jsonschema.Draft7Validator(json.load(f)).validate(yaml.safe_load(sys.stdin))' \
                "$IOV_SOURCE/lib/yaml/plan.schema.json" < saved.yaml
        iovprov validate saved.yaml
        # It is judged anew, by the appliance of then.
        is_live || return 0
        refuses 1 iovprov apply --plan saved.yaml
        says 'saved.yaml:'
        says 'link 99 asked'
}

@test "there is an end to what is told, and the rest is counted" {
        local i
        {
                doc 'servers:'
                for ((i = 16; i < 56; i++)); do
                        printf '  s%d: {link: %d}\n' "$i" "$i"
                done
        } > many.yaml
        run -1 --separate-stderr iovprov plan many.yaml
        is 16 grep -c ': error: server s' <<< "$stderr"
        says 'iovprov: and 24 more reasons'
        run -1 --separate-stderr iovprov plan many.yaml -o json
        is '[16,24]' jq -c '[(.refusals|length),.more_refusals]' <<< "$output"
        refuses 1 iovctl server add s 99
        is 1 grep -c . <<< "$stderr"
}

@test "space that is to be set aside is looked at" {
        doc 'volumes:' '  small: {adapter: ssd0, size: 1MiB, provisioning: full}' \
                '  huge: {adapter: ssd0, size: 512PiB, provisioning: full}' > full.yaml
        appliance_has '{ssd0: {kind: ssd, capacity: 1EiB}}'
        iovprov export > /dev/null # the first look makes the state
        picture > before
        run -1 --separate-stderr iovprov plan full.yaml
        says 'full.yaml:5:3: error: volume huge: provisioning full needs 512PiB'
        is 1 grep -c ': error: ' <<< "$stderr"
        fails 1 iovctl volume add x ssd0 512PiB --provisioning full --dry-run
        picture > after
        diff before after
        [[ ! -e state/media/ssd0 ]]
}

@test "identities that are taken, or rest, are told" {
        doc 'vadapters:' '  a: {adapter: ssd0, persona: {serial: TAKEN}}' '  b: {adapter: ssd0, persona: {serial: RESTS}}' > a.yaml
        iovprov apply -q a.yaml
        iovctl vadapter remove b --yes
        doc 'vadapters:' '  c: {adapter: ssd0, persona: {serial: TAKEN}}' '  d: {adapter: ssd0, persona: {serial: RESTS}}' > b.yaml
        run -1 --separate-stderr iovprov plan b.yaml
        says 'b.yaml:4:3: error: c: serial TAKEN is taken by a'
        says "b.yaml:5:3: error: vadapter d: serial RESTS was b's until lately"
        sed -i /TAKEN/d b.yaml
        run -1 iovprov plan b.yaml
        run -5 iovprov plan b.yaml --force
        iovprov apply -q b.yaml --force
}

@test "an appliance of an earlier release is not asked, and a line says so" {
        ! is_live || return 0
        doc 'servers: {a: {link: 1}}' > a.yaml
        export IOVD=$IOV_BUILD/tests/unit/fake-iovd FAKE_IOVD=earlier
        mkdir -p state
        run -5 --separate-stderr iovprov plan a.yaml
        is 1 grep -c . <<< "$stderr"
        says 'the plan was not judged'
        [[ ${lines[0]} == '+ server    a  link 1' ]]
        run -5 --separate-stderr iovprov plan a.yaml -o json
        is '[false,[]]' jq -c '[.judged,.refusals]' <<< "$output"
        # One that does is asked.
        FAKE_IOVD=refuses
        run -1 --separate-stderr iovprov plan a.yaml
        says 'a.yaml:3:11: error: no'
        says 'iovprov: and 41 more reasons'
}
