#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Resets of every scope from inside a guest, under its own load, and a neighbour whose verified I/O goes on all the time.

bats_require_minimum_version 1.5.0

load_libraries() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	# shellcheck source=scripts/appliance.sh
	. "$top/scripts/appliance.sh"
	# shellcheck source=tests/guest/guest.sh
	. "$top/tests/guest/guest.sh"
}

boot() {
	local server=$1
	local -a cable
	mapfile -t cable < <(iov iovctl server args "$server")
	# With native hot-plug the root port tells that its link is up, for which Linux waits after a bus reset.
	guest_start "$server" "${cable[@]}" -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off -qmp "unix:$work/$server.qmp,server=on,wait=off"
}

setup_file() {
	load_libraries
	work=$(mktemp -d "${TMPDIR:-/tmp}/iov-resets.XXXXXX")
	export work GUEST_DIR=$work/guests
	mkdir "$GUEST_DIR"
	appliance_start "$work"
	iov iovprov apply -q "$top/examples/rack.yaml"
	boot web01
	boot db01
	BDF=$(guest_run web01 'lspci -Dn -d ::0108' | cut -d' ' -f1)
	export BDF
}

teardown_file() {
	load_libraries
	guest_stop_all
	appliance_stop "$work"
	rm -rf "$work"
}

# A file is on the disk whose sum is known outside the guest, so that it can be checked after a reboot as well.
setup() {
	load_libraries
	guest_run web01 "$live; mkfs.ext4 -qF /dev/nvme0n1 256m && mount /dev/nvme0n1 /mnt && head -c 4194304 /dev/urandom >/mnt/file &&
		umount /mnt"
	sum=$(guest_run web01 'mount /dev/nvme0n1 /mnt && sha256sum </mnt/file && umount /mnt')
	resets=$(count web-disk resets)
	neighbour_start
}

teardown() {
	load_libraries
	guest_run db01 'touch /tmp/stop'
}

live='until grep -qx live /sys/class/nvme/nvme0/state && test -b /dev/nvme0n1; do sleep 0.1; done'

count() {
	iov iovctl vadapter show "$1" -o json | jq ".vadapters[0].counters.$2"
}

file_is_there() {
	[ "$(guest_run web01 "$live; mount /dev/nvme0n1 /mnt && sha256sum </mnt/file && umount /mnt")" = "$sum" ]
}

# The neighbour works until it is told to stop, however long a reset takes, and verifies all that it wrote.
neighbour_start() {
	neighbour_resets=$(count db-disk resets) neighbour_errors=$(count db-disk errors) neighbour_worker=$(worker db01)
	guest_run db01 'rm -f /tmp/stop /tmp/ended; { (until test -e /tmp/stop; do fio --name=n --filename=/dev/nvme0n1 --rw=randrw \
		--allow_file_create=0 --bs=4k --size=4m --direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c --verify_fatal=1 --minimal || exit 1; done)
		echo $? >/tmp/ended; } >/tmp/load 2>&1 &'
}

neighbour_lost_nothing() {
	# It was at work all the time, and does at least one round more from here on.
	# shellcheck disable=SC2016 # the guest's shell expands it
	guest_run db01 'test ! -e /tmp/ended && n=$(grep -c ";fio-" /tmp/load)
		until test -e /tmp/ended || [ "$(grep -c ";fio-" /tmp/load)" -gt "$n" ]; do sleep 0.1; done
		touch /tmp/stop; until test -e /tmp/ended; do sleep 0.1; done'
	run guest_run db01 'grep -v ";fio-" /tmp/load; dmesg -r | grep "^<[0-4]>" | grep -e nvme -e pcieport -e AER; cat /tmp/ended'
	echo "$output"
	[[ ${lines[-1]} == 0 && $output != *"<4>"* && $output != *"<3>"* ]]
	[ "$(count db-disk resets)" -eq "$neighbour_resets" ]
	[ "$(count db-disk errors)" -eq "$neighbour_errors" ]
	[ "$(worker db01)" = "$neighbour_worker" ]
}

worker() {
	iov iovctl server list -o json | jq ".servers[] | select(.name == \"$1\").worker_pid"
}

# I/O of its own, in the background, on a part of the disk that the file system does not use: it goes on after a reset.
own_load='fio --name=o --filename=/dev/nvme0n1 --offset=512m --size=8m --rw=randrw --bs=4k --direct=1 --ioengine=libaio --iodepth=8
	--allow_file_create=0 --time_based --runtime=4 --verify=crc32c --verify_fatal=1 --minimal >/tmp/own 2>&1; echo $? >/tmp/own.ended'

reset_under_own_load() {
	guest_run web01 "rm -f /tmp/own.ended; { ${own_load//$'\n'/ }; } & sleep 1; test ! -e /tmp/own.ended &&
		echo $1 >/sys/bus/pci/devices/$BDF/reset_method && echo 1 >/sys/bus/pci/devices/$BDF/reset"
	run guest_run web01 'until test -e /tmp/own.ended; do sleep 0.1; done; grep -v ";fio-" /tmp/own; cat /tmp/own.ended'
	echo "$output"
	[ "${lines[-1]}" -eq 0 ]
	[ "$(count web-disk resets)" -gt "$resets" ]
}

@test "Function Level Reset under load of its own" {
	reset_under_own_load flr
	file_is_there
	neighbour_lost_nothing
}

@test "bus reset under load of its own" {
	reset_under_own_load bus
	file_is_there
	neighbour_lost_nothing
}

@test "secondary bus reset by the root port's Bridge Control, and the function is found again" {
	local port
	port=$(guest_run web01 "basename \$(dirname \$(readlink -f /sys/bus/pci/devices/$BDF))")
	[[ $port == 0000:00:* ]]
	guest_run web01 "echo $BDF >/sys/bus/pci/drivers/nvme/unbind && setpci -s $BDF COMMAND=0406 INTERRUPT_LINE=77 &&
		setpci -s $port BRIDGE_CONTROL=40:40 && sleep 0.1 && setpci -s $port BRIDGE_CONTROL=0:40 && sleep 0.2"
	# PCI Express Base 5.0 section 6.6.1: all but sticky bits are as after power-on.
	[ "$(guest_run web01 "setpci -s $BDF COMMAND INTERRUPT_LINE BASE_ADDRESS_0" | tr '\n' ' ')" = "0000 00 00000004 " ]
	[ "$(count web-disk resets)" -gt "$resets" ]
	guest_run web01 "echo 1 >/sys/bus/pci/devices/$BDF/remove && test ! -e /sys/bus/pci/devices/$BDF && echo 1 >/sys/bus/pci/rescan"
	file_is_there
	neighbour_lost_nothing
}

@test "reset by power state (D3hot and back) under load of its own" {
	reset_under_own_load pm
	file_is_there
	neighbour_lost_nothing
}

@test "reset by power state without a driver, which then finds its disk again" {
	guest_run web01 "cd /sys/bus/pci/devices/$BDF && echo $BDF >driver/unbind && echo pm >reset_method && echo 1 >reset &&
		echo $BDF >/sys/bus/pci/drivers/nvme/bind"
	[ "$(count web-disk resets)" -gt "$resets" ]
	file_is_there
	neighbour_lost_nothing
}

# registers OF...: what setpci reads in web01, in one line.
registers() {
	guest_run web01 "setpci -s $BDF $*" | tr '\n' ' '
}

@test "D3hot by hand: only configuration space is left, and on the way back it is after a reset" {
	local bar version faults before
	guest_run web01 "echo $BDF >/sys/bus/pci/drivers/nvme/unbind && setpci -s $BDF COMMAND=0406 INTERRUPT_LINE=77 CAP_EXP+08.W=2857"
	bar=$(guest_run web01 "head -n 1 /sys/bus/pci/devices/$BDF/resource" | cut -d' ' -f1)
	version=$(guest_run web01 "busybox devmem $((bar + 8)) 32") # VS, NVMe 1.4 section 3.1.2
	[ "$version" = 0x00010400 ]
	before=$(count web-disk resets) faults=$(count web-disk dma_faults)
	guest_run web01 "setpci -s $BDF CAP_PM+04.W=0003"
	[ "$(registers CAP_PM+04.W COMMAND INTERRUPT_LINE VENDOR_ID)" = "0003 0406 77 $(registers VENDOR_ID)" ]
	[ "$(guest_run web01 "busybox devmem $((bar + 8)) 32")" != "$version" ]
	# D1 and D2 are none of its states, PCI Express Base 5.0 section 7.5.2.2.
	guest_run web01 "setpci -s $BDF CAP_PM+04.W=0001 CAP_PM+04.W=0002"
	[ "$(registers CAP_PM+04.W)" = "0003 " ]
	[ "$(count web-disk resets)" -eq "$before" ]
	guest_run web01 "setpci -s $BDF CAP_PM+04.W=0000"
	[ "$(count web-disk resets)" -eq $((before + 1)) ]
	[ "$(registers CAP_PM+04.W COMMAND INTERRUPT_LINE CAP_EXP+08.W)" = "0000 0000 00 2810 " ]
	[ "$(count web-disk dma_faults)" -eq "$faults" ]
	guest_run web01 "setpci -s $BDF COMMAND=0002"
	[ "$(guest_run web01 "busybox devmem $((bar + 8)) 32")" = "$version" ]
	guest_run web01 "echo $BDF >/sys/bus/pci/drivers/nvme/bind"
	file_is_there
	neighbour_lost_nothing
}

@test "power state to and fro fifty times, and the driver still finds its disk" {
	guest_run web01 "echo $BDF >/sys/bus/pci/drivers/nvme/unbind &&
		for i in \$(seq 50); do setpci -s $BDF COMMAND=0406 CAP_PM+04.W=0003 CAP_PM+04.W=0000 || exit; done"
	[ "$(count web-disk resets)" -ge $((resets + 50)) ]
	guest_run web01 "echo $BDF >/sys/bus/pci/drivers/nvme/bind"
	file_is_there
	neighbour_lost_nothing
}

@test "unbind and bind ten times" {
	for ((i = 0; i < 10; i++)); do
		guest_run web01 "echo $BDF >/sys/bus/pci/drivers/nvme/unbind && test ! -e /dev/nvme0n1 &&
			echo $BDF >/sys/bus/pci/drivers/nvme/bind && $live"
	done
	file_is_there
	neighbour_lost_nothing
}

@test "the driver's own controller reset, five times under load of its own" {
	guest_run web01 "rm -f /tmp/own.ended; { ${own_load//$'\n'/ }; } & for i in 1 2 3 4 5; do sleep 0.4; nvme reset /dev/nvme0 || exit; done"
	run guest_run web01 'until test -e /tmp/own.ended; do sleep 0.1; done; grep -v ";fio-" /tmp/own; cat /tmp/own.ended'
	echo "$output"
	[ "${lines[-1]}" -eq 0 ]
	file_is_there
	neighbour_lost_nothing
}

@test "reboot from within" {
	guest_reboot web01
	[ "$(count web-disk resets)" -gt "$resets" ]
	file_is_there
	neighbour_lost_nothing
}

# Sends one command to a guest's QMP socket and prints what comes back of it.
qmp() {
	python3 - "$work/$1.qmp" "$2" <<-'PYTHON'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(30)
		s.connect(sys.argv[1])
		f = s.makefile("rw")
		f.readline()
		for command in "qmp_capabilities", sys.argv[2]:
		    f.write(json.dumps({"execute": command}) + "\n")
		    f.flush()
		    while True:
		        answer = json.loads(f.readline())
		        if "return" in answer or "error" in answer:
		            break
		print(json.dumps(answer))
	PYTHON
}

@test "system_reset in the middle of its own I/O, which no driver was told of" {
	guest_run web01 "rm -f /tmp/own.ended; { ${own_load//$'\n'/ }; } & sleep 1; test ! -e /tmp/own.ended"
	[ "$(qmp web01 system_reset)" = '{"return": {}}' ]
	guest_await web01
	[ "$(count web-disk resets)" -gt "$resets" ]
	file_is_there
	# And nothing of the time before reaches into this one: new I/O verifies.
	guest_run web01 'fio --name=v --filename=/dev/nvme0n1 --offset=512m --size=8m --rw=randwrite --bs=4k --direct=1 --ioengine=libaio \
		--allow_file_create=0 --iodepth=16 --verify=crc32c --verify_fatal=1 --minimal'
	neighbour_lost_nothing
}

@test "after all that: one connection, no overlap, no worker started again" {
	neighbour_lost_nothing
	run -0 iov iovdump isolation -o json
	# What workers tell of QEMU's memory and eventfds, the kernel says as well, and it knows of nothing besides.
	[ "$(jq '[.isolation[] | select(.verified == false or .type == "mapping")] | length' <<<"$output")" -eq 0 ]
	[ "$(jq '[.isolation[] | select(.type == "window" and .verified)] | length' <<<"$output")" -ge 4 ]
	[ "$(iov iovctl server list -o json | jq '[.servers[].worker_restarts] | add')" -eq 0 ]
}
