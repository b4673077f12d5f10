#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints the path of a qemu-system-x86_64 that has vfio-user-pci: $QEMU or the system's own, else one from Debian's
# trixie-backports, kept in the cache. Needs no root. It brings its own libraries and loader, because Debian 12's glibc is too old.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/apt-private.sh
. "$here/apt-private.sh"

cache=${IOV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/iov-tools}
target=$cache/qemu

# Not `-device help`: that aborts when it meets modules of another QEMU.
has_vfio_user() {
	"$1" -device vfio-user-pci,help >/dev/null 2>&1
}

if [[ ${QEMU-} ]]; then
	has_vfio_user "$QEMU" || die "QEMU=$QEMU has no vfio-user-pci (QEMU 10.1 or later has it): unset QEMU to fetch one"
	command -v "$QEMU"
	exit
fi
if has_vfio_user qemu-system-x86_64; then
	command -v qemu-system-x86_64
	exit
fi

mkdir -p "$cache"
exec 9>"$cache/qemu.lock"
flock 9
if [[ -x $target/qemu-system-x86_64 ]]; then
	printf '%s\n' "$target/qemu-system-x86_64"
	exit
fi

work=$(mktemp -d "$cache/qemu.XXXXXX")
trap 'rm -rf "$work"' EXIT
say "fetching QEMU from trixie-backports (about 40 MB to download)"
apt_private_setup "$work/apt" trixie trixie-backports
apt_private_closure --target-release trixie-backports qemu-system-x86
for deb in "$work"/apt/cache/archives/*.deb; do
	dpkg-deb -x "$deb" "$work/tree"
done

binary=$work/tree/usr/bin/qemu-system-x86_64
mkdir -p "$work/qemu/lib" "$work/qemu/share"
tree_libraries "$work/tree" "$binary" | while read -r library; do
	cp -L "$library" "$work/qemu/lib/"
done
for rom in bios-256k.bin kvmvapic.bin linuxboot_dma.bin pvh.bin; do
	find -L "$work/tree/usr/share/qemu" "$work/tree/usr/share/seabios" -name "$rom" -exec cp -L {} "$work/qemu/share/" \; -quit
done
cp "$binary" "$work/qemu/qemu.bin"
cat >"$work/qemu/qemu-system-x86_64" <<'WRAPPER'
#!/bin/sh
# Written by fetch-qemu.sh: QEMU with the loader and the libraries it was built for.
d=$(dirname "$(readlink -f "$0")")
exec "$d/lib/ld-linux-x86-64.so.2" --library-path "$d/lib" --argv0 qemu-system-x86_64 "$d/qemu.bin" -L "$d/share" "$@"
WRAPPER
chmod 755 "$work/qemu/qemu-system-x86_64" "$work/qemu"
has_vfio_user "$work/qemu/qemu-system-x86_64" ||
	die "the QEMU of trixie-backports does not run here: $("$work/qemu/qemu-system-x86_64" -device vfio-user-pci,help 2>&1 | head -n 3)"
mv -T "$work/qemu" "$target"
say "QEMU $("$target/qemu-system-x86_64" --version | awk 'NR == 1 { print $4 }') is in $target ($(du -sh "$target" | cut -f1))"
printf '%s\n' "$target/qemu-system-x86_64"
