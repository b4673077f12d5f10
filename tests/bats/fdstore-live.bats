#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The keeper is killed and started anew under a service manager with a descriptor store: links go on.
load common

setup() {
	T=$(mktemp -d "${TMPDIR:-/tmp}/iov.XXXXXX")
	cd "$T" || return
	export IOV_APPLIANCE=unix:$T/run/mgmt.sock
	MANAGER_PID='' HOST_PID=''
	cat > one.yaml <<-YAML
		version: 1
		kind: topology
		servers: {web01: {link: 0}, db01: {link: 1}}
		volumes: {vol0: {adapter: ssd0, size: 64MiB}, vol1: {adapter: ssd0, size: 64MiB}}
		vadapters:
		  web-disk: {adapter: ssd0, namespaces: [{volume: vol0}], attach: {server: web01, slot: 0}}
		  db-disk: {adapter: ssd0, namespaces: [{volume: vol1}], attach: {server: db01, slot: 0}}
	YAML
}

teardown() {
	if [[ -n $HOST_PID ]]; then
		kill "$HOST_PID" 2> /dev/null || true
		wait "$HOST_PID" 2> /dev/null || true
	fi
	if [[ -n $MANAGER_PID ]]; then
		manager_stop
	fi
	cd / || return
	rm -rf "$T"
}

manager_start() {
	python3 "$IOV_SOURCE/tests/bats/fake-service-manager.py" "$T" "$IOVD" --state "$T/state" --run "$T/run" > iovd.log 2>&1 3>&- &
	MANAGER_PID=$!
	until_true 10 test -S run/mgmt.sock
}

manager_stop() {
	local pid=$MANAGER_PID
	MANAGER_PID=
	kill "$pid"
	wait "$pid"
}

links_start() {
	manager_start
	iovprov apply -q one.yaml
	web=$(worker_of web01) db=$(worker_of db01)
}

host_start() {
	"$IOV_BUILD/bench/restart" run/mgmt.sock run/servers/web01/0.sock web01 "$@" > host.out 2>&1 3>&- &
	HOST_PID=$!
	until_true 10 is_connected
}

host_wait() {
	local pid=$HOST_PID
	HOST_PID=
	wait "$pid" || {
		cat host.out iovd.log
		return 1
	}
}

is_connected() {
	[[ $(iovctl vadapter list -o json | jq -r '.vadapters[] | select(.name == "web-disk") | .state') == connected ]]
}

is_another_main() {
	[[ $(< main.pid) != "$1" ]]
}

is_another_control() {
	[[ $(control_pid) != "$1" ]]
}

# The one that listens now has said so.
is_taken_over() {
	grep -q "2 links go on under this control process" iovd.log
}

are_gone() {
	! kill -0 "$web" 2> /dev/null && ! kill -0 "$db" 2> /dev/null
}

@test "the keeper is killed under load, workers too: no error, and the neighbour's worker is the same" {
	links_start
	run timeout 120 "$IOV_BUILD/bench/restart" run/mgmt.sock run/servers/web01/0.sock web01 25 main.pid 3>&-
	echo "$output"
	cat iovd.log
	[ "$status" -eq 0 ]
	[[ $output == *"kills: 25 of the worker, 5 of the control process; errors: 0;"* ]]
	[ "$(worker_of db01)" = "$db" ]
	is_taken_over
	run ! grep -q dropped iovd.log
	iovprov plan one.yaml
}

@test "after a take-over changes work, and what is removed leaves the store" {
	links_start
	main=$(< main.pid)
	kill -9 "$main"
	until_true 10 is_another_main "$main"
	until_true 10 is_taken_over
	[ "$(worker_of web01)" = "$web" ]
	"$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock smoke
	before=$(wc -l < stored)
	iovctl vadapter detach db-disk
	until_true 10 [ ! -e run/servers/db01/0.sock ]
	# A link has two descriptors and a note, its instance too.
	left() { [[ $(wc -l < stored) -eq $((before - 6)) ]]; }
	until_true 10 left
	# None is there twice, whatever the notes to it were.
	[ -z "$(sed 's/-n[0-9]*$/-n/' stored | sort | uniq -d)" ]
}

@test "a restart in good order under load: the same workers; a stop ends them" {
	links_start
	host_start 3
	main=$(< main.pid) control=$(control_pid)
	kill -HUP "$MANAGER_PID"
	until_true 10 is_another_main "$main"
	until_true 10 is_another_control "$control"
	until_true 10 is_taken_over
	[ "$(worker_of db01)" = "$db" ]
	host_wait
	grep -q "errors: 0;" host.out
	web=$(worker_of web01)
	manager_stop
	until_true 10 are_gone
}

@test "what is in the store and is no record of ours is dropped" {
	cat > junk <<-NAMES
		stored
		iov-
		iov-0000000000000001-n0
		iov-0000000000000001-d0
		iov-0000000000000002-d99999999999
		iov-000000000000000G-n1
		iov-4000000000000001-d0
	NAMES
	manager_start
	iovctl server list
	grep -q "7 of 7 descriptors of the service manager's store" iovd.log
	until_true 10 grep -q . stored
	# The one without our prefix is another's; the socket that listens is stored anew.
	[ "$(sort stored | tr '\n' ' ')" = "iov-0000000000000001-d0 iov-0000000000000001-n0 stored " ]
}
