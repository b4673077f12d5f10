#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# vAdapters with memory: pinned, over files with direct I/O: what is pinned, what is said where it cannot be, and that either way works.

load common
load loaded-server

setup() {
	# shellcheck disable=SC2034 # of iovd_start
	IOVD_OPTIONS='--media-cache direct'
	appliance_setup
	iovd_stop
	cat > state/chassis.yaml <<- YAML
		version: 1
		kind: chassis
		links: 4
		slots: 4
		adapters:
		  ssd0: {kind: ssd, capacity: 16GiB}
		  ram0: {kind: ssd, capacity: 1GiB, media: ram}
	YAML
	two_disks > one.yaml
	sed -i 's/  web-disk: {adapter: ssd0/&, memory: pinned/' one.yaml
	iovd_start
	iovprov apply -q one.yaml
	web=$(worker_of web01)
}

teardown() {
	host_end
	appliance_teardown
}

# hold [MEBIBYTES]: a server with so much memory, until release.
hold() {
	until_true 10 test -S run/servers/web01/0.sock
	"$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock hold "$@" > hold.out 2>&1 3>&- &
	SERVER_PIDS+=($!)
	until_true 10 grep -qx here hold.out
}

release() {
	kill "${SERVER_PIDS[-1]}"
	wait "${SERVER_PIDS[-1]}" || true
	until_true 10 is_away
}

is_away() {
	! is_connected
}

smoke() {
	timeout 60 "$IOV_BUILD/bench/nvme-host" "run/servers/$1/0.sock" smoke 3>&-
}

# field NAME: of the vAdapter, as it is shown.
field() {
	iovctl vadapter show web-disk -o json | jq -r ".vadapters[0].$1"
}

shows() { # FIELD VALUE
	[[ $(field "$1") == "$2" ]]
}

# What the kernel says that a process has pinned, in KiB.
pinned_by() {
	sed -n 's/^VmPin:[[:space:]]*\([0-9]*\) kB$/\1/p' "/proc/$1/status"
}

is_pinned() { # WORKER KIB
	[[ $(pinned_by "$1") -eq $2 ]]
}

@test "the server's memory is pinned, and no longer than it is there; a neighbour's is not" {
	hold 2
	until_true 10 shows pinned $((2 << 20))
	shows memory pinned
	shows unpinned null
	is_pinned "$web" 2048
	iovctl vadapter show web-disk > shown
	grep -Eqx 'pinned: +2MiB' shown
	# It is the kernel that counts, and the neighbour has nothing of it.
	is_pinned "$(worker_of db01)" 0
	[[ $(iovctl vadapter show db-disk -o json | jq -c '.vadapters[0] | [.memory, .pinned, .unpinned]') == '["pageable",null,null]' ]]
	release
	is_pinned "$web" 0
	shows pinned null
	smoke web01
	smoke db01
}

@test "data is the same with doorbells by message and in a shadow" {
	smoke web01
	timeout 60 "$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock shadow 3>&-
}

@test "hostile servers are what they are without" {
	local cut='read to memory that was cut off: Success, status 0x000'

	run timeout 120 "$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock hostile
	# What is cut off the file behind a window is the worker's still, where it was pinned by then, and only the server that did so does
	# not see it.
	grep -q '^ok .* works after: memory that was cut off' <<< "$output"
	awk -v cut="$cut" '/^not ok/ && !index($0, cut) { print; bad = 1 } END { exit bad }' <<< "$output"
	smoke web01
	is_pinned "$web" 0
}

@test "set live, both ways, under load: no error" {
	mkfifo go
	timeout 100 "$IOV_BUILD/bench/nvme-host" run/servers/web01/0.sock verify < go > verify.out 2>&1 3>&- &
	local verify=$!
	exec 9> go
	until_true 10 is_connected
	for _ in 1 2 3 4 5; do
		iovctl vadapter set web-disk memory=pageable
		until_true 10 is_pinned "$web" 0
		shows pinned null
		iovctl vadapter set web-disk memory=pinned
		until_true 10 shows unpinned null
		[ "$(worker_of web01)" = "$web" ]
	done
	exec 9>&-
	wait "$verify" || {
		cat verify.out
		return 1
	}
	iovprov status one.yaml
}

@test "a plan says live; export has the key, and the default is left out" {
	hold
	sed 's/, memory: pinned//' one.yaml > two.yaml
	run iovprov plan two.yaml
	[ "$status" -eq 5 ]
	[[ $output == *memory* ]]
	[[ $output == *'web01 keeps web-disk: live'* ]]
	[[ ${lines[-1]} == '0 to add, 1 to change, 0 to remove' ]]
	iovprov export > out.yaml
	grep -q 'memory: pinned' out.yaml
	iovprov apply -q two.yaml
	iovprov export > out.yaml
	run ! grep -q memory: out.yaml
	until_true 10 is_pinned "$web" 0
}

@test "20 kills of a worker under load: no error, and each one pins again" {
	run under_load 20
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"kills: 20 of the worker, 0 of the control process; errors: 0;"* ]]
	hold
	until_true 10 shows pinned $((1 << 20))
	local killed
	killed=$(worker_of web01)
	kill -9 "$killed"
	is_replaced() { [[ $(worker_of web01) != "$killed" && $(worker_of web01) -ne 0 ]]; }
	until_true 10 is_replaced
	until_true 10 is_pinned "$(worker_of web01)" 1024
	until_true 10 shows pinned $((1 << 20))
}

@test "another control process knows what was asked for" {
	hold
	until_true 10 is_pinned "$web" 1024
	before=$(control_pid)
	kill -9 "$before"
	iovctl server list
	until_true 10 is_another_control "$before"
	until_true 10 shows pinned $((1 << 20))
	iovctl vadapter set web-disk memory=pageable
	until_true 10 is_pinned "$web" 0
}

# limited KIB: iovd again, with that limit, which it may not raise.
limited() {
	local keep=(env)

	iovd_stop
	if prlimit --memlock=1099511627776:1099511627776 true 2> /dev/null; then
		keep=(setpriv --bounding-set -sys_resource --inh-caps -sys_resource)
	fi
	cat > limited-iovd <<- SCRIPT
		#!/bin/sh
		exec prlimit --memlock=$(($1 << 10)):$(($1 << 10)) ${keep[*]} "$IOVD" "\$@"
	SCRIPT
	chmod +x limited-iovd
	IOVD=$T/limited-iovd iovd_start
	web=$(worker_of web01)
}

@test "a limit too small: seen, told, and the vAdapter works" {
	limited 8192
	hold 64
	until_true 10 shows unpinned 'memlock limit'
	shows pinned 0
	is_pinned "$web" 0
	iovctl event list | grep -q "web-disk.*not all of its server's memory is pinned: memlock limit"
	release
	# Small enough, and so is what is left of the limit.
	hold 1
	until_true 10 shows pinned $((1 << 20))
	shows unpinned null
	release
	smoke web01
}

@test "no room for a ring either: threads, which the vAdapter shows" {
	limited 64
	hold
	# Whether rings are counted is the kernel's.
	until_true 10 is_told
	shows pinned 0
	release
	smoke web01
	smoke db01
}

is_told() {
	[[ $(field unpinned) == 'memlock limit' || $(field unpinned) == 'no io_uring' ]]
}

@test "without an io_uring it is said so" {
	iovd_stop
	IOV_LOOP=threads iovd_start
	hold
	until_true 10 shows unpinned 'no io_uring'
	shows pinned 0
	iovctl event list | grep -q 'web-disk.*no io_uring'
	release
	smoke web01
}

@test "media in memory gain nothing, which is said" {
	iovctl volume add memory ram0 16MiB
	iovctl vadapter add ram-disk ram0
	iovctl vadapter set ram-disk memory=pinned
	iovctl namespace add ram-disk/1 memory
	iovctl vadapter attach ram-disk web01 1
	until_true 10 test -S run/servers/web01/1.sock
	"$IOV_BUILD/bench/nvme-host" run/servers/web01/1.sock hold > hold.out 2>&1 3>&- &
	SERVER_PIDS+=($!)
	until_true 10 grep -qx here hold.out
	[[ $(iovctl vadapter show ram-disk -o json | jq -c '.vadapters[0] | [.pinned, .unpinned]') == '[0,"no medium in a file"]' ]]
	is_pinned "$web" 0
}

@test "pinned for a medium that comes while the server runs, and no longer than there is one" {
	hold
	until_true 10 is_pinned "$web" 1024
	iovctl namespace remove --yes web-disk/1
	until_true 10 is_pinned "$web" 0
	until_true 10 shows unpinned 'no medium in a file'
	iovctl namespace add web-disk/1 vol0
	until_true 10 is_pinned "$web" 1024
	until_true 10 shows unpinned null
}

@test "words that it is not" {
	fails 2 iovctl vadapter set web-disk memory=locked
	says 'pageable or pinned'
	sed -i 's/memory: pinned/memory: locked/' one.yaml
	refuses 2 iovprov validate one.yaml
	says 'pageable, pinned'
}
