#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The scripts in examples/ and the pipes between the tools do what they say.
load common

setup() {
        appliance_setup
        E=$IOV_SOURCE/examples
}

teardown() {
        appliance_teardown
}

@test "one-server.sh" {
        run -0 "$E/one-server.sh"
        [[ $output == *'+ server    web01'*attached* ]]
        if is_live; then
                [[ $output == *servers/web01/0.sock* ]]
        fi
        is 'nothing to do' iovprov status one-server.yaml
        run -0 "$E/one-server.sh" one-server.yaml
        [[ ${lines[0]} == 'nothing to do' ]]
        refuses 2 "$E/one-server.sh" chassis.yaml
}

@test "rack-16.sh: a rack of 16, each with a profile of its own" {
        "$E/rack-16.sh" > rack-16.yaml
        iovprov apply -q --wait rack-16.yaml
        is 'nothing to do' iovprov status rack-16.yaml
        is 16 json '[.servers[]|select(.profile==.name)]|length' iovctl server list -o json
        is 32 json '[.vadapters[]|select(.state=="attached")]|length' iovctl vadapter list -o json
        is '["node16",1]' json '.vadapters[0]|[.server,.slot]' iovctl vadapter show data16-disk -o json
        # Smaller: the rest is removed, with its servers.
        "$E/rack-16.sh" 3 | iovprov apply -q --prune --yes
        is 3 json '.servers|length' iovctl server list -o json
}

@test "move-workload.sh moves what a server wears in one transaction" {
        "$E/rack-16.sh" 2 | iovprov apply -q
        iovctl server add spare 9
        run -0 "$E/move-workload.sh" node01 spare
        [[ ${lines[-1]} == 'spare wears node01 now' ]]
        [[ $output == *'0 to add, 2 to change, 0 to remove'* ]]
        is '["spare","spare"]' json '[.vadapters[]|select(.profile=="node01").server]' iovctl vadapter list -o json
        is '"BOOT01"' json '.vadapters[0].serial' iovctl vadapter show boot01-disk -o json
        is 3 json '.generations[0].generation' iovprov history -o json
        run -1 "$E/move-workload.sh" node01 spare
        [[ $output == *'node01 wears no profile'* ]]
        run -1 "$E/move-workload.sh" spare node02
        [[ $output == *'node02 wears node02 already'* ]]
        run -2 "$E/move-workload.sh" spare
}

@test "move-workload.sh takes nothing from a server that runs, unless it is forced" {
        is_live || skip "no server runs on a simulator"
        "$E/rack-16.sh" 2 | iovprov apply -q
        iovctl server add spare 9
        server_runs node01 0 boot01-disk
        run -1 "$E/move-workload.sh" node01 spare
        [[ $output == *'! node01 loses boot01-disk in slot 0: unplug'*'1 server disturbed'* ]]
        is '"node01"' json '.servers[0].profile' iovctl server show node01 -o json
        run -0 "$E/move-workload.sh" node01 spare --force
        # Each step can be read in the events: who asked, and what was done for it, in order.
        iovctl event list -o json | jq -r '.events[]|select(.object=="boot01-disk" or .object==null).text' > events
        sed -n '/^generation 3/,$p' events > steps
        diff steps - <<-'END'
		generation 3: 2 changes: server node01 changed, server spare changed
		server node01 disconnected: unplugged by the appliance
		quiet, and unplugged from slot 0 of server node01
		plugged into slot 0 of server spare
	END
}

@test "rolling-change.sh goes from server to server, and stops where one fails" {
        is_live || skip "nothing is waited for on a simulator"
        "$E/rack-16.sh" 3 | iovprov apply -q
        for n in 01 02 03; do
                printf 'version: 1\nkind: topology\nvadapters:\n  boot%s-disk: {adapter: ssd0, persona: {serial: BOOT%s}, %s}\n' "$n" "$n" \
                        "interrupts: msi, namespaces: [{volume: boot$n}]" > "$n.yaml"
        done
        run -0 "$E/rolling-change.sh" 01.yaml 02.yaml
        is $'01.yaml: done\n02.yaml: done' echo "$output"
        # A server that runs does not take the disk it is given, so that this is taken back and the next is left alone.
        server_runs node03 0 boot03-disk
        printf 'version: 1\nkind: topology\nservers: {node03: {link: 2, profile: node03}}\n%s\n' \
                'vadapters: {more: {adapter: ssd0, attach: {server: node03, slot: 5}}}' > 03-more.yaml
        sed 's/ssd0, persona/ssd0, qos: standard, persona/' 01.yaml > 01-qos.yaml
        TIMEOUT=0.3 run -1 "$E/rolling-change.sh" 03-more.yaml 01-qos.yaml
        [[ $output == *'03-more.yaml: failed, nothing behind it was touched'* ]]
        fails 1 iovctl vadapter show more
        is true json '.vadapters[0].qos==null' iovctl vadapter show boot01-disk -o json
        # A faulty file is found before anything is touched.
        echo 'version: 2' > bad.yaml
        run -2 "$E/rolling-change.sh" 01-qos.yaml bad.yaml
        is true json '.vadapters[0].qos==null' iovctl vadapter show boot01-disk -o json
}

@test "nightly-drift.sh speaks only where there is something to say" {
        iovprov apply -q rack.yaml
        is '' "$E/nightly-drift.sh" rack.yaml
        iovctl vadapter detach web-disk
        run -5 "$E/nightly-drift.sh" rack.yaml
        [[ $output == *'web-disk  server - -> web01'*'The last changes:'* ]]
        IOV_APPLIANCE=unix:/nonexistent run -3 "$E/nightly-drift.sh" rack.yaml
}

@test "pipes between the tools" {
        iovprov apply -q rack.yaml
        iovdump topology | is 'nothing to do' iovprov plan -
        iovdump topology | sed 's/slot: 0/slot: 3/' | iovprov plan - > planned || [[ $? -eq 5 ]]
        is '0 to add, 2 to change, 0 to remove' tail -n 1 planned
        iovdump topology | sed 's/slot: 0/slot: 3/' | iovprov plan -o yaml - > saved.yaml || [[ $? -eq 5 ]]
        iovprov apply -q --plan - < saved.yaml
        is '[3,3]' json '[.vadapters[].slot]' iovctl vadapter list -o json
        iovctl vadapter list -o name | xargs -n 1 iovctl vadapter detach
        is '[null,null]' json '[.vadapters[].server]' iovctl vadapter list -o json
        iovctl vadapter list --filter adapter=ssd0 -o name | xargs -I V iovctl vadapter attach V db01 4
        is '"db01"' json '.vadapters[0].server' iovctl vadapter show web-disk -o json
        iovprov show 1 | iovprov apply -q -
        is 'nothing to do' iovprov status rack.yaml
        iovctl vadapter list -o json | jq -r '.vadapters[].name' | xargs -n 1 iovctl vadapter remove --yes
        is '[]' json '.vadapters' iovctl vadapter list -o json
}

@test "the scripts are clean" {
        shellcheck "$E"/*.sh
}
