#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Volumes that several servers may write to, as topologies and rules have them.

load common

setup() {
        appliance_setup
        printf '%s\n' 'version: 1' 'kind: topology' 'volumes:' '  v: {adapter: ssd0, size: 64MiB, shared: true}' \
                'vadapters:' '  da: {adapter: ssd0, namespaces: [{volume: v}]}' \
                '  db: {adapter: ssd0, namespaces: [{volume: v}]}' > shared.yaml
}

teardown() {
        appliance_teardown
}

@test "a shared volume is in several namespaces, and comes back out as it went in" {
        iovprov apply -q shared.yaml
        is '["da/1","db/1"]' json '[.volumes[0].used_by[].name]' iovctl volume show v -o json
        is true json '.volumes[0].shared' iovctl volume show v -o json
        iovprov export > again.yaml
        grep -q 'v: {adapter: ssd0, size: 64MiB, shared: true}' again.yaml
        iovprov plan again.yaml
        is '[]' json '.reservations' iovctl reservation list -o json
        refuses 1 iovctl reservation clear v --yes
        says 'no server can be cabled to a simulator'
}

@test "one that is not, is not; and what is shared stays so while it is" {
        sed -i 's/, shared: true//' shared.yaml
        refuses 2 iovprov apply shared.yaml
        says 'volume v is shown by a vAdapter already'
        iovctl volume add v ssd0 64MiB shared=true
        iovctl vadapter add da ssd0
        iovctl vadapter add db ssd0
        iovctl namespace add da/1 v
        iovctl namespace add db/1 v
        fails 1 iovctl volume set v shared=false
        says 'volume v is taken by'
        iovctl namespace remove db/1 --yes
        run -0 iovctl volume set v shared=false --dry-run
        [[ $output == *'shared yes -> -'* ]] || { echo "$output"; return 1; }
        iovctl volume set v shared=false
        fails 1 iovctl namespace add db/1 v
        fails 2 iovctl volume set v shared=perhaps
        says 'true or false is wanted'
}

@test "a plan that was saved sets it" {
        iovprov plan -o yaml shared.yaml > saved.plan || [[ $? -eq 5 ]]
        iovprov apply -q --plan saved.plan
        is true json '.volumes[0].shared' iovctl volume show v -o json
}

@test "as many as there is room for" {
        local i

        {
                printf '%s\n' 'version: 1' 'kind: topology' 'volumes:' '  v: {adapter: ssd0, size: 64MiB, shared: true}' 'vadapters:'
                for ((i = 0; i < 33; i++)); do
                        echo "  d$i: {adapter: ssd0, namespaces: [{volume: v}]}"
                done
        } > many.yaml
        refuses 1 iovprov apply many.yaml
        says 'volume v is shared by 32 others'
        sed -i '$d' many.yaml
        iovprov apply -q many.yaml
}
