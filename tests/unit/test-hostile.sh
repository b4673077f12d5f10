#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A server that does everything that a server should not, against an iovd of its own: each case gets what it deserves, the vAdapter
# works afterwards, and a vAdapter of another server never notices. TAP comes from nvme-host.
set -eu
build=${IOV_BUILD:-.}

work=$(mktemp -d "${TMPDIR:-/tmp}/iov-test-XXXXXX")
iovd_pid=
# shellcheck disable=SC2317 # it is reached by the trap
finish() {
	if [ -n "$iovd_pid" ]; then
		kill "$iovd_pid" 2>/dev/null || :
		wait "$iovd_pid" 2>/dev/null || :
	fi
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

die() {
	echo "Bail out! $*"
	sed 's/^/# /' "$work/log"
	exit 1
}

wait_for() {
	tries=600
	while [ ! -e "$1" ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die "$1 did not appear"
		kill -0 "$iovd_pid" 2>/dev/null || die 'iovd has ended'
		sleep 0.1
	done
}

worker_of() { # worker_of SERVER: the process id that the log tells last
	sed -n "s/.*$1: worker \([0-9]*\) started.*/\1/p" "$work/log" | tail -n 1
}

mkdir "$work/state" "$work/run"
"$build/iovd" --state "$work/state" --run "$work/run" >"$work/log" 2>&1 &
iovd_pid=$!
wait_for "$work/run/mgmt.sock"
"$build/iovprov" -a "unix:$work/run/mgmt.sock" apply - >"$work/apply" 2>&1 <<'END' || die "$(cat "$work/apply")"
version: 1
kind: topology
servers:
  bad: {link: 0}
  good: {link: 1}
volumes:
  bad0: {adapter: ssd0, size: 64MiB}
  good0: {adapter: ssd0, size: 64MiB}
vadapters:
  bad-disk: {adapter: ssd0, namespaces: [{volume: bad0}], attach: {server: bad, slot: 0}}
  good-disk: {adapter: ssd0, namespaces: [{volume: good0}], attach: {server: good, slot: 0}}
END
wait_for "$work/run/servers/bad/0.sock"
wait_for "$work/run/servers/good/0.sock"
tries=100
while [ -z "$(worker_of good)" ] && [ "$tries" -gt 0 ]; do
	tries=$((tries - 1))
	sleep 0.1
done
before=$(worker_of good)

# The neighbour writes, reads and compares all the while.
mkfifo "$work/stop"
"$build/bench/nvme-host" "$work/run/servers/good/0.sock" verify <"$work/stop" >"$work/verified" 2>&1 &
verify_pid=$!
exec 9>"$work/stop"

failed=0
"$build/bench/nvme-host" "$work/run/servers/bad/0.sock" hostile >"$work/tap" || failed=1
still_there=no
if kill -0 "$verify_pid" 2>/dev/null; then
	still_there=yes
fi
exec 9>&-
verified=0
wait "$verify_pid" || verified=$?
sed '/^1\.\./d' "$work/tap"
number=$(grep -c '^\(not \)\{0,1\}ok ' "$work/tap")

number=$((number + 1))
if "$build/bench/nvme-host" "$work/run/servers/good/0.sock" smoke >/dev/null && [ -n "$before" ] &&
	[ "$(worker_of good)" = "$before" ] && kill -0 "$before"; then
	echo "ok $number - the other server's worker has not noticed"
else
	echo "not ok $number - the other server's worker has not noticed"
	failed=1
fi
number=$((number + 1))
if [ "$still_there" = yes ] && [ "$verified" -eq 0 ]; then
	echo "ok $number - its verified I/O went on all the time: $(cat "$work/verified")"
else
	echo "not ok $number - its verified I/O went on all the time: $(cat "$work/verified")"
	failed=1
fi

number=$((number + 1))
if "$build/iovdump" -a "unix:$work/run/mgmt.sock" isolation >/dev/null; then
	echo "ok $number - nothing overlaps, and the appliance answers"
else
	echo "not ok $number - nothing overlaps, and the appliance answers"
	failed=1
fi
echo "1..$number"
[ "$failed" -eq 0 ] || sed 's/^/# /' "$work/log"
exit "$failed"
