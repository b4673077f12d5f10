#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The NVMe command set as nvme-cli, util-linux and ext4 use it, and namespaces that change under a running server.

# shellcheck source=tests/guest/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

# A topology with two volumes, the second shown where $2 says so, of a size.
topology() {
	cat <<-YAML
		version: 1
		kind: topology
		name: tools
		servers: {web: {link: 0}}
		volumes:
		  disk: {adapter: ssd0, size: 512MiB}
		  more: {adapter: ssd0, size: ${1:-64MiB}}
		vadapters:
		  disk:
		    adapter: ssd0
		    namespaces: [{volume: disk}${2-}]
		    attach: {server: web, slot: 0}
	YAML
}

apply() {
	topology "$@" >"$work/topology.yaml"
	iov iovprov apply --prune --yes "$work/topology.yaml"
}

setup_file() {
	work_begin nvme-tools
	apply
	local -a cable
	mapfile -t cable < <(iov iovctl server args web)
	[ "${#cable[@]}" -gt 0 ]
	# Debian's kernel does not let nvme-cli map registers that a driver has, unless told so.
	GUEST_APPEND=iomem=relaxed guest_start web "${cable[@]}"
}

guest() {
	guest_run web "$1"
}

# Bytes that the volume's file takes on the appliance.
allocated() {
	echo $(($(stat -c %b "$work"/state/media/ssd0/*.img | sort -n | tail -1) * 512))
}

live='until grep -qx live /sys/class/nvme/nvme0/state && test -b /dev/nvme0n1; do sleep 0.1; done'

@test "identify: controller, namespace, list, descriptors" {
	run guest 'nvme id-ctrl /dev/nvme0'
	[ "$status" -eq 0 ]
	[[ $output == *"oacs      : 0x112"* ]]
	[[ $output == *"oncs      : 0x1ff"* ]]
	[[ $output == *"sgls      : 0x10002"* ]]
	run guest 'nvme id-ns -H /dev/nvme0n1'
	[ "$status" -eq 0 ]
	[[ $output == *"Data Size: 512 bytes"*"(in use)"* ]]
	[[ $output == *"Data Size: 4096 bytes"* ]]
	run guest 'nvme list-ns /dev/nvme0'
	[[ $output == "[   0]:0x1" ]]
	[ "$(guest 'nvme list-ns /dev/nvme0 --all')" = "$output" ]
	guest 'nvme id-ns /dev/nvme0 --namespace-id=1 --force && nvme ns-descs /dev/nvme0n1'
	id=$(guest 'cat /sys/class/nvme/nvme0/cntlid')
	[ "$(guest 'nvme list-ctrl /dev/nvme0')" = "num of ctrls present: 1
[   0]:$(printf 0x%x "$id")" ]
	guest 'nvme list-ctrl /dev/nvme0 --namespace-id=1'
	# A server that has just been started has no error to show.
	[[ $(guest 'nvme smart-log /dev/nvme0 | grep num_err') == *": 0" ]]
	[ "$(guest 'nvme get-ns-id /dev/nvme0n1')" = "nvme0n1: namespace-id:1" ]
	run guest 'nvme list && nvme list -v && nvme list-subsys /dev/nvme0n1'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"/dev/nvme0n1"*"536.87"*"nvme-subsys0"*"nqn."*" nvme0 pcie "*" live"* ]]
}

@test "every log page that nvme-cli reads" {
	local log
	for log in smart-log error-log fw-log effects-log changed-ns-list-log self-test-log; do
		run guest "nvme $log /dev/nvme0"
		echo "$log: ${lines[0]}"
		[ "$status" -eq 0 ]
	done
	run guest 'nvme telemetry-log /dev/nvme0 --output-file=/tmp/telemetry && strings /tmp/telemetry; nvme telemetry-log /dev/nvme0 -c -o /tmp/t2'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"iov-tools nvme telemetry"*"ns 1 blocks 1048576"* ]]
	run guest 'nvme show-regs -H /dev/nvme0'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"NVMe specification 1.4"* ]]
	[[ $output == *"Ready"*"(RDY): Yes"* ]]
}

@test "every feature can be read" {
	local id
	for id in 1 2 4 6 7 8 9 0xa 0xb 0xc 0xe 0x16 0x81; do
		run guest "nvme get-feature /dev/nvme0 -f $id -H"
		echo "$id: $output"
		[ "$status" -eq 0 ]
		[[ $output == *"get-feature:"* ]]
	done
	for id in 3 5; do
		run guest "nvme get-feature /dev/nvme0 -n 1 -f $id -H"
		echo "$id: $output"
		[ "$status" -eq 0 ]
	done
}

@test "device-self-test: short and extended pass" {
	guest 'nvme device-self-test /dev/nvme0 -n 0xffffffff -s 1'
	guest 'until nvme self-test-log /dev/nvme0 | grep -q "Current operation  *: 0$"; do sleep 0.2; done'
	guest 'nvme device-self-test /dev/nvme0 -n 0xffffffff -s 2'
	guest 'until nvme self-test-log /dev/nvme0 | grep -q "Current operation  *: 0$"; do sleep 0.2; done'
	run guest 'nvme self-test-log /dev/nvme0'
	echo "$output"
	[[ $output == *"Operation Result             : 0"*"Self Test Code               : 2"*"Operation Result             : 0"* ]]
}

@test "compare, write zeroes, verify, write uncorrectable" {
	guest 'head -c 4096 /dev/urandom >/tmp/d; nvme write /dev/nvme0n1 -s 8 -c 7 -z 4096 -d /tmp/d &&
		nvme compare /dev/nvme0n1 -s 8 -c 7 -z 4096 -d /tmp/d && ! nvme compare /dev/nvme0n1 -s 16 -c 7 -z 4096 -d /tmp/d'
	guest 'nvme verify /dev/nvme0n1 -s 0 -c 1000'
	guest 'nvme write-zeroes /dev/nvme0n1 -s 8 -c 7 && head -c 4096 /dev/zero >/tmp/z && nvme compare /dev/nvme0n1 -s 8 -c 7 -z 4096 -d /tmp/z'
	guest 'nvme write-uncor /dev/nvme0n1 -s 8 -c 0 && ! nvme read /dev/nvme0n1 -s 8 -c 0 -z 512 -d /tmp/r &&
		nvme write /dev/nvme0n1 -s 8 -c 0 -z 512 -d /tmp/z && nvme read /dev/nvme0n1 -s 8 -c 0 -z 512 -d /tmp/r'
	run guest 'nvme error-log /dev/nvme0'
	echo "$output"
	[[ $output == *"Compare Failure"* ]]
	[[ $output == *"Unrecovered Read Error"* ]]
}

@test "copy" {
	run guest 'nvme id-ctrl /dev/nvme0 | grep -E "^(oncs|ocfs)" && nvme id-ns /dev/nvme0n1 | grep -E "^(mssrl|mcl|msrc)"'
	echo "$output"
	[[ $output == *"0x1ff"*"ocfs"*": 0x1"*"mssrl"*": 2048"*"mcl"*": 2048"*"msrc"*": 127"* ]]
	guest 'head -c 1048576 /dev/urandom >/tmp/d; dd if=/tmp/d of=/dev/nvme0n1 bs=1M oflag=direct 2>/dev/null'
	# The other way round, and all that goes in one command. Numbers of blocks are 0's based.
	guest 'nvme copy /dev/nvme0n1 --sdlba=10000 --slbs=1024,0 --blocks=1023,1023 --force-unit-access'
	guest '{ tail -c 524288 /tmp/d; head -c 524288 /tmp/d; } >/tmp/e &&
		dd if=/dev/nvme0n1 bs=512 skip=10000 count=2048 iflag=direct of=/tmp/f 2>/dev/null && cmp /tmp/e /tmp/f'
	run guest 'nvme copy /dev/nvme0n1 --sdlba=10000 --slbs=0,2000 --blocks=2047,0'
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"183"* || $output == *[Ll]imit* ]]
	run guest 'nvme copy /dev/nvme0n1 --sdlba=7 --slbs=0 --blocks=7'
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"187"* || $output == *[Oo]verlap* ]]
	run guest 'nvme copy /dev/nvme0n1 --sdlba=0 --slbs=0x100000 --blocks=0'
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"LBA"* ]]
}

@test "blkdiscard and fstrim give space back" {
	guest 'dd if=/dev/urandom of=/dev/nvme0n1 bs=1M count=64 oflag=direct 2>/dev/null'
	[ "$(allocated)" -ge $((64 << 20)) ]
	guest 'blkdiscard /dev/nvme0n1'
	[ "$(allocated)" -eq 0 ]
	[ "$(guest 'dd if=/dev/nvme0n1 bs=1M count=64 iflag=direct 2>/dev/null | tr -d "\000" | wc -c')" -eq 0 ]
	# Without the thread that zeroes what mkfs has left, and allocates it by that.
	guest 'mkfs.ext4 -q /dev/nvme0n1 && mount -o noinit_itable /dev/nvme0n1 /mnt && head -c 33554432 /dev/urandom >/mnt/f && sync'
	local before
	before=$(allocated)
	[ "$before" -ge $((32 << 20)) ]
	guest 'rm /mnt/f && sync && fstrim /mnt && umount /mnt'
	echo "before: $before, left: $(allocated)"
	[ "$(allocated)" -le $((before - (30 << 20))) ]
}

@test "format to blocks of 4096 bytes, a file system on them, and a reboot" {
	guest 'dd if=/dev/urandom of=/dev/nvme0n1 bs=1M count=8 oflag=direct 2>/dev/null'
	guest 'nvme format /dev/nvme0n1 --lbaf=1 --ses=1 --force'
	# All that is left is what the file system keeps of the file: its block size, and nodes of its extent tree.
	echo "left: $(allocated)"
	[ "$(allocated)" -le $((1 << 20)) ]
	[ "$(guest 'blockdev --getss /dev/nvme0n1')" -eq 4096 ]
	[ "$(guest 'blockdev --getsize64 /dev/nvme0n1')" -eq $((512 << 20)) ]
	local sum
	sum=$(guest 'mkfs.ext4 -q /dev/nvme0n1 && mount /dev/nvme0n1 /mnt && head -c 8388608 /dev/urandom >/mnt/file &&
		sha256sum </mnt/file && umount /mnt')
	guest_reboot web
	guest "$live"
	[ "$(guest 'blockdev --getss /dev/nvme0n1')" -eq 4096 ]
	guest 'e2fsck -fn /dev/nvme0n1'
	[ "$(guest 'mount /dev/nvme0n1 /mnt && sha256sum </mnt/file && umount /mnt')" = "$sum" ]
}

@test "namespaces are added, grown and removed while the server works" {
	guest '{ (until test -e /tmp/stop; do fio --name=r --filename=/dev/nvme0n1 --rw=randrw --bs=4k --offset=256m --size=8m --direct=1 \
		--allow_file_create=0 --ioengine=libaio --iodepth=16 --verify=crc32c --verify_fatal=1 --minimal || exit 1; done); echo $? >/tmp/ended; } >/tmp/load 2>&1 &'
	apply 64MiB ', {volume: more}'
	guest 'until test -b /dev/nvme0n2; do sleep 0.1; done'
	guest 'mkfs.ext4 -q /dev/nvme0n2 && mount /dev/nvme0n2 /mnt && echo hello >/mnt/f && umount /mnt'
	[ "$(guest 'blockdev --getsize64 /dev/nvme0n2')" -eq $((64 << 20)) ]
	apply 128MiB ', {volume: more}'
	guest "until test \"\$(blockdev --getsize64 /dev/nvme0n2)\" = 134217728; do sleep 0.1; done"
	guest 'dd if=/dev/zero of=/dev/nvme0n2 bs=1M seek=127 count=1 oflag=direct 2>/dev/null && mount /dev/nvme0n2 /mnt && cat /mnt/f && umount /mnt'
	apply 128MiB
	guest 'while test -b /dev/nvme0n2; do sleep 0.1; done'
	run guest 'nvme list-ns /dev/nvme0'
	[[ $output == "[   0]:0x1" ]]
	# It comes back with what is on it.
	apply 128MiB ', {volume: more}'
	guest 'until test -b /dev/nvme0n2; do sleep 0.1; done; mount /dev/nvme0n2 /mnt && cat /mnt/f && umount /mnt'
	guest '! test -e /tmp/ended && touch /tmp/stop && until test -e /tmp/ended; do sleep 0.1; done'
	run guest 'cat /tmp/load; cat /tmp/ended'
	echo "$output"
	[ "${lines[-1]}" -eq 0 ]
	# Nothing was unplugged.
	run iov iovctl vadapter list -o json
	[ "$(jq -r '.vadapters[0].state' <<<"$output")" = connected ]
}

@test "a namespace becomes read-only, and writable again" {
	apply 128MiB ', {volume: more, read_only: true}'
	guest "until test \"\$(blockdev --getro /dev/nvme0n2)\" = 1; do sleep 0.1; done"
	guest 'mount -o ro,noload /dev/nvme0n2 /mnt && cat /mnt/f && umount /mnt'
	run guest 'nvme write /dev/nvme0n2 -s 0 -c 0 -z 512 -d /tmp/z'
	echo "$output"
	[ "$status" -ne 0 ]
	apply 128MiB ', {volume: more}'
	guest "until test \"\$(blockdev --getro /dev/nvme0n2)\" = 0; do sleep 0.1; done"
	guest 'mount /dev/nvme0n2 /mnt && cat /mnt/f && umount /mnt'
}

@test "the kernel has nothing to complain of" {
	# What nvme-cli was told to fail is in the log at its own level; it is told apart by the commands.
	run guest "dmesg -r | grep '^<[0-4]>' | grep -e nvme -e pcieport -e AER; true"
	echo "$output"
	[ -z "$output" ]
}
