# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Sourced, after scripts/appliance.sh: a guest that has our tools.
#
#   guest_tools_initrd FILE     writes an initramfs with iovctl, iovprov, iovdump and iovtop in /bin, beside all that the usual one has;
#                               for GUEST_INITRD. GUEST_KERNEL is set as well.
#
# The tools bring their own loader and libraries, so they need none of the guest's. The kernel unpacks archives one after the other.

guest_tools_initrd() {
	local out=$1 scripts root tool binary loader
	local -a images
	scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../scripts" && pwd)
	mapfile -t images < <("$scripts/fetch-guest.sh")
	[[ ${#images[@]} -eq 2 ]] || return 1
	root=$(mktemp -d "${TMPDIR:-/tmp}/iov-tools.XXXXXX")
	mkdir -p "$root"/bin "$root"/opt/iov/{bin,lib}
	for tool in iovctl iovprov iovdump iovtop; do
		binary=$(iov_tool "$tool") || return
		# In a build tree that is a script of libtool's.
		[[ ! -x ${binary%/*}/.libs/$tool ]] || binary=${binary%/*}/.libs/$tool
		cp "$binary" "$root/opt/iov/bin/"
		LD_LIBRARY_PATH=${binary%/*} ldd "$binary" | grep -oE '/[^ ]+' | sort -u | xargs cp -Lt "$root/opt/iov/lib/"
		loader=$(basename "$(ldd "$binary" | grep -oE '/[^ ]*/ld-[^ ]+')")
		printf '#!/bin/sh\nexec /opt/iov/lib/%s --library-path /opt/iov/lib /opt/iov/bin/%s "$@"\n' "$loader" "$tool" \
			>"$root/bin/$tool"
		chmod 755 "$root/bin/$tool"
	done
	# Archives begin at multiples of four bytes.
	{
		cat "${images[1]}"
		head -c $(((4 - $(stat -c %s "${images[1]}") % 4) % 4)) /dev/zero
		(cd "$root" && find . -print0 | LC_ALL=C sort -z | cpio --null -o -H newc --owner 0:0 --quiet)
	} >"$out"
	rm -rf "$root"
	export GUEST_KERNEL=${images[0]}
}
