#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Workers and the control process are killed under a real server: Linux in QEMU, which never connects again. It must see pauses only.

load_libraries() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	# shellcheck source=scripts/appliance.sh
	. "$top/scripts/appliance.sh"
	# shellcheck source=tests/guest/guest.sh
	. "$top/tests/guest/guest.sh"
}

setup_file() {
	local -a cable
	load_libraries
	work=$(mktemp -d "${TMPDIR:-/tmp}/iov-restart.XXXXXX")
	export work GUEST_DIR=$work/guests
	mkdir "$GUEST_DIR"
	appliance_start "$work"
	iov iovprov apply "$top/examples/rack.yaml"
	mapfile -t cable < <(iov iovctl server args web01)
	[ "${#cable[@]}" -gt 0 ]
	guest_start web01 "${cable[@]}"
	guest_run web01 'until test -b /dev/nvme0n1; do sleep 0.1; done; dmesg -c >/dev/null'
}

teardown_file() {
	load_libraries
	guest_stop_all
	appliance_stop "$work"
	rm -rf "$work"
}

setup() {
	load_libraries
}

worker() {
	iov iovctl server list -o json | jq '.servers[] | select(.name == "web01") | .worker_pid'
}

# next_worker PID: waits until another one serves, and prints it.
next_worker() {
	local i now
	for ((i = 0; i < 400; i++)); do
		now=$(worker)
		if [[ $now -gt 0 && $now != "$1" ]]; then
			echo "$now"
			return
		fi
		sleep 0.05
	done
	echo "no worker came after $1" >&2
	return 1
}

# fio_under COMMAND...: fio writes, reads and verifies in the guest while the command kills; both must succeed, and the guest's
# driver must not complain.
fio_under() {
	guest_run web01 'fio --name=v --filename=/dev/nvme0n1 --rw=randrw --bsrange=512-64k --size=24m --direct=1 --ioengine=libaio \
		--allow_file_create=0 --iodepth=16 --verify=crc32c --verify_fatal=1 --verify_backlog=64 --time_based --runtime=12 --minimal >/tmp/out 2>&1
		echo "status $?"; tail -n 5 /tmp/out' >"$work/fio" &
	local fio=$!
	"$@"
	wait "$fio"
	cat "$work/fio"
	grep -qx 'status 0' "$work/fio"
	run guest_run web01 "dmesg -r | grep '^<[0-4]>' | grep -e nvme -e 'I/O error' -e hung; true"
	echo "$output"
	[ -z "$output" ]
}

kill_workers() {
	local pid n
	pid=$(worker)
	for ((n = 0; n < 25; n++)); do
		kill -9 "$pid"
		pid=$(next_worker "$pid") || return 1
		sleep 0.2
	done
	echo "$n kills" >&2
}

kill_both() {
	local n pid
	for ((n = 0; n < 6; n++)); do
		pid=$(worker)
		kill -9 "$(cat "$work/state/lock")"
		((n % 2)) && kill -9 "$pid"
		next_worker 0 >/dev/null || return 1
		sleep 1
	done
}

@test "25 kills of the worker under fio: no error, verify is clean, no complaint of the driver" {
	fio_under kill_workers
}

@test "kills of the control process, alone and with the worker, under fio" {
	fio_under kill_both
	iov iovprov plan "$top/examples/rack.yaml"
}

@test "the worker is killed while the server resets the controller, ten times" {
	kill_now_and_then() {
		local pid n
		for ((n = 0; n < 20; n++)); do
			pid=$(worker)
			kill -9 "$pid" || true
			next_worker "$pid" >/dev/null || return 1
		done
	}
	guest_run web01 'for i in 1 2 3 4 5 6 7 8 9 10; do echo 1 >/sys/class/nvme/nvme0/reset_controller || exit 1; done
		until grep -qx live /sys/class/nvme/nvme0/state; do sleep 0.1; done' &
	local guest=$!
	kill_now_and_then
	wait "$guest"
	guest_run web01 'dd if=/dev/nvme0n1 of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null'
}

@test "the server boots again and finds its disk after all that" {
	guest_reboot web01
	guest_run web01 'until test -b /dev/nvme0n1; do sleep 0.1; done; dd if=/dev/nvme0n1 of=/dev/null bs=64k count=16 iflag=direct 2>/dev/null'
}
