# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Sourced: an appliance of one's own, for the demo and the guest tests.
#
#   appliance_start DIR    starts iovd on examples/chassis.yaml with everything it keeps under DIR; returns when it answers
#                          (UNPLUG_TIMEOUT: seconds a guest has to let go of a vAdapter; POLL_TIME: microseconds; CHASSIS: another file)
#   iov TOOL ARGS...       runs iovctl, iovprov, ... on it
#   appliance_stop DIR     ends it
#   iov_tool NAME          where a program is: in the build tree ($IOV_BUILD), else installed

_iov_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

iov_tool() {
	local built=${IOV_BUILD:-$_iov_top/build}/$1
	if [[ -x $built ]]; then
		printf '%s\n' "$built"
	else
		command -v "$1" || {
			printf '%s is neither in %s nor installed: run ./bootstrap build, or set IOV_BUILD\n' "$1" "${built%/*}" >&2
			return 1
		}
	fi
}

iov() {
	local program
	program=$(iov_tool "$1") || return
	shift
	"$program" -a "unix:$IOV_RUN/mgmt.sock" "$@"
}

_appliance_alive() {
	local pid
	pid=$(cat "$1/iovd.pid" 2>/dev/null) &&
		grep -qazFx "$1/state" "/proc/$pid/cmdline" 2>/dev/null
}

appliance_start() {
	local dir=$1 iovd tries
	iovd=$(iov_tool iovd) || return
	export IOV_RUN=$dir/run
	mkdir -p "$dir/state" "$dir/run"
	# Descriptor 3 is closed because bats waits for everyone who holds it.
	"$iovd" --state "$dir/state" --run "$dir/run" --chassis "${CHASSIS:-$_iov_top/examples/chassis.yaml}" --unplug-timeout "${UNPLUG_TIMEOUT:-30}" --poll-time "${POLL_TIME:-50}" </dev/null >"$dir/iovd.log" 2>&1 3>&- &
	echo $! >"$dir/iovd.pid"
	for ((tries = 0; tries < 300; tries++)); do
		sleep 0.1
		if iov iovctl server list >/dev/null 2>&1; then
			return
		fi
		_appliance_alive "$dir" || break
	done
	printf 'iovd does not answer on %s; the end of its log:\n' "$IOV_RUN/mgmt.sock" >&2
	tail -n 15 "$dir/iovd.log" >&2
	appliance_stop "$dir"
	return 1
}

appliance_stop() {
	local dir=$1 pid tries signal
	pid=$(cat "$dir/iovd.pid" 2>/dev/null) || return 0
	for signal in TERM KILL; do
		_appliance_alive "$dir" || break
		kill -s "$signal" "$pid"
		for ((tries = 0; tries < 100; tries++)); do
			_appliance_alive "$dir" || break
			sleep 0.05
		done
	done
	wait "$pid" 2>/dev/null || :
	rm -f "$dir/iovd.pid"
}
