#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The firmware of a server boots from a vAdapter: SeaBIOS and OVMF have NVMe drivers of their own, which share nothing with Linux's.

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

# qemu_boot TEXT SECONDS QEMU-ARGUMENT...   a server that is on until the text is on its first serial port
qemu_boot() {
	local text=$1 tries=$(($2 * 10)) qemu
	local -a cable
	shift 2
	qemu=$("$top/scripts/fetch-qemu.sh")
	mapfile -t cable < <(iov iovctl server args web)
	[ "${#cable[@]}" -gt 0 ]
	"$qemu" -name boot -nodefaults -no-user-config -display none -M q35,memory-backend=mem -m 256M \
		-object memory-backend-memfd,id=mem,size=256M,share=on -accel tcg -cpu qemu64 -serial "file:$work/console" \
		"${cable[@]}" "$@" </dev/null >"$work/qemu.log" 2>&1 3>&- &
	qemu_pid=$!
	for (( ; tries; tries--)); do
		sleep 0.1
		grep -qa "$text" "$work/console" && break
		kill -0 "$qemu_pid"
	done
	cat "$work/qemu.log"
	tail -c 4000 "$work/console"
	grep -qa "$text" "$work/console"
}


@test "SeaBIOS boots from the vAdapter" {
	local -a images=("$work"/state/media/ssd0/*.img)
	[ "${#images[@]}" -eq 1 ]
	write_boot_sector "${images[0]}" "booted from the volume, $$"
	qemu_boot "booted from the volume, $$" 60
	# It was the firmware's driver that read it.
	run iov iovctl vadapter list -o json
	[ "$(jq -r '.vadapters[0].state' <<<"$output")" = connected ]
}

# A first process that says so, and that it came from the volume; busybox is linked statically.
make_initramfs() {
	local root=$work/root
	mkdir -p "$root"/{bin,dev}
	cp "$(command -v busybox)" "$root/bin/busybox"
	# shellcheck disable=SC2016 # the shell in the guest expands it
	printf '#!/bin/busybox sh\necho "%s: $(/bin/busybox uname -s) runs"\nwhile :; do /bin/busybox sleep 1; done\n' "$1" >"$root/init"
	chmod +x "$root/init"
	(cd "$root" && find . -print0 | cpio --null -o -H newc --owner 0:0 --quiet) >"$work/initrd"
}

@test "OVMF boots a loader, a kernel and an initramfs from the vAdapter" {
	local -a images=("$work"/state/media/ssd0/*.img) uefi
	mapfile -t uefi < <("$top/scripts/fetch-ovmf.sh")
	[ "${#uefi[@]}" -eq 4 ]
	make_initramfs "booted from the volume, $$"
	printf 'timeout 0\n' >"$work/loader.conf"
	printf 'title Linux\nlinux /vmlinuz\ninitrd /initrd\noptions console=ttyS0 panic=0 quiet\n' >"$work/linux.conf"
	truncate -s 64M "$work/fat"
	export MTOOLS_SKIP_CHECK=1
	mformat -i "$work/fat" -T $((64 << 11)) -h 64 -s 32 ::
	mmd -i "$work/fat" ::/EFI ::/EFI/BOOT ::/loader ::/loader/entries
	mcopy -i "$work/fat" "${uefi[2]}" ::/EFI/BOOT/BOOTX64.EFI
	mcopy -i "$work/fat" "$work/loader.conf" ::/loader/
	mcopy -i "$work/fat" "$work/linux.conf" ::/loader/entries/
	mcopy -i "$work/fat" "${uefi[3]}" ::/vmlinuz
	mcopy -i "$work/fat" "$work/initrd" ::/
	dd if="$work/fat" of="${images[0]}" bs=1M conv=notrunc,sparse status=none
	cp "${uefi[1]}" "$work/variables"
	qemu_boot "booted from the volume, $$: Linux runs" 240 -drive "if=pflash,unit=0,format=raw,readonly=on,file=${uefi[0]}" \
		-drive "if=pflash,unit=1,format=raw,file=$work/variables"
}
