#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A vAdapter with memory: pinned against one without: direct I/O and the page cache under $TMPDIR (or /tmp), which should be on a disk, and tmpfs.
set -eu
# shellcheck source=bench/wait-for.sh
. "$(dirname "$0")/wait-for.sh"
build=${IOV_BUILD:-.}
launch=${BENCH_LAUNCH:-}
iovd_pid='' work=''
finish() {
	if [ -n "$iovd_pid" ]; then
		kill "$iovd_pid" 2>/dev/null || :
		wait "$iovd_pid" 2>/dev/null || :
	fi
	[ -z "$work" ] || rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# measure DIRECTORY CACHE WHERE
measure() {
	work=$(mktemp -d "$1/iov-bench-XXXXXX")
	cat >"$work/chassis.yaml" <<-'END'
		version: 1
		kind: chassis
		links: 2
		slots: 1
		adapters: {ssd0: {kind: ssd, capacity: 1GiB}}
	END
	$launch "$build/iovd" --state "$work/state" --run "$work/run" --chassis "$work/chassis.yaml" --media-cache "$2" \
		--poll-time 0 >"$work/iovd.log" 2>&1 &
	iovd_pid=$!
	wait_for "$work/run/mgmt.sock"
	"$build/iovprov" -q -a "unix:$work/run/mgmt.sock" apply - <<-'END'
		version: 1
		kind: topology
		servers: {srv0: {link: 0}, srv1: {link: 1}}
		volumes:
		  vol0: {adapter: ssd0, size: 256MiB, provisioning: full}
		  vol1: {adapter: ssd0, size: 256MiB, provisioning: full}
		vadapters:
		  va0: {adapter: ssd0, memory: pinned, namespaces: [{volume: vol0}], attach: {server: srv0, slot: 0}}
		  va1: {adapter: ssd0, namespaces: [{volume: vol1}], attach: {server: srv1, slot: 0}}
	END
	wait_for "$work/run/servers/srv0/0.sock"
	wait_for "$work/run/servers/srv1/0.sock"
	sleep 1
	$launch "$build/bench/nvme-pinned" "$work/run/mgmt.sock" "$work/run/servers/srv0/0.sock" "$work/run/servers/srv1/0.sock" "$3"
	finish
	iovd_pid='' work=''
}

printf '%-46s %12s %12s %7s  %s\n' measurement pinned pageable ratio goal
disk=${TMPDIR:-/tmp}
kind=$(stat -f -c %T "$disk")
if [ "$kind" = tmpfs ]; then
	echo "bench: $disk is in memory: no figures for files on a disk, TMPDIR= says where there is one" >&2
else
	measure "$disk" direct direct
	measure "$disk" page 'page cache'
fi
if [ -w /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
	measure /dev/shm page tmpfs
fi
