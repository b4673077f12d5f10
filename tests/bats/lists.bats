#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# --filter, --sort and --watch of iovctl's lists.
load common

setup() {
        appliance_setup
        iovprov apply -q rack.yaml
        W=
}

teardown() {
        if [[ -n $W ]]; then
                kill "$W" 2> /dev/null || true
                wait "$W" || true
        fi
        appliance_teardown
}

# Volumes of several sizes, an unused one among them.
volumes() {
        {
                printf 'version: 1\nkind: topology\nvolumes:\n'
                printf '  a: {adapter: ssd1, size: 2GiB, on_remove: retain}\n  b: {adapter: ssd0, size: 3GiB}\n  c: {adapter: ssd0, size: 2GiB}\n'
        } > volumes.yaml
        iovprov apply -q volumes.yaml
}

@test "--sort orders by columns, up and down" {
        volumes
        is $'db-data\nweb-boot\na\nc\nb' iovctl volume list -o name --sort size
        is $'b\na\nc\ndb-data\nweb-boot' iovctl volume list -o name --sort -size
        is $'b\nc\na\nweb-boot\ndb-data' iovctl volume list -o name --sort=-size,adapter
        is $'web-boot\ndb-data\nc\nb\na' iovctl volume list -o name --sort -name
        is '["b","c","web-boot","a","db-data"]' json '[.volumes[].name]' iovctl volume list -o json --sort ADAPTER,-SIZE
}

@test "--sort puts what is not known last, both ways" {
        iovctl vadapter detach web-disk
        is $'db-disk\nweb-disk' iovctl vadapter list -o name --sort server
        is $'db-disk\nweb-disk' iovctl vadapter list -o name --sort -server
        is $'ssd0\nssd1' iovctl adapter list -o name --sort -capacity --filter kind=ssd
}

@test "--filter takes values as shown, as plain numbers, in any unit" {
        volumes
        is $'a\nc' iovctl volume list -o name --filter size=2GiB
        is $'a\nc' iovctl volume list -o name --filter size=2147483648
        is $'a\nc' iovctl volume list -o name --filter size=2048MiB
        is $'b\ndb-data\nweb-boot' iovctl volume list -o name --filter size!=2GiB
        is 'nic0' iovctl adapter list -o name --filter rate=10Gbit --filter name=nic0
        is $'ssd0\nssd1' iovctl adapter list -o name --filter supported=yes
}

@test "--filter matches regular expressions, and several filters must all agree" {
        volumes
        is $'db-data\nweb-boot' iovctl volume list -o name --filter 'name~^(db|web)-'
        is 'web-boot' iovctl volume list -o name --filter 'name~b' --filter adapter=ssd0 --filter 'size~^1'
        is $'a\nb\nc' iovctl volume list -o name --filter 'name~^.$'
        is '' iovctl volume list -o name --filter name=nobody
        is '[]' json .volumes iovctl volume list -o json --filter name=nobody
}

@test "--filter knows what is missing, and looks into lists" {
        volumes
        is $'a\nb\nc' iovctl volume list -o name --filter used_by=
        is $'a\nb\nc' iovctl volume list -o name --filter used_by=-
        is 'web-boot' iovctl volume list -o name --filter used_by=web-disk/1
        is $'db-data\nweb-boot' iovctl volume list -o name --filter used_by~.
        is 'web-disk' iovctl vadapter list -o name --filter namespaces=web-boot
        iovctl vadapter detach web-disk
        is 'web-disk' iovctl vadapter list -o name --filter server=
        is 'db-disk' iovctl vadapter list -o name --filter server!=
        is 'web-disk/1' iovctl namespace list -o name --filter vadapter=web-disk
}

@test "what is no filter and no column is a usage error" {
        fails 2 iovctl volume list --filter size
        says 'COL=VALUE'
        fails 2 iovctl volume list --filter ''
        fails 2 iovctl volume list --filter 'size!2GiB'
        fails 2 iovctl volume list --filter colour=red
        says "no column 'colour'"
        fails 2 iovctl volume list --filter 'name~('
        says 'no regular expression'
        fails 2 iovctl volume list --sort colour
        fails 2 iovctl volume list --sort name,,size
        fails 2 iovctl volume list --watch=soon
        fails 2 iovctl volume list --watch 0
        fails 2 iovctl volume list --watch extra
        fails 2 iovctl volume show web-boot --sort size
}

# Run a command in the background, its output to `frames`.
watch_start() {
        "$@" > frames 2> errors 3>&- &
        W=$!
}

# Wait until frames has at least that many lines that hold the text.
watch_for() {
        local i
        for ((i = 0; i < 600; i++)); do
                if [[ $(grep -c -- "$2" frames) -ge $1 ]]; then
                        return 0
                fi
                sleep 0.05
        done
        cat frames errors >&2
        return 1
}

# SIGINT ends it with 0.
watch_stop() {
        kill -INT "$W"
        wait "$W"
        W=
        [[ ! -s errors ]]
}

@test "--watch SECONDS prints frame after frame, a blank line between, until SIGINT" {
        watch_start iovctl server list -n -o name --watch 0.05
        watch_for 3 web01
        watch_stop
        is $'db01\nweb01\n\ndb01\nweb01' head -5 frames
}

@test "--watch prints again when something has changed, and only then" {
        is_live || return 0
        watch_start iovctl server list -n -o name -w
        watch_for 1 web01
        iovctl volume add other ssd0 1MiB
        iovctl server add app01 9
        watch_for 1 app01
        iovctl server remove app01 --yes
        watch_for 3 web01
        watch_stop
        is $'db01\nweb01\n\napp01\ndb01\nweb01\n\ndb01\nweb01' cat frames
}

@test "--watch prints JSON as a line a frame, YAML as documents" {
        watch_start iovctl server list -o json --watch=0.05 --filter name=web01
        watch_for 2 web01
        watch_stop
        is '["web01"]' jq -c '[.servers[].name]' < <(head -1 frames)
        is '["web01"]' jq -c '[.servers[].name]' < <(sed -n 2p frames)
        watch_start iovctl server list -o yaml -w0.05
        watch_for 1 '^---'
        watch_stop
        is 'schema: 1' head -1 frames
}

@test "--watch ends when its reader does" {
        is db01 head -1 < <(iovctl server list -n -o name --watch 0.01 2> /dev/null)
}

@test "--watch tells when the appliance goes" {
        is_live || return 0
        watch_start iovctl server list -w
        watch_for 1 web01
        iovd_stop
        local status=0
        wait "$W" || status=$?
        W=
        cat errors
        [[ $status -eq 3 ]]
        grep -q 'does not answer any more' errors
}

@test "completion knows columns to sort and filter by" {
        is 'size' iovctl --complete si volume list --sort
        is $'-size' iovctl --complete -si volume list --sort
        is $'size=' iovctl --complete si volume list --filter
        is '--watch' iovctl --complete --w volume list
}
