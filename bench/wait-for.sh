# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Sourced by the benchmarks that start programs of their own.

# wait_for FILE: until it is there, ten seconds at most
wait_for() {
	tries=100
	while [ ! -e "$1" ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || {
			echo "bench: $1 did not appear" >&2
			exit 1
		}
		sleep 0.1
	done
}
