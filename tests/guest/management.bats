#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The management function in a guest: the same tools over a real PCI function, found with libpci and mapped from sysfs.

# shellcheck source=tests/guest/common.bash
. "$BATS_TEST_DIRNAME/common.bash"
# shellcheck source=tests/guest/tools.sh
. "$BATS_TEST_DIRNAME/tools.sh"

setup_file() {
	load_libraries
	work=$(mktemp -d "${TMPDIR:-/tmp}/iov-management.XXXXXX")
	export work GUEST_DIR=$work/guests GUEST_MEM=512 GUEST_INITRD=$work/initrd GUEST_KERNEL
	mkdir "$GUEST_DIR"
	guest_tools_initrd "$GUEST_INITRD"
	appliance_start "$work"
	iov iovprov apply -q "$top/examples/rack.yaml"
	local -a cable
	mapfile -t cable < <(iov iovctl server args web01 --management)
	guest_start web01 "${cable[@]}"
}

# same WORDS...: the tool says the same inside and outside.
same() {
	diff <(guest_run web01 "$1 -a pci: ${*:2}") <(iov "$@")
}

@test "the guest has two functions: its disk, driven by Linux, and the management function, driven by nobody" {
	[ "$(guest_run web01 'lspci -Dn -d 1af4:10f0' | wc -l)" -eq 1 ]
	[ "$(guest_run web01 'cat /sys/class/nvme/nvme0/state')" = live ]
	run guest_run web01 'lspci -vv -d 1af4:10f0'
	[[ $output == *"Region 0: Memory at"*"size=256K"* && $output == *"Region 2: Memory at"*"size=256M"* ]]
	[[ $output != *"<ignored>"* && $output != *"<unassigned>"* && $output != *"Kernel driver in use"* ]]
}

@test "lists agree inside and outside" {
	for kind in server adapter volume vadapter namespace; do
		same iovctl $kind list
	done
	same iovdump topology
	same iovdump chassis
	same iovdump pci web01
}

@test "by its address as well as by being the only one" {
	local bdf
	bdf=$(guest_run web01 'lspci -D -d 1af4:10f0' | cut -d' ' -f1)
	diff <(guest_run web01 "iovctl -a pci:$bdf server list") <(iov iovctl server list)
	run guest_run web01 "iovctl -a pci:$(guest_run web01 'lspci -D -d ::0108' | cut -d' ' -f1) server list"
	[ "$status" -eq 3 ]
	[[ $output == *"not the management function"* ]]
}

# Every connection has a mailbox of its own, so these registers tell of that connection's last command.
own_registers='["MB_CONTROL", "MB_COMMAND", "MB_STATUS", "MB_PAYLOAD"]'

@test "registers agree inside and outside, but for the mailbox's own" {
	guest_run web01 'iovdump -a pci: registers -o json' >"$work/inside"
	iov iovdump registers -o json >"$work/outside"
	[ "$(jq '.registers | length' "$work/inside")" -gt 20 ]
	diff <(jq --argjson own "$own_registers" 'del(.registers[] | select(.name | IN($own[])))' "$work/inside") \
		<(jq --argjson own "$own_registers" 'del(.registers[] | select(.name | IN($own[])))' "$work/outside")
	# And these do differ: the guest has sent commands, the tool outside has just come.
	run jq -n --slurpfile inside "$work/inside" --slurpfile outside "$work/outside" -r \
		'[$inside[0].registers, $outside[0].registers] | transpose[] | select(.[0] != .[1])[0].name'
	echo "$output"
	[[ $output == *MB_COMMAND* ]]
}

@test "the guest provisions" {
	guest_run web01 'cat >/tmp/more.yaml <<END
version: 1
kind: topology
volumes:
  more: {adapter: ssd0, size: 128MiB}
vadapters:
  more-disk: {adapter: ssd0, namespaces: [{volume: more}], attach: {server: db01, slot: 3}}
END
iovprov -a pci: plan /tmp/more.yaml; test $? -eq 5 && iovprov -a pci: apply /tmp/more.yaml && iovprov -a pci: plan /tmp/more.yaml'
	run iov iovctl vadapter show more-disk
	[ "$status" -eq 0 ]
	[[ $output == *db01* ]]
	[ -S "$IOV_RUN/servers/db01/3.sock" ]
	guest_run web01 'iovctl -a pci: vadapter remove more-disk --yes && iovctl -a pci: volume remove more --yes'
	run iov iovctl vadapter show more-disk
	[ "$status" -eq 1 ]
}

@test "what the appliance refuses is told in the guest" {
	run guest_run web01 'iovctl -a pci: volume add huge ssd0 900TiB'
	[ "$status" -eq 1 ]
	[[ $output == *"900TiB asked"* ]]
}

@test "tools in a pipe take turns, and many at once are all served" {
	guest_run web01 'iovdump -a pci: topology | iovprov -a pci: plan -'
	# shellcheck disable=SC2016 # the guest's shell expands it
	guest_run web01 'for i in 1 2 3 4; do iovctl -a pci: vadapter list >/tmp/l$i & done; wait; cmp /tmp/l1 /tmp/l4 && cmp /tmp/l2 /tmp/l3 &&
		test -s /tmp/l1'
}

@test "a reset of the function leaves the appliance as it was" {
	# shellcheck disable=SC2016 # the guest's shell expands it
	guest_run web01 'echo 1 >/sys/bus/pci/devices/$(lspci -D -d 1af4:10f0 | cut -d" " -f1)/reset'
	same iovctl vadapter list
}

@test "the control process has none of the guest's memory" {
	local inode worker
	inode=$(iov iovdump isolation -o json | jq '[.isolation[] | select(.type == "window" and .inode != null).inode][0]')
	worker=$(iov iovctl server list -o json | jq '.servers[] | select(.name == "web01").worker_pid')
	grep -q " $inode .*memfd:" "/proc/$worker/maps"
	run grep " $inode .*memfd:" "/proc/$(cat "$work/iovd.pid")/maps"
	[ "$status" -eq 1 ]
}

@test "the appliance ends: the guest is told so, and lives on" {
	appliance_stop "$work"
	run guest_run web01 'iovctl -a pci: server list'
	[ "$status" -eq 3 ]
	[[ $output == *"does not answer"* ]]
	[ "$(guest_run web01 'echo alive')" = alive ]
}
