#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints four lines: OVMF's code and its variables, UEFI firmware for a guest; a boot loader for it; and a kernel as a PE program.
# Debian 12's, unmodified, unpacked in the cache without root.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/apt-private.sh
. "$here/apt-private.sh"

packages=(ovmf systemd-boot-efi)
cache=${IOV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iov-tools}
files=(OVMF_CODE_4M.fd OVMF_VARS_4M.fd systemd-bootx64.efi vmlinuz)

# A folder named by what decides its content, as the guest's.
id=$(printf '%s\n' "${packages[@]}" | cat - "$0" | sha256sum | cut -c1-12)
target=$cache/ovmf-$id

fetch() {
	local real file deb
	work=$(mktemp -d "$cache/work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	say "fetching UEFI firmware, a boot loader and a kernel (about 80 MB to download)"
	apt_private_setup "$work/apt" bookworm
	real=$(apt-cache -c "$work/apt/apt.conf" depends linux-image-amd64 | awk '$1 == "Depends:" { print $2; exit }')
	mkdir "$work/files"
	(cd "$work" && apt_private download "${packages[@]}" "$real") || die "cannot download ${packages[*]} $real"
	for deb in "$work"/*.deb; do
		dpkg-deb -x "$deb" "$work/tree"
	done
	for file in usr/share/OVMF/OVMF_{CODE,VARS}_4M.fd usr/lib/systemd/boot/efi/systemd-bootx64.efi; do
		cp -L "$work/tree/$file" "$work/files/"
	done
	cp "$work"/tree/boot/vmlinuz-* "$work/files/vmlinuz"
	rm -rf "$target"
	mv -T "$work/files" "$target"
	find "$cache" -mindepth 1 -maxdepth 1 -name 'ovmf-*' ! -path "$target" -mtime +14 -exec rm -rf {} +
}

mkdir -p "$cache"
exec 9>"$cache/ovmf.lock"
flock 9
for file in "${files[@]}"; do
	[[ -s $target/$file ]] || {
		fetch
		break
	}
done
touch "$target"
printf '%s\n' "${files[@]/#/$target/}"
