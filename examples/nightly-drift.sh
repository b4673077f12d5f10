#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# For cron: say nothing while the appliance is what the files say; else print what differs and who changed it last, and exit 5.
#   nightly-drift.sh FILE...
set -eu
if [ $# -eq 0 ]; then
	echo "usage: $0 FILE..." >&2
	exit 2
fi

status=0
difference=$(iovprov status "$@") || status=$?
case $status in
0) exit 0 ;;
5)
	echo "The appliance is not what $* says; applying it would do this:"
	echo "$difference"
	echo
	echo "The last changes:"
	iovprov history | head -n 4
	exit 5
	;;
*)
	# iovprov has said why.
	exit "$status"
	;;
esac
