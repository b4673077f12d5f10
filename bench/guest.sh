#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fio in a guest: our vAdapter against QEMU's own nvme device, over the same file, in turn; medians of BENCH_ROUNDS (5). Then how many register
# writes a command costs where workers do not look out for work, where they do (BENCH_POLL_TIMES, microseconds), with fio on one of the
# guest's processors and on both. Needs what `./bootstrap guest-files` fetches. IOV_BUILD: the build tree.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/appliance.sh
. "$top/scripts/appliance.sh"
# shellcheck source=tests/guest/guest.sh
. "$top/tests/guest/guest.sh"
rounds=${BENCH_ROUNDS:-5} seconds=${BENCH_SECONDS:-2}

base=${TMPDIR:-/tmp}
[ -d /dev/shm ] && [ -w /dev/shm ] && base=/dev/shm
work=$(mktemp -d "$base/iov-bench-guest-XXXXXX")
export GUEST_DIR=$work/guests
file='' ours='' peer=''
mkdir "$GUEST_DIR"
finish() {
	guest_stop_all || :
	appliance_stop "$work" || :
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# With the poll time, if any, that is given.
begin() {
	POLL_TIME=${1:-50} appliance_start "$work"
	iov iovprov apply -q "$work/topology.yaml"
	file=$(find "$work/state/media/ssd0" -name '*.img')
	truncate -s 256M "$file"
	mapfile -t cable < <(iov iovctl server args web)
	guest_start web "${cable[@]}" \
		-blockdev "driver=raw,node-name=d,file.driver=file,file.filename=$file,file.locking=off" -device nvme,drive=d,serial=PEER
	ours=$(device OURS) peer=$(device PEER)
}

cat >"$work/topology.yaml" <<EOF
version: 1
kind: topology
servers: {web: {link: 0}}
volumes: {disk: {adapter: ssd0, size: 256MiB}}
vadapters:
  disk: {adapter: ssd0, persona: {serial: OURS}, namespaces: [{volume: disk}], attach: {server: web, slot: 0}}
EOF
# $1: serial number; the block device in the guest
device() {
	guest_run web "for d in /sys/block/nvme*n1; do grep -q $1 \$d/device/serial && echo /dev/\${d##*/}; done; true"
}

# one DEVICE OPERATION DEPTH [JOBS]: IOPS. Of fio's terse output (version 3) field 8 has those of reads, field 49 those of writes.
one() {
	local field=8
	[ "$2" = randread ] || field=49
	guest_run web "fio --name=x --allow_file_create=0 --filename=$1 --rw=$2 --bs=4k --iodepth=$3 --ioengine=libaio --direct=1 --time_based \
--runtime=$seconds --numjobs=${4:-1} --group_reporting --minimal" | grep '^3;' | cut -d';' -f"$field"
}

median() {
	sort -n | sed -n "$(((rounds + 1) / 2))p"
}

mmio() {
	iov iovctl vadapter show disk -o json | sed -n 's/.*"mmio_writes": *\([0-9]*\).*/\1/p'
}

# writes_row WHAT WRITES COMMANDS GOAL
writes_row() {
	awk -v what="$1" -v w="$2" -v n="$3" -v goal="$4" 'BEGIN {
		printf "%-46s %12.4f %12s %7s  %s\n", what, w / n, "-", "-", (goal ? (w / n < goal ? goal " held" : goal " missed") : "-") }'
}

begin
guest_run web "dd if=/dev/zero of=$ours bs=1M count=256 oflag=direct 2>/dev/null"
printf '%-46s %12s %12s %7s  %s\n' measurement ours peer ratio goal
for job in 'randread 1' 'randread 32' 'randwrite 1' 'randwrite 32'; do
	read -r operation depth <<<"$job"
	rm -f "$work/ours" "$work/peer" "$work/ratio"
	writes=0 done=0
	for ((i = 0; i < rounds; i++)); do
		before=$(mmio)
		a=$(one "$ours" "$operation" "$depth")
		writes=$((writes + $(mmio) - before)) done=$((done + a * seconds))
		b=$(one "$peer" "$operation" "$depth")
		echo "$a" >>"$work/ours"
		echo "$b" >>"$work/peer"
		awk "BEGIN { printf \"%.3f\\n\", $a / $b }" >>"$work/ratio"
	done
	awk -v what="guest, fio $operation, 4 KiB, depth $depth" -v a="$(median <"$work/ours")" -v b="$(median <"$work/peer")" \
		-v r="$(median <"$work/ratio")" 'BEGIN {
			printf "%-46s %7d IOPS %7d IOPS %7.3f  1.00 %s\n", what, a, b, r, (r >= 1 ? "held" : "missed") }'
	writes_row '  register writes per command' "$writes" "$done" "$([ "$depth" = 1 ] || echo 0.05)"
done

for us in ${BENCH_POLL_TIMES-0 50}; do
	guest_stop_all
	appliance_stop "$work"
	begin "$us"
	for jobs in 1 2; do
		rm -f "$work/writes"
		for ((i = 0; i < rounds; i++)); do
			before=$(mmio)
			a=$(one "$ours" randread 32 "$jobs")
			awk "BEGIN { print ($(mmio) - $before) / ($a * $seconds) }" >>"$work/writes"
		done
		writes_row "guest, depth 32, poll time $us us, $jobs jobs" "$(median <"$work/writes")" 1 0.05
	done
done
