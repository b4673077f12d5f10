#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# iovd is killed in the midst of an apply, at every system call in turn that touches its files: what is there afterwards is the
# old state or the new one, and a second apply converges.
load common

setup() {
	appliance_setup
	sed 's/db-data:  {adapter: ssd1, size: 1GiB/db-data:  {adapter: ssd1, size: 2GiB/; s/WEB01DISK/CHANGED/' rack.yaml > new.yaml
	iovprov apply -q rack.yaml
	iovdump topology > old
	cp -r state state.old
	iovprov apply -q new.yaml
	iovdump topology > new
	run cmp old new
	[ "$status" -ne 0 ]
	cat > killed-iovd <<-SCRIPT
		#!/bin/sh
		exec strace -f -qq -o "$T/trace" -e "trace=\$CALL" -e "inject=\$CALL:signal=KILL:when=\$WHEN" "$IOVD" "\$@"
	SCRIPT
	chmod +x killed-iovd
}

teardown() {
	appliance_teardown
}

restore() {
	rm -rf state
	cp -r state.old state
}

# kill_at CALL: at its first, second, ... until the apply gets through without; prints how often it was killed.
kill_at() {
	local n kills=0
	for ((n = 1; n < 60; n++)); do
		restore
		if CALL=$1 WHEN=$n IOVD=$T/killed-iovd iovprov apply -q new.yaml 2> /dev/null; then
			cmp <(iovdump topology) new || return 1
			# Killed after it had answered, or not at all: only a run without a kill ends the series.
			grep -q 'killed by SIGKILL' trace || break
		fi
		kills=$((kills + 1))
		iovdump topology > now
		cmp -s now old || cmp -s now new || {
			echo "killed at $1 number $n: neither the old nor the new state" >&2
			diff old now >&2
			return 1
		}
		iovprov apply -q new.yaml && cmp <(iovdump topology) new || return 1
	done
	((n < 60)) && echo "$kills"
}

@test "killed at every open" {
	[ "$(kill_at openat)" -ge 3 ]
}

@test "killed at every write" {
	[ "$(kill_at write)" -ge 1 ]
}

@test "killed at every fsync" {
	[ "$(kill_at fsync)" -ge 2 ]
}

@test "killed at the rename" {
	[ "$(kill_at rename,renameat,renameat2)" -ge 1 ]
}

@test "a read-only state directory: apply fails, the old state stands" {
	restore
	# Any error of the write is as good as the file system's own; root could write to a read-only directory.
	cat > readonly-iovd <<-SCRIPT
		#!/bin/sh
		exec strace -f -qq -o /dev/null -e trace=openat -P "$T/state/state.new" -P state.new -e inject=openat:error=EROFS "$IOVD" "\$@"
	SCRIPT
	chmod +x readonly-iovd
	IOVD=$T/readonly-iovd run iovprov apply new.yaml
	[ "$status" -eq 1 ]
	[[ $output == *"Read-only file system"* && $output == *"nothing was changed"* ]]
	cmp <(iovdump topology) old
}
