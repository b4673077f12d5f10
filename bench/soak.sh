#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Hours of mixed load in a real guest, with verification, while the appliance is treated badly from outside: workers and the control
# process are killed, the link is retrained, neighbours are plugged in and out. SOAK_HOURS (2) or SOAK_MINUTES say how long,
# SOAK_SEED what is done when. Exits with 1 where anything went wrong, at once.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/appliance.sh
. "$top/scripts/appliance.sh"
# shellcheck source=tests/guest/guest.sh
. "$top/tests/guest/guest.sh"

seconds=$((${SOAK_MINUTES:-$((${SOAK_HOURS:-2} * 60))} * 60))
seed=${SOAK_SEED:-$RANDOM}
work=$(mktemp -d "${TMPDIR:-/tmp}/iov-soak.XXXXXX")
export GUEST_DIR=$work/guests GUEST_TIMEOUT=600
mkdir "$GUEST_DIR"

finish() {
	guest_stop_all
	appliance_stop "$work"
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

start() {
	local -a cable
	appliance_start "$work"
	cat >"$work/topology.yaml" <<-YAML
		version: 1
		kind: topology
		name: soak
		servers: {web: {link: 0, host: {qemu: $work/web.qmp}}}
		volumes:
		  disk: {adapter: ssd0, size: 192MiB}
		  spare: {adapter: ssd0, size: 64MiB}
		vadapters:
		  disk: {adapter: ssd0, persona: {serial: SOAK}, namespaces: [{volume: disk}], attach: {server: web, slot: 0}}
		  spare: {adapter: ssd0, persona: {serial: SPARE}, namespaces: [{volume: spare}]}
	YAML
	iov iovprov -q apply "$work/topology.yaml"
	mapfile -t cable < <(iov iovctl server args web --ports 4)
	guest_start web "${cable[@]}"
	guest_run web 'until test -b /dev/nvme0n1; do sleep 0.1; done; dmesg -c >/dev/null'
}

# One fio run of each kind in turn, of which each verifies all that it has written.
# `run` is judged by its caller, so nothing here ends it but `return`.
fio_common='--name=soak --direct=1 --verify=crc32c --verify_fatal=1 --verify_backlog=64 --randrepeat=0'
kinds=(
	"--rw=randrw --rwmixread=40 --bsrange=512-64k --iodepth=16 --ioengine=libaio --fsync=32"
	"--rw=randrw --rwmixread=30 --bsrange=4k-128k --iodepth=32 --ioengine=io_uring"
	"--rw=write --bs=128k --iodepth=8 --ioengine=libaio --fdatasync=16"
	"--rw=randwrite --bssplit=512/20:4k/50:64k/20:1m/10 --iodepth=4 --ioengine=libaio --fsync=8"
)

load() {
	local kind=$1 length=$2
	if ((kind < ${#kinds[@]})); then
		# Beside it another job trims what is behind.
		guest_run web "fio --filename=/dev/nvme0n1 --time_based --runtime=$length $fio_common --size=128m ${kinds[kind]} \
			--name=trim --rw=randtrim --bs=64k --offset=128m --size=64m --iodepth=2 --ioengine=libaio --direct=1 >/tmp/out 2>&1 ||
			{ tail -n 20 /tmp/out; exit 1; }; blkdiscard /dev/nvme0n1"
	else
		# The same below a file system, which is unmounted, checked and trimmed.
		guest_run web "mkfs.ext4 -q -F /dev/nvme0n1 && mount /dev/nvme0n1 /mnt && fio $fio_common --directory=/mnt --size=96m \
			--time_based --runtime=$length ${kinds[0]} >/tmp/out 2>&1 || { tail -n 20 /tmp/out; exit 1; }
			fstrim /mnt && umount /mnt && e2fsck -fn /dev/nvme0n1 >/tmp/out 2>&1 || { tail -n 20 /tmp/out; exit 1; }"
	fi
}

server() {
	iov iovctl server list -o json | jq -r ".servers[0].$1"
}

# The control process may just have been killed: whoever asks in that moment asks again.
again() {
	local tries
	for ((tries = 0; tries < 50; tries++)); do
		"$@" >"$work/said" 2>&1 && return
		sleep 0.2
	done
	cat "$work/said" >&2
	return 1
}

spare_in() {
	[[ $(iov iovctl vadapter list -o json | jq -r '.vadapters[] | select(.name == "spare").state') == connected ]] ||
		iov iovctl vadapter attach spare web 2
}

spare_out() {
	[[ $(iov iovctl vadapter list -o json | jq -r '.vadapters[] | select(.name == "spare").state') == detached ]] ||
		iov iovctl vadapter detach spare
}

declare -A done_so_far=()

trouble() {
	local pid what
	case $((RANDOM % 8)) in
	0 | 1 | 2)
		what="workers killed"
		pid=$(server worker_pid) || return 0
		((pid > 0)) || return 0
		kill -9 "$pid" 2>/dev/null || :
		;;
	3)
		what="control processes killed"
		kill -9 "$(cat "$work/state/lock")" 2>/dev/null || :
		;;
	4 | 5)
		what="links retrained"
		again iov iovctl link retrain web
		;;
	6)
		what="neighbours plugged in"
		again spare_in
		;;
	7)
		what="neighbours taken out"
		again spare_out
		;;
	esac || return
	done_so_far[$what]=$((${done_so_far[$what]-0} + 1))
}

complaints() {
	guest_run web "dmesg -r | grep '^<[0-4]>' | grep -e 'nvme nvme0' -e nvme0n1 -e 'I/O error' -e hung -e EXT4-fs; true"
}

run() {
	local began=$SECONDS round=0 length fio what said
	while ((SECONDS - began < seconds)); do
		length=$((seconds - (SECONDS - began)))
		length=$((length < 60 ? length : 60))
		# The first five are short, so that also a short run has all kinds.
		length=$((round < 5 && length > seconds / 6 ? seconds / 6 : length))
		load $((round % (${#kinds[@]} + 1))) "$((length > 5 ? length : 5))" &
		fio=$!
		while kill -0 "$fio" 2>/dev/null; do
			trouble || return
			sleep "$((RANDOM % 3)).$((RANDOM % 10))"
		done
		wait "$fio" || return
		said=$(complaints) || return
		if [[ $said ]]; then
			printf '%s\n' "$said"
			return 1
		fi
		round=$((round + 1))
		printf '%d s, %d loads, no error' $((SECONDS - began)) "$round"
		for what in "${!done_so_far[@]}"; do
			printf ', %d %s' "${done_so_far[$what]}" "$what"
		done
		printf '\n'
	done
	again spare_out || return
	[[ $(iov iovctl vadapter list -o json | jq '[.vadapters[] | select(.name == "disk").state] == ["connected"]') == true ]]
}

RANDOM=$seed
printf 'mixed load for %d s, SOAK_SEED=%d\n' "$seconds" "$seed"
start
run || {
	printf 'FAILED: the end of the log of iovd, and of what the guest says:\n'
	tail -n 20 "$work/iovd.log"
	complaints || :
	exit 1
}
