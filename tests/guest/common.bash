# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the guest tests share: an appliance for a whole file, with everything in $work, and its end. A file has a setup of its own where it
# needs more.

# In each process of bats anew: functions are not inherited.
load_libraries() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	# shellcheck source=scripts/appliance.sh
	. "$top/scripts/appliance.sh"
	# shellcheck source=tests/guest/guest.sh
	. "$top/tests/guest/guest.sh"
}

# work_begin NAME: for setup_file. A function `chassis` prints another chassis than that of the examples.
work_begin() {
	load_libraries
	work=$(mktemp -d "${TMPDIR:-/tmp}/iov-$1.XXXXXX")
	export work GUEST_DIR=$work/guests
	mkdir "$GUEST_DIR"
	if declare -F chassis >/dev/null; then
		chassis >"$work/chassis.yaml"
		local CHASSIS=$work/chassis.yaml
	fi
	appliance_start "$work"
}

setup() {
	load_libraries
}

teardown_file() {
	load_libraries
	guest_stop_all
	appliance_stop "$work"
	rm -rf "$work"
}
