#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The tests of the event loop, and of what does its I/O by it, once more where there is no io_uring (IOV_LOOP=threads).
set -eu
build=${IOV_BUILD:-.}
export IOV_LOOP=threads

work=$(mktemp -d "${TMPDIR:-/tmp}/iov-test-XXXXXX")
trap 'rm -rf "$work"' EXIT

for name in test-loop test-loop-memory test-dma-pin test-media-fault test-media-ram test-media-ring test-nvme-function test-qos; do
	program=$build/tests/unit/$name
	[ -x "$program" ] || program=$build/$name
	status=0
	"$program" >"$work/said" 2>&1 || status=$?
	grep -E '^((not )?ok [0-9]|#)' "$work/said" | sed "s/^\(\(not \)\{0,1\}ok\) [0-9]* -/\1 $name:/"
	# One that ends before its plan has failed, whatever it has said.
	if [ "$status" -ne 0 ] || [ "$(grep -cE '^(not )?ok [0-9]' "$work/said")" != "$(sed -n 's/^1\.\.//p' "$work/said")" ]; then
		echo "not ok $name: exit status $status"
	fi
done >"$work/tap"
cat "$work/tap"
echo "1..$(grep -cE '^(not )?ok ' "$work/tap")"
