#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Plans that are saved and applied later, what refuses them, and waiting for what was applied.
load common

setup() {
        appliance_setup
}

teardown() {
        appliance_teardown
}

@test "a saved plan is what is applied, for every example, as YAML and as JSON" {
        local file format n=0
        for file in ./*.yaml; do
                grep -q '^kind: topology' "$file" || continue
                for format in yaml json; do
                        run -5 iovprov plan -o "$format" --prune "$file"
                        printf '%s\n' "$output" > saved
                        iovprov validate "$file"
                        iovprov apply -q --plan saved
                        is 'nothing to do' iovprov status "$file"
                        # And away again, by a plan too.
                        doc | iovprov plan -o "$format" --prune > saved || [[ $? -eq 5 ]]
                        fails 2 iovprov apply --plan saved
                        says '--yes'
                        iovprov apply -q --plan saved --yes
                        is $'version: 1\nkind: topology' iovprov export
                        n=$((n + 1))
                done
        done
        [[ $n -ge 6 ]]
}

# conforms KIND: what is on standard input, as YAML or JSON, is what the schema of that kind says.
conforms() {
        python3 -c 'import json, sys, jsonschema, yaml
with open(sys.argv[1], encoding="utf-8") as f:
    jsonschema.Draft7Validator(json.load(f)).validate(yaml.safe_load(sys.stdin))' "$IOV_SOURCE/lib/yaml/$1.schema.json"
}

@test "plans and states are what their schemas say" {
        iovprov plan -o yaml all-keys.yaml > saved || [[ $? -eq 5 ]]
        conforms plan < saved
        iovprov plan -o json rack.yaml > saved || [[ $? -eq 5 ]]
        conforms plan < saved
        sed -i s/generation/generatoin/ saved
        run ! conforms plan < saved
        iovdump state | conforms state
        iovprov apply -q rack.yaml
        iovdump state -o json | conforms state
        iovdump state > state.yaml
        conforms state < state.yaml
        [[ $(head -n 2 state.yaml) == $'version: 1\nkind: state' ]]
        is '["web01","db01"]' json '[.servers[].name]|sort|reverse' iovdump state -o json
        is 1 json .generation iovdump state -o json
        # Events are of an iovd that stays.
        if is_live; then
                iovctl event list -o yaml > events.yaml
                conforms events < events.yaml
                [[ $(head -n 2 events.yaml) == $'version: 1\nkind: events' ]]
        fi
        refuses 2 iovprov validate state.yaml
        says 'kind: "state" is what an appliance was like'
}

@test "its header says what it is, for which appliance and generation" {
        iovctl server add web01 3
        run -5 iovprov plan -o yaml rack.yaml
        [[ $output == $'version: 1\nkind: plan\ngeneration: 1\nappliance:\n  id: "'* || $output == $'version: 1\nkind: plan\ngeneration: 1\nappliance:\n  id: '* ]]
        printf '%s\n' "$output" > saved.yaml
        iovprov validate saved.yaml
        run -5 iovprov plan -o json rack.yaml
        is '[1,1,"plan",1]' jq -c '[.schema,.version,.kind,.generation]' <<< "$output"
        [[ $(jq -r .appliance.id <<< "$output") == "$(< state/id)" ]]
}

@test "a plan is refused where the appliance has moved on" {
        iovprov plan -o yaml rack.yaml > saved.yaml || [[ $? -eq 5 ]]
        iovctl server add other 7
        fails 1 iovprov apply --plan saved.yaml
        says 'saved.yaml: it was made for generation 0, and the appliance is at 1 now; nothing was applied: plan again'
        is other iovctl server list -o name
        # Back to the same content is another generation still.
        iovctl server remove --yes other
        fails 1 iovprov apply --plan saved.yaml
        # A plan is applied once.
        iovprov plan -o yaml rack.yaml > saved.yaml || [[ $? -eq 5 ]]
        iovprov apply -q --plan saved.yaml
        fails 1 iovprov apply --plan saved.yaml
}

@test "a plan is refused by another appliance" {
        iovprov plan -o yaml rack.yaml > saved.yaml || [[ $? -eq 5 ]]
        fails 1 iovprov -a "sim:$T/other" apply --plan saved.yaml
        says 'saved.yaml: it was made for another appliance'
        # The same one after a restart is the same.
        if is_live; then
                iovd_stop
                iovd_start
        fi
        iovprov apply -q --plan saved.yaml
}

@test "what a plan takes to be there must be there" {
        local id
        iovprov apply -q rack.yaml
        id=$(< state/id)
        # plan STEP...: a plan with these steps.
        plan() {
                printf 'version: 1\nkind: plan\ngeneration: 1\nappliance: {id: "%s"}\nchanges:\n' "$id"
                printf '%s\n' "$@"
        }
        plan '- {action: add, kind: server, name: web01, fields: [{field: link, have: null, want: 5}]}' > p.yaml
        refuses 1 iovprov apply --plan p.yaml
        says 'p.yaml:6:37: error: server web01: is there already; the appliance has moved on: plan again'
        plan '- {action: change, kind: server, name: web01, fields: [{field: link, have: 4, want: 5}]}' > p.yaml
        refuses 1 iovprov apply --plan p.yaml
        says 'link is not what the plan takes it for'
        plan '- {action: remove, kind: server, name: nobody}' > p.yaml
        refuses 1 iovprov apply --yes --plan p.yaml
        says 'server nobody: is not there'
        plan '- {action: change, kind: server, name: web01, fields: [{field: link, have: 0, want: 5}]}' > p.yaml
        is $'~ server    web01  link 0 -> 5\n0 to add, 1 to change, 0 to remove' iovprov apply --plan p.yaml
        # Refusals by the appliance point at the step.
        iovprov plan -o yaml rack.yaml > saved.yaml || [[ $? -eq 5 ]]
        sed 's/want: 0$/want: 1/' saved.yaml > p.yaml
        refuses 1 iovprov apply --plan p.yaml
        says 'p.yaml:'
        says 'link 1'
}

@test "hostile plans are told where they are wrong" {
        local id=00112233445566778899aabbccddeeff line expected
        while IFS='|' read -r line expected; do
                printf 'version: 1\nkind: plan\ngeneration: 1\nappliance: {id: "%s"}\nchanges:\n%s\n' "$id" "$line" > p.yaml
                refuses 2 iovprov apply --plan p.yaml
                says "p.yaml:$expected"
                refuses 2 iovprov validate p.yaml
        done <<'END'
- {action: ad, kind: server, name: s}|6:3: error: action: "ad" is not one of
- {action: add, kind: servr, name: s}|6:23: error: kind: "servr" is not a kind
- {action: add, kind: adapter, name: s}|6:23: error: kind: "adapter" is not a kind
- {action: add, kind: server, name: "a b"}|6:37: error: name: "a b" cannot be the name
- {action: add, kind: namespace, name: v}|6:40: error: name: "v" cannot be the name
- {action: add, kind: namespace, name: "v/-1"}|6:40: error: name: "v/-1" cannot be the name
- {action: add, kind: pool, name: gold}|6:35: error: name: "gold" cannot be the name
- {action: add, kind: server}|6:3: error: step needs "name"
- {action: add, kind: server, name: s, filds: []}|6:40: error: unknown key "filds" in step; did you mean "fields"?
- {action: change, kind: server, name: s}|6:40: error: server s: what is changed in it is not told
- {action: add, kind: server, name: s, fields: [{field: state, have: null, want: 1}]}|6:49: error: field: a server has no field "state"
- {action: add, kind: server, name: s, fields: [{field: link, have: 1, want: 1}]}|6:49: error: link: what is added has no "have"
- {action: remove, kind: server, name: s, fields: [{field: link, have: 1, want: 1}]}|6:52: error: link: what is removed has no "want"
- {action: add, kind: server, name: s, fields: [{field: link, have: null, want: 4294967296}]}|6:81: error: link: 4294967296 is more than 32 bits hold
- {action: add, kind: server, name: s, fields: [{field: link, have: null, want: x}]}|6:81: error: link: a number wanted
- {action: add, kind: server, name: s, fields: [{field: link, have: null}]}|6:49: error: field needs "want"
- {action: add, kind: server, name: s, fields: [{field: profile, have: null, want: 12}]}|6:84: error: profile: text wanted
- {action: add, kind: server, name: s, fields: [{field: link, have: null, want: 1}, {field: link, have: null, want: 2}]}|6:85: error: field: link is here twice
- {action: add, kind: volume, name: v, fields: [{field: on_remove, have: null, want: shred}]}|6:86: error: on_remove: "shred" is not one of its words
- {action: add, kind: network, name: v, fields: [{field: vlans, have: null, want: "10-5"}]}|6:83: error: vlans: "10-5" is not a list
END
        printf 'version: 1\nkind: plan\ngeneration: 1\nappliance: {id: "xyz"}\nchanges: []\n' > p.yaml
        refuses 2 iovprov apply --plan p.yaml
        says 'p.yaml:4:17: error: id: "xyz" is not 32 hexadecimal digits'
        printf 'version: 1\nkind: plan\ngeneration: -1\nchanges: {}\n' > p.yaml
        refuses 2 iovprov apply --plan p.yaml
        says 'p.yaml:3:13: error: generation: -1 is not in'
        says 'plan needs "appliance"'
        refuses 2 iovprov apply --plan rack.yaml
        says 'rack.yaml:3:7: error: kind: "topology" is what an operator wants'
        printf 'version: 1\nkind: plan\n- {action: add, kind: server, name: s}\n%s' "$id" | refuses 2 iovprov apply --plan -
}

@test "two steps for one object" {
        printf 'version: 1\nkind: plan\ngeneration: 1\nappliance: {id: "%032d"}\nchanges:\n%s\n%s\n' 0 \
                '- {action: remove, kind: server, name: s}' '- {action: remove, kind: server, name: s}' > p.yaml
        refuses 2 iovprov apply --plan p.yaml
        says 'p.yaml:7:40: error: server s has two steps in this plan; first at p.yaml:6:40'
}

@test "a plan goes without files and --prune" {
        fails 2 iovprov apply --plan x rack.yaml
        fails 2 iovprov apply --prune --plan x
        fails 1 iovprov apply --plan missing
        says 'missing: No such file'
}

@test "identities that the appliance chose survive a saved plan, and one that is given up is chosen anew" {
        local serial
        iovprov apply -q rack.yaml
        serial=$(iovctl vadapter show db-disk -o json | jq -er '.vadapters[0].serial')
        sed -e 's/slot: 0}/slot: 2}/' -e '/WEB01DISK/d' rack.yaml > moved.yaml
        iovprov plan -o yaml moved.yaml > saved.yaml || [[ $? -eq 5 ]]
        iovprov apply -q --plan saved.yaml
        is "\"$serial\"" json '.vadapters[0].serial' iovctl vadapter show db-disk -o json
        [[ $(iovctl vadapter show web-disk -o json | jq -er '.vadapters[0].serial') != WEB01DISK ]]
        is 'nothing to do' iovprov status moved.yaml
}

@test "--wait ends when all vAdapters are where they should be" {
        iovprov apply -q --wait rack.yaml
        if is_live; then
                is '["attached","attached"]' json '[.vadapters[].state]' iovctl vadapter list -o json
                [[ -S run/servers/web01/0.sock && -S run/servers/db01/0.sock ]]
                server_runs web01 0 web-disk
                sed 's/slot: 0}/slot: 1}/' rack.yaml > moved.yaml
                iovprov apply -q --wait --timeout 20 --force moved.yaml
                [[ -S run/servers/web01/1.sock && ! -e run/servers/web01/0.sock ]]
        fi
        iovprov apply -q --timeout 5 rack.yaml
}

@test "--wait tells what has not come about" {
        is_live || skip "no server runs on a simulator"
        iovprov apply -q rack.yaml
        server_runs web01 0 web-disk
        doc 'vadapters: {more: {adapter: ssd0, attach: {server: web01, slot: 1}}}' > more.yaml
        refuses 6 iovprov apply -q --wait --timeout 0.3 more.yaml
        says 'vadapter more is still attached after 0.3 s, wanted connected'
        # It was applied all the same, and a server that takes it ends the waiting.
        server_runs web01 1 more
        iovprov apply -q --wait --timeout 20 more.yaml
}

@test "what somebody else changes meanwhile is shown, wanted and actual, and is no success" {
        is_live || skip "nothing is waited for on a simulator"
        iovprov apply -q rack.yaml
        server_runs web01 0 web-disk
        doc 'vadapters: {more: {adapter: ssd0, attach: {server: web01, slot: 1}}}' > more.yaml
        iovprov apply -q --wait --timeout 60 --progress more.yaml 2> log &
        local pid=$! i status=0
        for ((i = 0; i < 400; i++)); do
                grep -q waiting log && break
                sleep 0.05
        done
        iovctl vadapter detach more
        wait "$pid" || status=$?
        [[ $status -eq 6 ]]
        grep -q 'vadapter more: server: wanted web01, actually -' log
}

@test "progress is JSON lines where there is no terminal, and one line where there is" {
        run --separate-stderr -0 iovprov apply --progress rack.yaml
        is '"commit"' jq -c .progress.phase <<< "$stderr"
        is '"committing 8 changes"' jq -c .progress.message <<< "$stderr"
        doc | iovprov apply -q --prune --yes
        run --separate-stderr -0 iovprov apply rack.yaml
        [[ -z $stderr ]]
        doc | iovprov apply -q --prune --yes
        run -0 script -qec 'iovprov apply rack.yaml' /dev/null
        [[ $output == *$'\rcommitting 8 changes'* ]]
}
