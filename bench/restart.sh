#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# restart.sh KILLS [control]: start an iovd of its own, and kill the worker of a server under load so often (with `control`, at every
# fifth kill the control process too). Figures and what went wrong go to stdout; exits with 1 where anything did.
set -eu
build=${IOV_BUILD:-.}
base=${TMPDIR:-/tmp}
if [ -d /dev/shm ] && [ -w /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
	base=/dev/shm
fi
work=$(mktemp -d "$base/iov-soak-XXXXXX")
iovd_pid=''
finish() {
	if [ -n "$iovd_pid" ]; then
		kill "$iovd_pid" 2>/dev/null || :
		wait "$iovd_pid" 2>/dev/null || :
	fi
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

"$build/iovd" --state "$work/state" --run "$work/run" --log-level 3 &
iovd_pid=$!
tries=100
while [ ! -S "$work/run/mgmt.sock" ]; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || exit 1
	sleep 0.1
done
"$build/iovprov" -q -a "unix:$work/run/mgmt.sock" apply - <<'END'
version: 1
kind: topology
servers: {srv0: {link: 0}}
volumes: {vol0: {adapter: ssd0, size: 64MiB}}
vadapters: {va0: {adapter: ssd0, namespaces: [{volume: vol0}], attach: {server: srv0, slot: 0}}}
END
echo "a worker killed under load, with verification; goal: p99 under 100 ms, no error"
"$build/bench/restart" "$work/run/mgmt.sock" "$work/run/servers/srv0/0.sock" srv0 "$1" ${2:+"$work/state/lock"} 2>&1
