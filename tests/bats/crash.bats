#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# iovd is killed in the midst of an apply, at every system call in turn: what is there afterwards is the old state or the new one, the
# history fits it, and a second apply converges.
load common

setup() {
	appliance_setup
	sed 's/db-data:  {adapter: ssd1, size: 1GiB/db-data:  {adapter: ssd1, size: 2GiB/; s/WEB01DISK/CHANGED/' rack.yaml > new.yaml
	iovprov apply -q rack.yaml
	iovdump topology > old
	cp -r state state.old
	iovprov apply -q new.yaml
	iovdump topology > new
	before=state.old command=(iovprov apply -q new.yaml)
	run cmp old new
	[ "$status" -ne 0 ]
	cat > killed-iovd <<-SCRIPT
		#!/bin/sh
		# Leaks cannot be looked for under ptrace, and saying so is a system call, too.
		export ASAN_OPTIONS="\$ASAN_OPTIONS:detect_leaks=0"
		exec strace -f -qq -o "$T/trace" -e "trace=\$CALLS" -e "inject=\$CALLS:signal=KILL:when=\$WHEN" "$IOVD" "\$@"
	SCRIPT
	chmod +x killed-iovd
}

teardown() {
	appliance_teardown
}

restore() {
	rm -rf state
	cp -r "$before" state
}

# Neither a mixture, nor anything that keeps a second apply from converging.
check_killed() {
	iovdump topology > now
	cmp -s now old || cmp -s now new || {
		echo "killed at $1 number $2: neither the old nor the new state" >&2
		diff old now >&2
		return 1
	}
	iovprov apply -q new.yaml && cmp <(iovdump topology) new
}

# The history ends with what is now, and can be read.
check_history() {
	local generation
	iovprov history -o name > generations
	[ "$(head -n 1 generations)" -eq "$(cmp -s <(iovdump topology) old && echo 1 || echo 2)" ] || return 1
	while read -r generation; do
		iovprov show "$generation" > shown || return 1
	done < generations
}

# A commit that waits to be confirmed waits as a whole: where it is, it can be kept, and where it is not, there is nothing to keep.
check_waiting() {
	if cmp -s <(iovdump topology) old; then
		run iovprov confirm
		[ "$status" -eq 1 ]
	else
		iovprov confirm
	fi
}

# What was to be kept is there, whether it still waits or not.
check_kept() {
	cmp <(iovdump topology) new
	run iovprov confirm
	[ "$status" -eq 0 ] || [[ $output == *"nothing waits to be confirmed"* ]]
}

# kill_at CALL FIRST [CHECK]: at a thread's FIRST call of that kind, the one after it, ... until it gets through without; prints how
# often it was killed. Threads count for themselves: those of the thread that writes are reached where the event loop makes no such calls.
kill_at() {
	local n kills=0
	for ((n = $2; n < $2 + 100; n++)); do
		restore
		if CALLS=$1 WHEN=$n IOVD=$T/killed-iovd "${command[@]}" 2> /dev/null; then
			cmp <(iovdump topology) new || return 1
			# Killed after it had answered, or not at all: only a run without a kill ends the series.
			grep -q 'killed by SIGKILL' trace || break
		fi
		kills=$((kills + 1))
		${3:-true} && check_killed "$1" "$n" || return 1
	done
	((n < $2 + 100)) && echo "$kills"
}

@test "killed at every call that changes a file, all of which the writing thread makes" {
	[ "$(kill_at mkdirat 1 check_history)" -ge 1 ]
	[ "$(kill_at unlinkat 1 check_history)" -ge 2 ]
	[ "$(kill_at linkat 1 check_history)" -ge 1 ]
	[ "$(kill_at renameat 1 check_history)" -ge 2 ]
	[ "$(kill_at write 1 check_history)" -ge 2 ]
	[ "$(kill_at fsync 1 check_history)" -ge 3 ]
	restore
	CALLS=mkdir,mkdirat,unlink,unlinkat,link,linkat,rename,renameat,renameat2,write,pwrite64,pwritev,fsync,fdatasync,ftruncate,fallocate \
		WHEN=1000 IOVD=$T/killed-iovd "${command[@]}"
	# The state directory is there, the lock's process id for people, and the tables are memory; an interrupt or the thread's end is told
	# by an eventfd's eight bytes. All else is in the series above.
	grep -v -e ' mkdir(' -e pwrite64 -e ftruncate -e '<\.\.\.' -e '+++' -e 'write([0-9]*, "\\1\\0\\0\\0\\0\\0\\0\\0", 8)' trace > changes
	run grep -v -e ' mkdirat(' -e ' unlinkat(' -e ' linkat(' -e ' renameat(' -e ' write(' -e ' fsync(' changes
	[ -z "$output" ]
	[ "$(cut -d ' ' -f 1 changes | sort -u | wc -l)" -eq 1 ]
}

@test "killed at every call of the event loop, from the state's lock on" {
	local call first n kills=0 reached=0
	restore
	CALLS=all WHEN=10000 IOVD=$T/killed-iovd "${command[@]}"
	# What the loader does before is no part of an apply. Of each kind of call, the first behind that.
	awk 'NR == 1 { main = $1 }
		$1 != main || $2 ~ /^(<|\+)/ { next }
		/openat.*"lock"/ { locked = 1 }
		{ sub(/\(.*/, "", $2); n[$2]++ }
		locked && !($2 in first) { first[$2] = n[$2] }
		END { for (call in first) print call, first[call] }' trace > calls
	[ "$(wc -l < calls)" -ge 10 ]
	while read -r call first; do
		n=$(kill_at "$call" "$first" < /dev/null)
		# Not every run makes them all: a futex is called only where the other thread has the lock just then.
		reached=$((reached + (n > 0)))
		kills=$((kills + n))
	done < calls
	[ "$reached" -ge 20 ]
	[ "$kills" -ge 50 ]
}

@test "killed at every call that changes a file of an apply that waits to be confirmed, and of its confirmation" {
	local call
	command=(iovprov apply -q new.yaml --confirm 1h)
	for call in unlinkat linkat renameat write fsync; do
		[ "$(kill_at "$call" 1 check_waiting)" -ge 1 ]
	done
	restore
	"${command[@]}"
	cp -r state state.waiting
	before=state.waiting command=(iovprov confirm)
	for call in unlinkat renameat write fsync; do
		[ "$(kill_at "$call" 1 check_kept)" -ge 1 ]
	done
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
