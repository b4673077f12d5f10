#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints two lines: the kernel and the initramfs of a test guest. Debian 12's kernel and tools, unmodified, unpacked in the cache
# without root; built again only when the lists below or the init script change.
set -euo pipefail

# What a guest can drive: a module brings the modules it depends on.
modules=(nvme ext4 crc32c_generic crc32c-intel aer_inject)
# What a guest can run, besides busybox; the libraries come along.
programs=(dash lspci setpci nvme fio mke2fs e2fsck mount umount lsblk blockdev findmnt fstrim taskset wipefs kmod)
packages=(busybox-static dash pciutils nvme-cli fio util-linux mount e2fsprogs kmod)

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/apt-private.sh
. "$here/apt-private.sh"
PATH=$PATH:/usr/sbin:/sbin

init=$here/../tests/guest/init
cache=${IOV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iov-tools}/guest

# The names carry a hash of everything that decides the content, so work trees of different age can share a cache.
packages_id=$(printf '%s\n' "${packages[@]}" | sha256sum | cut -c1-12)
image_id=$(printf '%s\n' "$packages_id" "${modules[@]}" / "${programs[@]}" | cat - "$0" "$init" | sha256sum | cut -c1-12)
debs=$cache/debs-$packages_id
kernel=$cache/vmlinux-$image_id
initrd=$cache/initramfs-$image_id.cpio

fetch_packages() {
	local real
	say "fetching Debian's kernel and guest tools (about 140 MB to download)"
	apt_private_setup "$work/apt" bookworm
	apt_private_closure "${packages[@]}"
	# The package behind the name linux-image-amd64, alone: its dependencies make an initramfs of another kind.
	real=$(apt-cache -c "$work/apt/apt.conf" depends linux-image-amd64 | awk '$1 == "Depends:" { print $2; exit }')
	(cd "$work/apt/cache/archives" && apt_private download "$real") || die "cannot download $real"
	rm -rf "$debs"
	mkdir "$work/debs"
	mv "$work"/apt/cache/archives/*.deb "$work/debs"
	mv -T "$work/debs" "$debs"
}

# The ELF kernel inside a bzImage, which QEMU boots without running a decompressor in emulation. Offsets: Linux x86 boot protocol 2.08.
extract_vmlinux() {
	local setup_sectors offset length start
	setup_sectors=$(od -An -tu1 -j $((0x1f1)) -N1 "$1")
	read -r offset length < <(od -An -tu4 -j $((0x248)) -N8 "$1")
	# The payload's last four bytes are its size when unpacked, no part of the xz stream.
	start=$(((setup_sectors + 1) * 512 + offset))
	head -c $((start + length - 4)) "$1" | tail -c +$((start + 1)) | xz -dc
}

copy_modules() {
	local tree=$1 root=$2 release file
	release=$(basename "$tree"/lib/modules/*)
	depmod -b "$tree" "$release"
	for module in "${modules[@]}"; do
		modprobe -d "$tree" -S "$release" --show-depends "$module" || die "this kernel has no module $module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
		install -D -m 644 "$file" "$root/${file#"$tree/"}"
	done
	cp "$tree/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$release/"
	depmod -b "$root" "$release"
}

copy_programs() {
	local tree=$1 root=$2 program path
	local -a paths=()
	install "$tree/bin/busybox" "$root/bin/busybox"
	for program in "${programs[@]}"; do
		path=$(find "$tree"/{usr/,}{s,}bin -name "$program" -print -quit)
		[[ $path ]] || die "none of ${packages[*]} has the program $program"
		install "$path" "$root/bin/"
		paths+=("$path")
	done
	tree_libraries "$tree" "${paths[@]}" | while read -r path; do
		cp -L "$path" "$root/lib/"
	done
	mv "$root/lib/ld-linux-x86-64.so.2" "$root/lib64/"
	# The real ones, not busybox's: they are what a server would use. (Its shell would run its own applets whatever PATH says.)
	ln -s dash "$root/bin/sh"
	for program in modprobe insmod rmmod lsmod; do
		ln -s kmod "$root/bin/$program"
	done
	ln -s mke2fs "$root/bin/mkfs.ext4"
	install -D -m 644 "$tree/usr/share/misc/pci.ids" "$root/usr/share/misc/pci.ids"
}

build_images() {
	local tree=$work/tree root=$work/root deb
	say "building the guest's kernel and initramfs"
	for deb in "$debs"/*.deb; do
		dpkg-deb -x "$deb" "$tree"
	done
	extract_vmlinux "$(echo "$tree"/boot/vmlinuz-*)" >"$work/vmlinux" || die "cannot unpack the kernel (xz-utils installed?)"
	mkdir -p "$root"/{bin,lib,lib64,etc,dev,proc,sys,tmp,run,mnt}
	ln -s bin "$root/sbin"
	copy_modules "$tree" "$root"
	copy_programs "$tree" "$root"
	install "$init" "$root/init"
	(cd "$root" && find . -print0 | LC_ALL=C sort -z | cpio --null -o -H newc --owner 0:0 --quiet) >"$work/initramfs"
	mv "$work/vmlinux" "$kernel"
	mv "$work/initramfs" "$initrd"
	say "the guest is in $cache ($(du -sh "$initrd" | cut -f1) initramfs)"
}

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [[ ! -s $kernel || ! -s $initrd ]]; then
	for tool in cpio xz depmod; do
		command -v $tool >/dev/null || die "$tool is missing: ./bootstrap packages installs it"
	done
	work=$(mktemp -d "$cache/work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	[[ -d $debs ]] || fetch_packages
	build_images
	# What older lists left goes when nobody has asked for it for two weeks.
	find "$cache" -mindepth 1 -maxdepth 1 -name '*-*' ! -path "$debs" -mtime +14 -exec rm -rf {} +
fi
touch "$kernel" "$initrd"
printf '%s\n' "$kernel" "$initrd"
