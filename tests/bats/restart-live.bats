#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Workers and the control process are killed under a server that writes, reads and checks: it must see nothing but pauses.
load common
load loaded-server

setup() {
	appliance_setup
	two_disks > one.yaml
	iovprov apply -q one.yaml
	web=$(worker_of web01)
}

teardown() {
	host_end
	appliance_teardown
}

is_connected_or_done() {
	is_connected || ! kill -0 "$HOST_PID" 2> /dev/null
}

is_replaced() {
	[[ $(worker_of web01) != "$web" ]]
}

@test "20 kills of a worker under load: no error, all data as written, the neighbour's worker is the same" {
	db=$(worker_of db01)
	run under_load 20
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"kills: 20 of the worker, 0 of the control process; errors: 0;"* ]]
	[ "$(worker_of db01)" = "$db" ]
	[ "$(iovctl server list -o json | jq '[.servers[] | select(.name == "web01")][0].worker_restarts')" -eq 20 ]
	grep -q "web01: worker .* was killed or has crashed: .* goes on in its place" iovd.log
}

@test "a worker has no capabilities, can gain none, and is filtered; its escrow has none either" {
	escrow=$(ps -o ppid= -p "$web" | tr -d ' ')
	for pid in "$web" "$escrow"; do
		for set in CapInh CapPrm CapEff CapAmb; do
			grep -Eqx "$set:[[:space:]]*0+" "/proc/$pid/status"
		done
		grep -Eqx 'NoNewPrivs:[[:space:]]*1' "/proc/$pid/status"
	done
	grep -Eqx 'Seccomp:[[:space:]]*2' "/proc/$web/status"
	# It holds no file of the appliance but its own medium.
	run ls -l "/proc/$web/fd"
	[ "$(grep -c "$T/state" <<< "$output")" -eq "$(grep -c "$T/state/media/ssd0/" <<< "$output")" ]
}

@test "kills with doorbells in memory, a shadow of them or the page itself: no error" {
	run under_load 20 - shadow
	echo "$output"
	[ "$status" -eq 0 ]
	iovctl vadapter detach web-disk
	iovctl vadapter set web-disk polling=always
	iovctl vadapter attach web-disk web01 0
	until_true 10 test -S run/servers/web01/0.sock
	run under_load 20 - page
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "kills between a system call and what follows it: no error" {
	# Each call's return is held up, so that most of the kills fall there: what the kernel has done already is not lost or done twice.
	cat > slow-iovd <<-SCRIPT
		#!/bin/sh
		# Leaks cannot be looked for under ptrace: a sanitized iovd would end with an error.
		export ASAN_OPTIONS="\$ASAN_OPTIONS:detect_leaks=0"
		exec strace -D -f -qq -o /dev/null -e "trace=\$CALL" -e "inject=\$CALL:delay_exit=2000" "$IOVD" "\$@"
	SCRIPT
	chmod +x slow-iovd
	for CALL in recvmmsg sendmmsg write; do
		export CALL
		iovd_stop
		IOVD=$T/slow-iovd iovd_start
		until_true 10 test -S run/servers/web01/0.sock
		run under_load 10
		echo "$CALL: $output"
		[ "$status" -eq 0 ]
		[[ $output == *"kills: 10 of the worker, 0 of the control process; errors: 0;"* ]]
	done
}

@test "kills of worker and control process, one after the other and both at once: no error" {
	run under_load 25 state/lock
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"kills: 25 of the worker, 5 of the control process; errors: 0;"* ]]
	kill -0 "$IOVD_PID"
	iovprov plan one.yaml
}

@test "the control process is killed: links go on, tools wait for the next one, and changes work" {
	host_start 20
	before=$(control_pid)
	kill -9 "$before"
	iovctl server list # nobody need try again
	[ "$(control_pid)" != "$before" ]
	until_true 10 is_connected_or_done
	sed -i 's/vol1: {adapter: ssd0, size: 64MiB}/&, vol2: {adapter: ssd0, size: 1MiB}/' one.yaml
	iovprov apply -q one.yaml
	host_wait
	grep -q "errors: 0;" host.out
	iovctl vadapter detach db-disk
	until_true 10 [ ! -e run/servers/db01/0.sock ]
}

@test "a worker is killed while the control process stands still: it comes back all the same" {
	pid=$(control_pid)
	"$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock smoke
	kill -STOP "$pid"
	kill -9 "$web"
	"$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock smoke
	kill -CONT "$pid"
	until_true 10 is_replaced
}

@test "handing over on SIGHUP: another control process, the same workers" {
	host_start 5
	db=$(worker_of db01) before=$(control_pid)
	kill -HUP "$IOVD_PID"
	until_true 10 is_another_control "$before"
	until_true 10 is_connected_or_done
	[ "$(worker_of db01)" = "$db" ]
	host_wait
}

@test "an upgrade: after SIGHUP the control process is the binary that has the name by then" {
	iovd_stop
	cp "$IOVD" iovd-now
	cp "$IOVD" iovd-next
	IOVD=$T/iovd-now iovd_start
	until_true 10 test -S run/servers/web01/0.sock
	host_start 5
	before=$(control_pid)
	mv iovd-next iovd-now
	[[ $(readlink "/proc/$before/exe") == *"(deleted)" ]]
	kill -HUP "$IOVD_PID"
	until_true 10 is_another_control "$before"
	[ "$(readlink "/proc/$(control_pid)/exe")" = "$T/iovd-now" ]
	host_wait
	iovprov plan one.yaml
}

@test "the keeper is killed: everything ends, and the next iovd starts" {
	kill -9 "$IOVD_PID"
	wait "$IOVD_PID" || true
	gone() { ! kill -0 "$web" 2> /dev/null; }
	until_true 10 gone
	iovd_start
	iovprov plan one.yaml
}

@test "the escrow of a link is killed: its server loses its devices, and they are there anew" {
	escrow=$(ps -o ppid= -p "$web" | tr -d ' ')
	kill -9 "$escrow"
	until_true 10 is_replaced
	until_true 10 test -S run/servers/web01/0.sock
	"$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock smoke
}
