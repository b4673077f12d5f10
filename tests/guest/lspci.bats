#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The configuration space that a guest reads, and the one that the appliance prints, byte by byte.

# shellcheck source=tests/guest/common.bash
. "$BATS_TEST_DIRNAME/common.bash"

setup_file() {
	work_begin lspci
	iov iovprov apply -q "$top/examples/rack.yaml"
	# A second one, with MSI, in a slot with empty ones before it.
	iov iovctl vadapter detach db-disk
	iov iovctl vadapter set db-disk interrupts=msi
	iov iovctl vadapter attach db-disk web01 2
	local -a cable
	# With ports for all slots up to it, slot N is bus N+1 in the guest as well.
	mapfile -t cable < <(iov iovctl server args web01 --ports 3)
	# With native hot-plug the root port tells that its link is up, for which Linux waits after a bus reset.
	guest_start web01 "${cable[@]}" -global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off
	# shellcheck disable=SC2016 # the guest's shell expands it
	guest_run web01 'until [ "$(cat /sys/class/nvme/nvme*/state | sort -u)" = live ]; do sleep 0.1; done'
}

# The addresses of all attached vAdapters, as both sides have them.
functions() {
	iov iovdump pci web01 -o json | jq -r '.functions[].address'
}

inside() {
	guest_run web01 "lspci $1 -s $2"
}

outside() {
	iov iovdump pci web01 | lspci "$1" -s "$2" -F /dev/stdin 2>/dev/null
}

# What QEMU answers by itself: BARs and ROM BAR, the MSI and MSI-X capabilities, the first extended capability's header. All else it
# asks the appliance for. Prints "OFFSET INSIDE OUTSIDE" for each byte that differs elsewhere.
differences() {
	python3 - "$1" "$2" <<-'PYTHON'
		import sys
		def read(path):
		    data = {}
		    for line in open(path):
		        words = line.split()
		        if len(words) == 17 and words[0].endswith(":") and all(len(w) == 2 for w in words[1:]):
		            data.update((int(words[0][:-1], 16) + i, int(w, 16)) for i, w in enumerate(words[1:]))
		    return data
		inside, outside = read(sys.argv[1]), read(sys.argv[2])
		if sorted(inside) != list(range(4096)) or sorted(outside) != list(range(4096)):
		    print("not 4096 bytes: %d, %d" % (len(inside), len(outside)))
		own = set(range(0x10, 0x28)) | set(range(0x30, 0x34)) | set(range(0x100, 0x104))
		at = outside[0x34]
		while at:
		    if outside[at] == 0x05:
		        own |= set(range(at + 2, at + 24))
		    elif outside[at] == 0x11:
		        own |= set(range(at + 2, at + 12))
		    at = outside[at + 1]
		for i in range(4096):
		    if i not in own and inside.get(i) != outside.get(i):
		        print("%03x %02x %02x" % (i, inside.get(i, 0), outside.get(i, 0)))
	PYTHON
}

bytes_agree() {
	local address
	for address in $(functions); do
		inside -xxxx "$address" >"$work/inside"
		outside -xxxx "$address" >"$work/outside"
		run differences "$work/inside" "$work/outside"
		echo "$address: $output"
		[[ $status -eq 0 && -z $output ]] || return 1
	done
}

@test "every attached vAdapter is at the same address on both sides" {
	[ "$(functions | wc -l)" -eq 2 ]
	diff <(functions) <(guest_run web01 'lspci -d ::0108' | cut -d' ' -f1)
}

@test "bytes agree while the driver uses it" {
	inside -vv 01:00.0 | grep -q 'MSI-X: Enable+'
	inside -vv 03:00.0 | grep -q 'MSI: Enable+'
	bytes_agree
}

# What lspci knows from the kernel alone: the slot's number, the size of regions, where an interrupt goes, drivers.
of_the_device() {
	sed -e '/^\tPhysical Slot: /d; /^\tKernel \(driver in use\|modules\): /d; /^\tIOMMU group: /d' -e 's/ routed to IRQ [0-9]*$//' \
		-e '/^\tRegion /s/ \[size=[0-9KMG]*\]$//'
}

@test "lspci -vvv says the same, but for what it knows from the kernel" {
	local address
	for address in $(functions); do
		inside -vvv "$address" >"$work/inside"
		outside -vvv "$address" >"$work/outside"
		[ "$(wc -l <"$work/outside")" -gt 40 ]
		diff <(of_the_device <"$work/inside") <(of_the_device <"$work/outside")
	done
}

@test "bytes agree without a driver" {
	# shellcheck disable=SC2016 # the guest's shell expands it
	guest_run web01 'for d in /sys/bus/pci/drivers/nvme/0000:*; do echo ${d##*/} >/sys/bus/pci/drivers/nvme/unbind; done'
	inside -vv 01:00.0 | grep -q 'MSI-X: Enable-'
	inside -vv 01:00.0 | grep -q 'BusMaster-'
	bytes_agree
}

@test "bytes agree after what software wrote, and after resets of two scopes" {
	# AER masks, Device Control, Interrupt Line, Command: registers with bits that can be written and bits that cannot.
	guest_run web01 'setpci -s 01:00.0 ECAP_AER+08.L=ffffffff ECAP_AER+14.L=ffffffff CAP_EXP+08.W=2fff INTERRUPT_LINE=5a COMMAND=0406
		setpci -s 03:00.0 ECAP_AER+0c.L=0 CAP_PM+04.W=8108 CAP_EXP+28.W=ffff'
	bytes_agree
	[ "$(guest_run web01 'setpci -s 01:00.0 INTERRUPT_LINE')" = 5a ]
	guest_run web01 'echo flr >/sys/bus/pci/devices/0000:01:00.0/reset_method && echo 1 >/sys/bus/pci/devices/0000:01:00.0/reset'
	bytes_agree
	guest_run web01 'echo bus >/sys/bus/pci/devices/0000:03:00.0/reset_method && echo 1 >/sys/bus/pci/devices/0000:03:00.0/reset'
	bytes_agree
}

@test "bytes agree in D3hot and after it" {
	guest_run web01 'setpci -s 01:00.0 INTERRUPT_LINE=5a CAP_PM+04.W=0003'
	inside -vv 01:00.0 | grep -q 'Status: D3 NoSoftRst-'
	bytes_agree
	guest_run web01 'setpci -s 01:00.0 CAP_PM+04.W=0000'
	inside -vv 01:00.0 | grep -q 'Status: D0 NoSoftRst-'
	[ "$(guest_run web01 'setpci -s 01:00.0 INTERRUPT_LINE')" = 00 ]
	bytes_agree
}

@test "a byte that differs is seen" {
	inside -xxxx 01:00.0 >"$work/inside"
	sed 's/^150: ../150: ee/' "$work/inside" >"$work/changed"
	run differences "$work/changed" "$work/inside"
	[[ ${lines[0]} == "150 ee "* && ${#lines[@]} -eq 1 ]]
	sed '/^ff0:/d' "$work/inside" >"$work/short"
	run differences "$work/short" "$work/inside"
	[[ $output == "not 4096 bytes"* ]]
}
