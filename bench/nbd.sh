#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A vAdapter over an export of an NBD server (nbdkit, in memory, on a socket of its own) against libnbd by itself on the same server.
set -eu
# shellcheck source=bench/wait-for.sh
. "$(dirname "$0")/wait-for.sh"
build=${IOV_BUILD:-.}
launch=${BENCH_LAUNCH:-}
command -v nbdkit >/dev/null || {
	echo 'bench: nbdkit is not installed: no figures for NBD' >&2
	exit 0
}
work=$(mktemp -d "${TMPDIR:-/tmp}/iov-bench-XXXXXX")
iovd_pid='' nbd_pid=''
finish() {
	for pid in $iovd_pid $nbd_pid; do
		kill "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

$launch nbdkit -f -U "$work/nbd.sock" memory 256M >"$work/nbd.log" 2>&1 &
nbd_pid=$!
wait_for "$work/nbd.sock"
cat >"$work/chassis.yaml" <<END
version: 1
kind: chassis
links: 1
slots: 1
adapters: {nbd0: {kind: ssd, capacity: 1GiB, backend: "nbd+unix:///?socket=$work/nbd.sock"}}
END
$launch "$build/iovd" --state "$work/state" --run "$work/run" --chassis "$work/chassis.yaml" >"$work/iovd.log" 2>&1 &
iovd_pid=$!
wait_for "$work/run/mgmt.sock"
"$build/iovprov" -q -a "unix:$work/run/mgmt.sock" apply - <<'END'
version: 1
kind: topology
servers: {srv0: {link: 0}}
volumes: {vol0: {adapter: nbd0, size: 256MiB, on_remove: retain}}
vadapters: {va0: {adapter: nbd0, namespaces: [{volume: vol0}], attach: {server: srv0, slot: 0}}}
END
wait_for "$work/run/servers/srv0/0.sock"
sleep 1
printf '%-46s %12s %12s %7s  %s\n' measurement ours libnbd ratio goal
$launch "$build/bench/nvme-nbd" "$work/run/mgmt.sock" "$work/run/servers/srv0/0.sock" "$work/nbd.sock" vol0
