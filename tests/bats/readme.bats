#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The sessions of README.md, as a reader pastes them; only where they keep things is moved below the test's own directory. The two bootstrap
# commands are run by .ci/run: it is `./bootstrap check`, which runs the demo as one of its tests.
load common

setup() {
	appliance_setup
	mkdir source
	ln -s "$IOV_BUILD" source/build
	ln -s "$IOV_SOURCE/examples" source/examples
}

teardown() {
	appliance_teardown
}

# session HEADING: the code below it
session() {
	awk -v heading="$1" '
		index($0, heading) == 1 { found = 1 }
		found && /^```sh/ { inside = 1; next }
		inside && /^```/ { exit }
		inside' "$IOV_SOURCE/README.md" |
		sed -e '/^\.\/bootstrap /d' -e "s|/tmp/iov-|$T/|g"
}

@test "the first session, over sim:" {
	{
		echo 'set -euo pipefail; cd source; unset IOV_APPLIANCE IOVD'
		session "## A first session"
	} > session.sh
	grep -q 'iovprov apply examples/rack.yaml' session.sh
	run --separate-stderr bash session.sh
	[ "$status" -eq 0 ] || { printf '%s\n' "$output" "$stderr"; return 1; }
	[ -z "$stderr" ]
	[[ $output == *"8 to add"* && $output == *"nothing to do"* ]]
	[[ $output == *"01:00.0 Non-Volatile memory controller"* ]]
}

@test "the session with a running appliance" {
	{
		# bats waits for everyone who has its output: iovd must end with the session.
		echo "set -euo pipefail; cd source; PATH=$T/source/build:\$PATH"
		echo "trap 'kill \$(cat $T/iovd.pid)' EXIT"
		session "With a running appliance" | sed "s|^iovd .*&\$|& echo \$! > $T/iovd.pid; for i in {1..100}; do [[ -S $T/run/mgmt.sock ]] \\&\\& break; sleep 0.1; done|"
	} > session.sh
	grep -q 'iovd --state' session.sh
	run --separate-stderr bash -c 'bash session.sh 3>&-'
	[ "$status" -eq 0 ] || { printf '%s\n' "$output" "$stderr"; return 1; }
	[[ $output == *"vfio-user-pci"*"web-disk"* ]]
}
