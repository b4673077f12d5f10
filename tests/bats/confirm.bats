#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# apply --confirm: the appliance takes it back by itself unless iovprov confirm comes.
load common

setup() {
        appliance_setup
        iovprov apply -q rack.yaml
        sed 's/db-data:  {adapter: ssd1, size: 1GiB/db-data:  {adapter: ssd1, size: 2GiB/; s/WEB01DISK/CHANGED/' rack.yaml > new.yaml
        iovdump topology > old
}

teardown() {
        appliance_teardown
}

is_old() {
        iovdump topology | cmp -s - old
}

@test "confirmed, it stays, and nothing waits any more" {
        run -0 --separate-stderr iovprov apply new.yaml --confirm 2m
        says "unless it is confirmed"
        is '[true,null]' json '.generations[0]|[(.confirm_until!=null),.takes_back]' iovprov history -o json
        run -0 --separate-stderr iovprov status new.yaml
        says "iovprov confirm"
        is '' iovprov confirm
        is '[2,null]' json '.generations[0]|[.generation,.confirm_until]' iovprov history -o json
        iovprov plan new.yaml
        fails 1 iovprov confirm
        says 'nothing waits to be confirmed'
        run -0 --separate-stderr iovprov status new.yaml
        [[ -z $stderr ]]
}

@test "not confirmed, it is taken back by itself, and the history says so" {
        iovprov apply -q new.yaml --confirm 1
        until_true 10 is_old
        is '[3,"iovd",2]' json '.generations[0]|[.generation,.user,.takes_back]' iovprov history -o json
        fails 1 iovprov confirm
        # What is confirmed in time is not taken back later.
        iovprov apply -q new.yaml --confirm 60
        iovprov confirm
        is 4 json '.generations[0].generation' iovprov history -o json
}

@test "it survives a restart: the wall time counts" {
        is_live || return 0
        iovprov apply -q new.yaml --confirm 2
        kill -9 "$IOVD_PID"
        wait "$IOVD_PID" || true
        iovd_start
        until_true 10 is_old
        is '[3,2]' json '.generations[0]|[.generation,.takes_back]' iovprov history -o json
        iovprov apply -q new.yaml --confirm 1
        iovd_stop
        sleep 1.1
        iovd_start
        # Its time had passed: nothing else is ever seen.
        is_old
}

@test "another change meanwhile is refused, and a plan says so; what changes nothing is not" {
        iovprov apply -q new.yaml --confirm 1h
        fails 1 iovctl server add app01 5
        says "waits for"
        fails 1 iovprov apply rack.yaml
        says "iovprov confirm"
        iovprov apply new.yaml
        iovprov plan new.yaml
        fails 1 iovprov apply rack.yaml --dry-run
        says "waits for"
        fails 1 iovctl server add app01 5 --dry-run
        says "waits for"
        run -1 --separate-stderr iovprov plan rack.yaml
        says "waits for"
        [[ ${lines[-1]} == *' to remove' ]]
        run -5 iovprov status rack.yaml
        iovprov confirm
        iovctl server add app01 5
}

@test "rollback takes back what waits" {
        iovprov apply -q new.yaml --confirm 1h
        run -0 iovprov rollback --dry-run --yes
        is 2 json '.generations[0].generation' iovprov history -o json
        iovprov rollback --yes
        is_old
        is '[3,2]' json '.generations[0]|[.generation,.takes_back]' iovprov history -o json
        fails 1 iovprov confirm
}

@test "what is refused or changes nothing arms nothing" {
        iovprov apply -q rack.yaml --confirm 60
        fails 1 iovprov confirm
        sed 's/size: 1GiB/size: 1000TiB/' rack.yaml > bad.yaml
        refuses 1 iovprov apply bad.yaml --confirm 60
        fails 1 iovprov confirm
        iovprov apply -q new.yaml --confirm 60 --dry-run
        fails 1 iovprov confirm
        for bad in 0 x 2d -1 1.5; do
                fails 2 iovprov apply rack.yaml "--confirm=$bad"
        done
}

@test "volumes that it removed come back with their data, ids and identities" {
        is_live || return 0
        local ids='[.vadapters[]|[.name,.id,.serial,.nqn]]'
        json "$ids" iovctl vadapter list -o json > known
        printf 'hello' | dd of="$(find state/media/ssd0 -name '*.img')" conv=notrunc status=none
        printf 'version: 1\nkind: topology\n' | iovprov apply -q --prune --yes --confirm 1h
        is '' iovctl volume list -o name
        iovprov rollback --yes
        is_old
        is "$(< known)" json "$ids" iovctl vadapter list -o json
        is hello head -c 5 "$(find state/media/ssd0 -maxdepth 1 -name '*.img')"
        # Kept, the files of what was removed go with the confirmation.
        printf 'version: 1\nkind: topology\n' | iovprov apply -q --prune --yes --confirm 1h
        [[ -n $(find state/media/ssd0 -maxdepth 1 -name '*.img') ]]
        iovprov confirm
        [[ -z $(find state/media/ssd0 -maxdepth 1 -name '*.img') ]]
}

@test "killed at any moment, it is confirmed or it is not" {
        is_live && return 0
        local n call
        iovprov apply -q new.yaml --confirm 1h
        cp -r state saved
        cat > killed-iovd <<-SCRIPT
		#!/bin/sh
		exec strace -f -qq -o "$T/trace" -e "trace=\$CALL" -e "inject=\$CALL:signal=KILL:when=\$WHEN" "$IOVD" "\$@"
	SCRIPT
        chmod +x killed-iovd
        for call in write fsync renameat; do
                for n in 1 2 3; do
                        rm -rf state
                        cp -r saved state
                        CALL=$call WHEN=$n IOVD=$T/killed-iovd iovprov confirm 2> /dev/null || true
                        iovprov plan new.yaml
                        run iovprov confirm
                        [[ $status -eq 0 || $output == *"nothing waits"* ]]
                done
        done
}
