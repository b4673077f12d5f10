# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Two servers with a disk each, and a server without QEMU that writes, reads and checks while its worker is killed: bench/restart.

two_disks() {
	cat <<-YAML
		version: 1
		kind: topology
		servers: {web01: {link: 0}, db01: {link: 1}}
		volumes: {vol0: {adapter: ssd0, size: 64MiB}, vol1: {adapter: ssd0, size: 64MiB}}
		vadapters:
		  web-disk: {adapter: ssd0, namespaces: [{volume: vol0}], attach: {server: web01, slot: 0}}
		  db-disk: {adapter: ssd0, namespaces: [{volume: vol1}], attach: {server: db01, slot: 0}}
	YAML
}

# under_load KILLS [PID_FILE]: a server's I/O with its worker killed so often; prints what restart prints.
under_load() {
	timeout 120 "$IOV_BUILD/bench/restart" run/mgmt.sock run/servers/web01/0.sock web01 "$@" 3>&-
}

# host_start: the same in the background, with one kill at the end of a second or so; host_wait passes its status on.
host_start() {
	"$IOV_BUILD/bench/restart" run/mgmt.sock run/servers/web01/0.sock web01 "$@" > host.out 2>&1 3>&- &
	HOST_PID=$!
	until_true 10 is_connected
}

host_wait() {
	local pid=$HOST_PID
	HOST_PID=
	wait "$pid" || {
		cat host.out iovd.log
		return 1
	}
}

# For teardown.
host_end() {
	if [[ -n ${HOST_PID-} ]]; then
		kill "$HOST_PID" 2> /dev/null || true
		wait "$HOST_PID" 2> /dev/null || true
	fi
}

is_connected() {
	[[ $(iovctl vadapter list -o json | jq -r '.vadapters[] | select(.name == "web-disk") | .state') == connected ]]
}

# The file is empty for a moment, between two of them.
is_another_control() {
	local pid
	pid=$(control_pid)
	[[ -n $pid && $pid != "$1" ]]
}
