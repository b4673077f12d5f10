#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# NVMe vAdapters as two real servers see them: unmodified Linux, both on one appliance. Both are booted once for the whole file.

# shellcheck source=tests/guest/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

boot() {
	local server=$1
	local -a cable
	mapfile -t cable < <(iov iovctl server args "$server")
	[ "${#cable[@]}" -gt 0 ]
	guest_start "$server" "${cable[@]}"
}

setup_file() {
	# More than half of a guest is one buffer in the test of equal addresses.
	export GUEST_MEM=640
	work_begin nvme
	iov iovprov apply "$top/examples/rack.yaml"
	boot web01
	boot db01
	# Both are cabled alike, so the disk sits at the same place in both (the first test looks).
	BDF=$(guest_run web01 'lspci -Dn -d ::0108' | cut -d' ' -f1)
	export BDF
}

# Runs in both guests, one after the other; fails where either does.
both() {
	guest_run web01 "$1"
	guest_run db01 "$1"
}

# The controller works (again), and its disk is there.
live='until grep -qx live /sys/class/nvme/nvme0/state && test -b /dev/nvme0n1; do sleep 0.1; done'

# A file on a new file system, and the check that it is still what it was.
write_file='mkfs.ext4 -q /dev/nvme0n1 && mount /dev/nvme0n1 /mnt && head -c 8388608 /dev/urandom >/mnt/file &&
	sha256sum /mnt/file >/tmp/sum && umount /mnt'
check_file='mount /dev/nvme0n1 /mnt && sha256sum -c /tmp/sum && umount /mnt'

# Lines at warning level and above that speak of the disk, its driver or its port, less the driver's word that it was told to reset.
complaints() {
	guest_run "$1" "dmesg -r | grep '^<[0-4]>' | grep -e nvme -e pcieport -e AER -e $BDF | grep -v 'resetting controller$'; true"
}

# Counts the 4 KiB blocks full of a four-letter pattern in the files under a folder, reading only what is allocated:
# "FILE COUNT" for each file with any.
count_blocks() {
	python3 - "$1" "$2" <<-'PYTHON'
		import os, sys
		block = sys.argv[2].encode() * 1024
		for folder, _, names in sorted(os.walk(sys.argv[1])):
		    for path in (os.path.join(folder, name) for name in sorted(names)):
		        if os.path.islink(path) or not os.path.isfile(path):
		            continue
		        found, end = 0, os.path.getsize(path)
		        with open(path, "rb") as file:
		            position = 0
		            while position < end:
		                try:
		                    position = os.lseek(file.fileno(), position, os.SEEK_DATA) & ~4095
		                except OSError:
		                    break
		                data = os.pread(file.fileno(), 1 << 20, position)
		                found += sum(data[at:at + 4096] == block for at in range(0, len(data), 4096))
		                position += len(data)
		        if found:
		            print(path, found)
	PYTHON
}

@test "each guest has one NVMe controller, driven by Linux's own driver" {
	for server in web01 db01; do
		[ "$(guest_run $server 'lspci -Dn -d ::0108' | cut -d' ' -f1)" = "$BDF" ]
		[[ "$(guest_run $server "readlink /sys/bus/pci/devices/$BDF/driver")" == */nvme ]]
		[ "$(guest_run $server 'cat /sys/class/nvme/nvme0/state')" = live ]
		# No foreign module and no kernel warning.
		[ "$(guest_run $server 'cat /proc/sys/kernel/tainted')" -eq 0 ]
	done
}

@test "the serial is the persona's, and each guest sees only its own" {
	local db_serial
	db_serial=$(iov iovctl vadapter list -o json | jq -r '.vadapters[] | select(.name == "db-disk").serial')
	[[ $db_serial == IOV* ]]
	run guest_run web01 'nvme list'
	[[ $output == *WEB01DISK* && $output != *"$db_serial"* ]]
	run guest_run db01 'nvme list'
	[[ $output == *"$db_serial"* && $output != *WEB01DISK* ]]
}

@test "configuration space decodes, with MSI-X in use" {
	run guest_run web01 "lspci -vvv -s $BDF"
	[ "$status" -eq 0 ]
	[[ $output == *"MSI-X: Enable+"* ]]
	[[ $output == *"Express (v2) Endpoint"* ]]
	[[ $output == *"FLReset+"* ]]
	[[ $output == *"Advanced Error Reporting"* ]]
	[[ $output == *"Device Serial Number"* ]]
	[[ $output != *"<chain broken>"* && $output != *"<chain looped>"* && $output != *"[disabled]"* ]]
	[ "$(guest_run web01 'grep -c nvme0q /proc/interrupts')" -ge 2 ]
}

@test "the kernel has nothing to complain of" {
	for server in web01 db01; do
		run complaints $server
		echo "$server: $output"
		[ -z "$output" ]
	done
}

@test "nvme id-ctrl and id-ns" {
	run guest_run web01 'nvme id-ctrl /dev/nvme0'
	[ "$status" -eq 0 ]
	[[ $output == *"sn        : WEB01DISK "* ]]
	[[ $output == *"subnqn    : nqn."* ]]
	run guest_run web01 'nvme id-ns /dev/nvme0n1'
	[ "$status" -eq 0 ]
	# 1 GiB in blocks of 512 bytes
	[[ $output == *"nsze    : 0x200000"* ]]
	[ "$(guest_run web01 'blockdev --getsize64 /dev/nvme0n1')" -eq $((1 << 30)) ]
}

@test "nvme smart-log, error-log, fw-log" {
	run guest_run web01 'nvme smart-log /dev/nvme0'
	[ "$status" -eq 0 ]
	[[ $output == *critical_warning*": 0"* ]]
	both 'nvme error-log /dev/nvme0 && nvme fw-log /dev/nvme0'
}

@test "nvme reset brings the controller back" {
	both "nvme reset /dev/nvme0 && $live"
	both 'dd if=/dev/nvme0n1 of=/dev/null bs=1M count=4 iflag=direct'
}

@test "fio: random reads and writes of mixed sizes verify" {
	both 'fio --name=v --filename=/dev/nvme0n1 --rw=randrw --bsrange=512-128k --size=48m --direct=1 --ioengine=libaio \
		--allow_file_create=0 --iodepth=32 --numjobs=2 --offset_increment=64m --verify=crc32c --verify_fatal=1 --minimal'
}

@test "fio: sequential writes with flushes verify" {
	guest_run web01 'fio --name=f --filename=/dev/nvme0n1 --rw=write --bs=16k --size=16m --direct=1 --ioengine=libaio \
		--allow_file_create=0 --iodepth=4 --fsync=8 --verify=crc32c --verify_fatal=1 --minimal'
}

@test "a file system survives unbind and bind of the driver" {
	both "$write_file"
	both "echo $BDF >/sys/bus/pci/drivers/nvme/unbind && ! test -e /dev/nvme0"
	both "echo $BDF >/sys/bus/pci/drivers/nvme/bind && $live"
	both "$check_file"
}

@test "a function-level reset leaves the disk as it was" {
	both "$write_file"
	both "echo $BDF >/sys/bus/pci/drivers/nvme/unbind && echo flr >/sys/bus/pci/devices/$BDF/reset_method &&
		echo 1 >/sys/bus/pci/devices/$BDF/reset && echo $BDF >/sys/bus/pci/drivers/nvme/bind && $live"
	both "$check_file"
}

@test "the same addresses in both guests at once, and the data stay apart" {
	# Each guest writes from one buffer of 336 MiB: more than half of its 640 MiB of memory, which has the same guest-physical
	# addresses in both. So whatever pages Linux takes, at least 32 MiB of addresses are used by both.
	local job='fio --name=a --allow_file_create=0 --filename=/dev/nvme0n1 --rw=write --bs=1m --iodepth=336 --size=336m --direct=1 --ioengine=libaio
		--mem=mmap --verify=pattern --verify_fatal=1 --minimal'
	job=${job//$'\n'/ }
	guest_run web01 "$job --verify_pattern='\"WEB1\"'" &
	local web=$!
	guest_run db01 "$job --verify_pattern='\"DB01\"'"
	wait $web

	run guest_run web01 'dd if=/dev/nvme0n1 bs=1M count=336 iflag=direct | tr -d WEB1 | wc -c'
	[ "${lines[-1]}" -eq 0 ]
	run guest_run db01 'dd if=/dev/nvme0n1 bs=1M count=336 iflag=direct | tr -d DB01 | wc -c'
	[ "${lines[-1]}" -eq 0 ]

	# And in the files of the appliance: every block once, each pattern in a file of its own.
	local web_files db_files
	web_files=$(count_blocks "$work/state" WEB1)
	db_files=$(count_blocks "$work/state" DB01)
	echo "$web_files / $db_files"
	[ "${web_files##* }" -eq $((336 * 256)) ]
	[ "${db_files##* }" -eq $((336 * 256)) ]
	[ "$(wc -l <<<"$web_files")" -eq 1 ]
	[ "${web_files% *}" != "${db_files% *}" ]
}

@test "one guest reboots while the other works" {
	# Works until it is told to stop, however long the reboot takes.
	guest_run db01 'rm -f /tmp/stop; { (until test -e /tmp/stop; do fio --name=r --filename=/dev/nvme0n1 --rw=randrw --bs=4k --size=8m \
		--allow_file_create=0 --direct=1 --ioengine=libaio --iodepth=16 --verify=crc32c --verify_fatal=1 --minimal || exit 1; done)
		echo $? >/tmp/ended; } >/tmp/load 2>&1 &'
	guest_run web01 'head -c 1048576 /dev/urandom >/tmp/r && dd if=/tmp/r of=/dev/nvme0n1 oflag=direct bs=64k'
	local sum
	sum=$(guest_run web01 'sha256sum </tmp/r')
	guest_reboot web01
	guest_run web01 "$live"
	[ "$(guest_run web01 'dd if=/dev/nvme0n1 iflag=direct bs=64k count=16 2>/dev/null | sha256sum')" = "$sum" ]
	# The other was at work all the time, and every round of it verified.
	guest_run db01 '! test -e /tmp/ended && touch /tmp/stop && until test -e /tmp/ended; do sleep 0.1; done'
	run guest_run db01 'cat /tmp/load; grep -c ";fio-" /tmp/load; cat /tmp/ended'
	echo "$output"
	[ "${lines[-1]}" -eq 0 ]
	[ "${lines[-2]}" -ge 2 ]
}

@test "after all that: still nothing to complain of, and the appliance lists both disks" {
	for server in web01 db01; do
		run complaints $server
		echo "$server: $output"
		[ -z "$output" ]
	done
	run iov iovctl vadapter list
	[ "$status" -eq 0 ]
	[[ $output == *web-disk* && $output == *db-disk* ]]
}
