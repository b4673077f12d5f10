#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The firmware of a server boots from a vAdapter: SeaBIOS has an NVMe driver of its own, which shares nothing with Linux's.

setup() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	# shellcheck source=scripts/appliance.sh
	. "$top/scripts/appliance.sh"
	work=$(mktemp -d "${TMPDIR:-/tmp}/iov-boot.XXXXXX")
	appliance_start "$work"
	cat >"$work/topology.yaml" <<-'YAML'
		version: 1
		kind: topology
		name: boot
		servers: {web: {link: 0}}
		volumes: {disk: {adapter: ssd0, size: 64MiB}}
		vadapters: {disk: {adapter: ssd0, namespaces: [{volume: disk}], attach: {server: web, slot: 0}}}
	YAML
	iov iovprov apply --yes "$work/topology.yaml"
}

teardown() {
	if [[ ${qemu_pid-} ]]; then
		kill "$qemu_pid"
		wait "$qemu_pid" || :
	fi
	appliance_stop "$work"
	rm -rf "$work"
}

# A boot sector that reads the second sector by INT 13h and prints the text in it on the first serial port.
write_boot_sector() {
	python3 - "$1" "$2" <<-'PYTHON'
		import sys
		code = bytes.fromhex(
		    "31c0 8ed8 8ec0"        # xor ax, ax; mov ds, ax; mov es, ax
		    "b80102 bb007e b90200"  # mov ax, 0201h: read one sector; mov bx, 7e00h; mov cx, 2
		    "b600 cd13 720f"        # mov dh, 0; int 13h; jc halt
		    "be007e fc baf803"      # mov si, 7e00h; cld; mov dx, 3f8h
		    "ac 84c0 7403 ee ebf8"  # next: lodsb; test al, al; jz halt; out dx, al; jmp next
		    "f4 ebfd")              # halt: hlt; jmp halt
		with open(sys.argv[1], "r+b") as disk:
		    disk.write(code.ljust(510, b"\0") + b"\x55\xaa" + sys.argv[2].encode() + b"\n\0")
	PYTHON
}

@test "SeaBIOS boots from the vAdapter" {
	local qemu tries
	local -a cable images=("$work"/state/media/ssd0/*.img)
	[ "${#images[@]}" -eq 1 ]
	write_boot_sector "${images[0]}" "booted from the volume, $$"
	qemu=$("$top/scripts/fetch-qemu.sh")
	mapfile -t cable < <(iov iovctl server args web)
	[ "${#cable[@]}" -gt 0 ]
	"$qemu" -name boot -nodefaults -no-user-config -display none -M q35,memory-backend=mem -m 128M \
		-object memory-backend-memfd,id=mem,size=128M,share=on -accel tcg -cpu qemu64 -serial "file:$work/console" \
		"${cable[@]}" </dev/null >"$work/qemu.log" 2>&1 3>&- &
	qemu_pid=$!
	for ((tries = 0; tries < 600; tries++)); do
		sleep 0.1
		grep -qa "booted from the volume, $$" "$work/console" && break
		kill -0 "$qemu_pid"
	done
	cat "$work/qemu.log" "$work/console"
	grep -a "booted from the volume, $$" "$work/console"
	# It was the firmware's driver that read it.
	run iov iovctl vadapter list -o json
	[ "$(jq -r '.vadapters[0].state' <<<"$output")" = connected ]
}
