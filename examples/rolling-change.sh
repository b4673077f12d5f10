#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Make a change for one server after the other, and stop at the first that does not come back.
#   rolling-change.sh FILE...      each file is the part of the topology for one server, as it shall be
# What was done before the failure stays, the step that failed is taken back; `iovprov history` tells which is which.
set -eu
if [ $# -eq 0 ]; then
	echo "usage: $0 FILE..." >&2
	exit 2
fi

# All files are checked before anything is touched.
for file in "$@"; do
	iovprov validate "$file"
done
for file in "$@"; do
	before=$(iovprov history -o name | head -n 1)
	status=0
	iovprov apply -q --timeout "${TIMEOUT:-60}" "$file" || status=$?
	if [ "$status" -eq 0 ]; then
		echo "$file: done"
		continue
	fi
	# A refusal changed nothing; what was applied and has not come about is taken back.
	if [ "$status" -eq 6 ]; then
		iovprov rollback -q --yes --force "$before"
	fi
	echo "$0: $file: failed, nothing behind it was touched" >&2
	exit 1
done
