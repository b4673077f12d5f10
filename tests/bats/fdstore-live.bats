#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The keeper is killed and started anew under a service manager with a descriptor store: links go on.
load common
load loaded-server

setup() {
	T=$(mktemp -d "${TMPDIR:-/tmp}/iov.XXXXXX")
	cd "$T" || return
	export IOV_APPLIANCE=unix:$T/run/mgmt.sock
	MANAGER_PID=''
	two_disks > one.yaml
}

teardown() {
	host_end
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

is_another_main() {
	[[ $(< main.pid) != "$1" ]]
}

# The one that listens now has said so.
is_taken_over() {
	grep -q "2 links go on under this control process" iovd.log
}

are_gone() {
	! kill -0 "$1" 2> /dev/null && ! kill -0 "$2" 2> /dev/null
}

are_stored() {
	[[ $(grep -c "$1" stored) -eq $2 ]]
}

are_removed() {
	[[ $(grep -c "its worker has a device that nothing is known of: removed" iovd.log) -ge 2 ]]
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
	until_true 10 are_stored . $((before - 6))
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
	after=$(worker_of web01)
	manager_stop
	until_true 10 are_gone "$after" "$db"
}

@test "an instance is lost from the store: its device is removed from the link that goes on, and plugged in anew" {
	links_start
	main=$(< main.pid)
	# The keys of instances begin with binary 10.
	are_stored '^iov-8.*-n' 2
	echo iov-8 > lost
	kill -USR1 "$MANAGER_PID"
	until_true 10 is_another_main "$main"
	until_true 10 is_taken_over
	[ "$(worker_of web01)" = "$web" ]
	until_true 10 are_removed
	until_true 10 test -S run/servers/web01/0.sock
	"$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock smoke
	until_true 10 are_stored '^iov-8.*-n' 2
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

@test "a note that is not what its name says, of another version, cut off, too long or not sealed is dropped" {
	cat > junk <<-NAMES
		iov-0000000000000011-n3 whole
		iov-0000000000000012-n3 newer
		iov-0000000000000013-n3 cut-off
		iov-0000000000000014-n3 misnamed
		iov-0000000000000015-n4 another-generation
		iov-0000000000000016-n3 five-fds
		iov-0000000000000017-n3 one-fd
		iov-0000000000000018-n3 long
		iov-0000000000000019-n3 unsealed
	NAMES
	manager_start
	iovctl server list
	grep -q "8 of 9 descriptors of the service manager's store" iovd.log
	until_true 10 grep -q iov-0000000000000001-n0 stored
	[ "$(grep -v iov-0000000000000001- stored)" = iov-0000000000000011-n3 ]
}
