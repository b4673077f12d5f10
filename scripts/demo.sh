#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The whole line once: an appliance, a topology, two unmodified Linux guests that use their virtual disks. Needs no root, leaves
# nothing behind, and exits 0 only if all of it held. `./bootstrap demo` does the set-up and runs this.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/appliance.sh
. "$top/scripts/appliance.sh"
# shellcheck source=tests/guest/guest.sh
. "$top/tests/guest/guest.sh"

work=$(mktemp -d "${TMPDIR:-/tmp}/iov-demo.XXXXXX")
export GUEST_DIR=$work/guests
mkdir "$GUEST_DIR"
load=

cleanup() {
	local status=$?
	trap '' INT TERM
	[[ ! $load ]] || kill "$load" 2>/dev/null || :
	guest_stop_all
	appliance_stop "$work"
	if ((status != 0)); then
		printf '\nThe demo failed; the end of the log of iovd:\n' >&2
		tail -n 15 "$work/iovd.log" >&2 || :
	fi
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

step() {
	printf '\n== %s\n' "$*"
}

# Runs a command in a guest, shows it, and insists that it succeeds and prints what is expected.
inside() {
	local server=$1 expected=$2 command=$3 output
	printf '%s# %s\n' "$server" "$command"
	output=$(guest_run "$server" "$command") || {
		printf '%s\n' "$output"
		printf 'demo: this failed inside %s: %s\n' "$server" "$command" >&2
		exit 1
	}
	[[ ! $output ]] || printf '%s\n' "$output"
	if [[ $output != *"$expected"* ]]; then
		printf 'demo: expected to see "%s" in this\n' "$expected" >&2
		exit 1
	fi
}

# And the same from the outside.
outside() {
	local expected=$1 output
	shift
	printf '$ %s\n' "$*"
	output=$(iov "$@") || {
		printf 'demo: this failed: %s\n' "$*" >&2
		exit 1
	}
	[[ ! $output ]] || printf '%s\n' "$output"
	if [[ $output != *"$expected"* ]]; then
		printf 'demo: expected to see "%s" in this\n' "$expected" >&2
		exit 1
	fi
}

declare -A disk=([web01]=WEB01DISK [db01]=IOV)
servers=(web01 db01)

step "the appliance: iovd on examples/chassis.yaml"
appliance_start "$work"

step "what we want from it: examples/rack.yaml"
outside "" iovprov apply "$top/examples/rack.yaml"

for server in "${servers[@]}"; do
	step "server $server boots Debian's kernel, cabled by: iovctl server args $server"
	mapfile -t cable < <(iov iovctl server args "$server")
	printf '%s\n' "${cable[@]}"
	if ((${#cable[@]} == 0)); then
		printf 'demo: iovctl gave no arguments for %s\n' "$server" >&2
		exit 1
	fi
	guest_start "$server" "${cable[@]}"
done

for server in "${servers[@]}"; do
	step "inside $server: its own nvme driver, its disk, a file that reads back"
	inside "$server" "Non-Volatile memory controller" lspci
	inside "$server" "${disk[$server]}" "nvme list"
	inside "$server" "" "mkfs.ext4 -q /dev/nvme0n1 && mount /dev/nvme0n1 /mnt && lsblk"
	inside "$server" "/mnt/data" "head -c 8388608 /dev/urandom >/mnt/data && sha256sum /mnt/data | tee /tmp/sum"
	# Through umount and mount, so that it comes from the disk and not from memory.
	inside "$server" "/mnt/data: OK" "umount /mnt && mount /dev/nvme0n1 /mnt && sha256sum -c /tmp/sum && umount /mnt"
done

step "from the outside, while web01 is busy"
guest_run web01 "fio --name=load --allow_file_create=0 --filename=/dev/nvme0n1 --rw=randread --bs=4k --direct=1 --ioengine=libaio --iodepth=8 \
	--time_based --runtime=6 --size=256m --minimal" >/dev/null &
load=$!
outside web-disk iovctl vadapter list
outside db01 iovctl server list
outside web-disk iovtop -b -n 2
wait "$load"
load=

step "all of it held"
