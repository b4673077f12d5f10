#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Start an iovd of its own with 64 vAdapters under four servers and a few under others, run the benchmarks against it, end it. Figures go to stdout.
# BENCH_IDLE_SECONDS shortens the idle measurement, BENCH_ONLY names those that are to be run. BENCH_LAUNCH goes
# before each command: on a busy machine 'chrt -f 10' (as root) keeps others out of the figures.
set -eu
build=${IOV_BUILD:-.}
seconds=${BENCH_IDLE_SECONDS:-10}
launch=${BENCH_LAUNCH:-}

# Media in memory where there is some: it is the processor's work that is measured.
base=${TMPDIR:-/tmp}
kind='a disk file system: reads come from the page cache'
if [ -d /dev/shm ] && [ -w /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
	base=/dev/shm kind=tmpfs
fi
work=$(mktemp -d "$base/iov-bench-XXXXXX")
iovd_pid='' scale=''
finish() {
	if [ -n "$iovd_pid" ]; then
		kill "$iovd_pid" 2>/dev/null || :
		wait "$iovd_pid" 2>/dev/null || :
	fi
	rm -rf "$work" "$scale"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

die() {
	echo "bench: $*" >&2
	sed 's/^/bench: iovd: /' "$work/iovd.log" >&2 || :
	exit 1
}

# wait_for FILE: until it is there, ten seconds at most
wait_for() {
	tries=100
	while [ ! -e "$1" ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die "$1 did not appear"
		kill -0 "$iovd_pid" 2>/dev/null || die "iovd has ended"
		sleep 0.1
	done
}

servers='0 1 2 3'
slots='0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15'

chassis() {
	echo 'version: 1'
	echo 'kind: chassis'
	echo 'links: 10'
	echo 'slots: 16'
	echo 'adapters:'
	echo '  ssd0: {kind: ssd, capacity: 64GiB}'
	echo '  ram0: {kind: ssd, capacity: 1GiB, media: ram}'
	echo '  shared0: {kind: ssd, capacity: 1GiB, media: ram, iops: 20k}'
}

topology() {
	echo 'version: 1'
	echo 'kind: topology'
	echo 'servers:'
	for s in $servers; do echo "  srv$s: {link: $s}"; done
	echo '  ram: {link: 4}'
	echo '  mapped: {link: 5}'
	echo '  new: {link: 6}'
	echo '  heavy: {link: 7}'
	echo '  light: {link: 8}'
	echo '  full: {link: 9}'
	echo 'volumes:'
	echo '  ram: {adapter: ram0, size: 256MiB}'
	echo '  mapped: {adapter: ram0, size: 256MiB}'
	echo '  full: {adapter: ram0, size: 256MiB, provisioning: full}'
	echo '  heavy: {adapter: shared0, size: 64MiB}'
	echo '  light: {adapter: shared0, size: 64MiB}'
	for v in $slots; do echo "  new.$v: {adapter: ssd0, size: 16MiB}"; done
	for s in $servers; do for v in $slots; do
		size=16MiB
		[ "$v" = 0 ] && size=64MiB
		[ "$s.$v" = 0.0 ] && size=256MiB
		echo "  vol$s.$v: {adapter: ssd0, size: $size}"
	done; done
	echo 'qos:'
	echo '  heavy: {weight: 300}'
	echo 'vadapters:'
	echo '  heavy: {adapter: shared0, qos: heavy, namespaces: [{volume: heavy}], attach: {server: heavy, slot: 0}}'
	echo '  light: {adapter: shared0, namespaces: [{volume: light}], attach: {server: light, slot: 0}}'
	echo '  ram: {adapter: ram0, namespaces: [{volume: ram}], attach: {server: ram, slot: 0}}'
	echo '  full: {adapter: ram0, namespaces: [{volume: full}], attach: {server: full, slot: 0}}'
	echo '  mapped: {adapter: ram0, polling: always, namespaces: [{volume: mapped}], attach: {server: mapped, slot: 0}}'
	for s in $servers; do for v in $slots; do
		echo "  va$s.$v: {adapter: ssd0, namespaces: [{volume: vol$s.$v}], attach: {server: srv$s, slot: $v}}"
	done; done
}

mkdir "$work/state" "$work/run"
# shellcheck disable=SC2086 # a command and its arguments
chassis >"$work/chassis.yaml"
# shellcheck disable=SC2086 # a command and its arguments
$launch "$build/iovd" --state "$work/state" --run "$work/run" --chassis "$work/chassis.yaml" >"$work/iovd.log" 2>&1 &
iovd_pid=$!
mgmt=$work/run/mgmt.sock
wait_for "$mgmt"
topology >"$work/topology.yaml"
"$build/iovprov" -a "unix:$mgmt" apply "$work/topology.yaml" >"$work/apply.log" 2>&1 || die "$(cat "$work/apply.log")"
sockets=
for s in $servers; do for v in $slots; do
	wait_for "$work/run/servers/srv$s/$v.sock"
	sockets="$sockets $work/run/servers/srv$s/$v.sock"
done; done
first=$work/run/servers/srv0/0.sock
# A socket is there a moment before the worker that is to be measured has said who it is.
sleep 1

echo "iov-tools bench: $(nproc) processors, $(uname -r), media on $kind"
echo
printf '%-46s %12s %12s %7s  %s\n' measurement ours peer ratio goal
# bench NAME ARGUMENT...: run one, unless BENCH_ONLY names others
bench() {
	name=$1
	shift
	case " ${BENCH_ONLY:-$name} " in
	*" $name "*) ;;
	*) return ;;
	esac
	# shellcheck disable=SC2086 # a command and its arguments
	$launch "$build/bench/$name" "$@" || die "$name failed"
}

# medium VOLUME: its file
medium() {
	number=$("$build/iovctl" -a "unix:$mgmt" volume show "$1" -o json | sed -n 's/.*"id": *\([0-9]*\).*/\1/p')
	printf '%s/state/media/ssd0/%s.img' "$work" "$number"
}

bench register-read "$mgmt" "$first"
bench nvme-read "$mgmt" "$first" "$(medium vol0.0)"
bench nvme-speed "$mgmt" "$work/run/servers/ram/0.sock" "$work/run/servers/mapped/0.sock"
bench nvme-pages "$mgmt" "$work/run/servers/full/0.sock" "$work/run/servers/ram/0.sock"
bench nvme-file "$mgmt" "$first" "$(medium vol0.0)"
four=
for s in $servers; do
	four="$four $work/run/servers/srv$s/0.sock $(medium "vol$s.0")"
done
# shellcheck disable=SC2086 # one argument each
bench nvme-four "$mgmt" 64 $four
bench weights "$work/run/servers/heavy/0.sock" "$work/run/servers/light/0.sock" 20000
# shellcheck disable=SC2086 # one argument each
bench idle "$mgmt" "$seconds" $sockets
bench create "$mgmt" "$work/run" new 16
# Durable is what apply is to be: on a disk, where there is one.
scale=$(mktemp -d "${TMPDIR:-/tmp}/iov-bench-XXXXXX")
bench scale "$build" "$scale"
echo
echo 'peers: register read: epoll ping-pong of 32 and 40 bytes; random read and file: io_uring straight on the file, or fio; idle: nothing; full, thin: provisioning, one against the other; create: posix_spawn of true; scale: named in the row'
