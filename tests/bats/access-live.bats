#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Who may do what over the management socket. Other users are played by root, so without root there is nothing to test.
load common

READERS=54321
NOBODY=65534

setup() {
	((EUID == 0)) || skip "needs root, to be somebody else"
	appliance_setup
	iovprov apply -q rack.yaml
	iovd_stop
	chmod 711 "$T"
	cat > readers-iovd <<-SCRIPT
		#!/bin/sh
		exec "$IOVD" --read-group $READERS "\$@"
	SCRIPT
	chmod +x readers-iovd
	IOVD=$T/readers-iovd iovd_start
}

teardown() {
	if [[ -n ${T-} ]]; then
		appliance_teardown
	fi
}

# as GROUPS COMMAND...: nobody, with these groups only.
as() {
	local groups=$1
	shift
	setpriv --reuid="$NOBODY" --regid="$NOBODY" --groups="$groups" --inh-caps=-all --bounding-set=-all "$@"
}

@test "a member of the read group looks" {
	is "$(iovctl vadapter list -o json)" as "$READERS" "$IOV_BUILD/iovctl" vadapter list -o json
	is "$(iovdump topology)" as "$READERS" "$IOV_BUILD/iovdump" topology
	as "$READERS" "$IOV_BUILD/iovdump" pci web01 > config
	[ -s config ]
}

@test "it changes nothing: exit status 4, and the log says who tried" {
	before=$(iovdump topology)
	run --separate-stderr as "$READERS" "$IOV_BUILD/iovctl" vadapter detach web-disk
	[ "$status" -eq 4 ]
	says "you may look, but not change anything"
	[ "$before" = "$(iovdump topology)" ]
	grep -q "user $NOBODY may only look" iovd.log
}

@test "a stranger gets no answer but that: exit status 4" {
	run --separate-stderr as 12345 "$IOV_BUILD/iovctl" vadapter list
	[ "$status" -eq 4 ]
	[ -z "$output" ]
}

@test "a state directory that is somebody else's: exit status 4, of iovd and of a simulator over it" {
	run --separate-stderr as 12345 "$IOV_BUILD/iovctl" -a "sim:$T/state" vadapter list
	[ "$status" -eq 4 ]
	says "state: cannot open the state directory: Permission denied"
	run as 12345 "$IOVD" --state "$T/state" --run "$T/run"
	[ "$status" -eq 4 ]
}

@test "a member of the group of iovd changes things" {
	as "$(id -g)" "$IOV_BUILD/iovctl" vadapter detach web-disk
	until_true 10 test ! -e run/servers/web01/0.sock
}

@test "what servers are cabled to stays closed to readers" {
	[ "$(stat -c %a run)" = 711 ]
	[ "$(stat -c %a run/mgmt.sock)" = 666 ]
	[ "$(stat -c %a run/servers)" = 710 ]
	[ "$(stat -c %a run/servers/web01/0.sock)" = 660 ]
	run as "$READERS" ls run/servers
	[ "$status" -ne 0 ]
}

@test "a read group that does not exist is a usage error" {
	run "$IOVD" --read-group no-such-group-here --state state2 --run run2
	[ "$status" -eq 2 ]
	[ "${#lines[@]}" -eq 1 ]
}
