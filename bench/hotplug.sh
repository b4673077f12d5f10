#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How long it takes from asking until a running guest's driver has the disk: a vAdapter by `iovctl vadapter attach`, against QEMU's own NVMe
# device by a bare device_add in the same guest, in turns. Then 16 vAdapters by one `iovprov apply`. Needs the guest's files.
#   bench/hotplug.sh [ROUNDS]
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/appliance.sh
. "$top/scripts/appliance.sh"
# shellcheck source=tests/guest/guest.sh
. "$top/tests/guest/guest.sh"

rounds=${1:-15}
work=$(mktemp -d "${TMPDIR:-/tmp}/iov-hotplug.XXXXXX")
export GUEST_DIR=$work/guests
mkdir "$GUEST_DIR"
trap 'guest_stop_all; appliance_stop "$work"; rm -rf "$work"' EXIT
appliance_start "$work"

{
	printf 'version: 1\nkind: topology\nname: bench\nservers:\n  s: {link: 0, host: {qemu: %s}}\n' "$work/s.qmp"
	printf 'volumes:\n'
	for ((n = 0; n < 16; n++)); do printf '  v%d: {adapter: ssd0, size: 16MiB}\n' "$n"; done
	printf 'vadapters:\n'
	for ((n = 0; n < 16; n++)); do
		printf '  d%d: {adapter: ssd0, persona: {serial: IOV%d}, namespaces: [{volume: v%d}]}\n' "$n" "$n" "$n"
	done
} >"$work/bench.yaml"
sed '/^  d[0-9]*:/{s/  d\([0-9]*\):.*/&, attach: {server: s, slot: \1}}/;s/}, attach/, attach/}' "$work/bench.yaml" >"$work/all.yaml"
iov iovprov apply -q "$work/bench.yaml"
mapfile -t cable < <(iov iovctl server args s --ports 16)
truncate -s 16M "$work/own.img"
guest_start s "${cable[@]}" -qmp "unix:$work/mine.qmp,server=on,wait=off" -drive "if=none,id=own,format=raw,file=$work/own.img"
until [[ $(iov iovctl server show s -o json | jq -r '.servers[0].host_state') == ready ]]; do sleep 0.1; done

now() {
	date +%s%N
}

# The guest looks, again and again, whether a disk of that serial is live, and answers when it is: our clock is stopped then.
await() {
	guest_run s "until grep -qx live \$(dirname \$(grep -l '^$1 *\$' /sys/class/nvme/*/serial 2>/dev/null || echo /none/x))/state 2>/dev/null
		do sleep 0.005; done"
}

await_gone() {
	guest_run s "while grep -q '^$1 *\$' /sys/class/nvme/*/serial 2>/dev/null; do sleep 0.005; done"
}

# mine JSON: a command by our own QMP connection, which is made before the clock starts.
coproc QMP {
	exec python3 -uc 'import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rw")
f.readline()
for line in sys.stdin:
    f.write(line)
    f.flush()
    while not {"return", "error"} & set(reply := json.loads(f.readline())):
        pass
    print(json.dumps(reply))' "$work/mine.qmp"
}
mine() {
	local line
	printf '%s\n' "$1" >&"${QMP[1]}"
	IFS= read -r line <&"${QMP[0]}"
	[[ $line == '{"return"'* ]] || {
		echo "$line" >&2
		return 1
	}
}
mine '{"execute": "qmp_capabilities"}'

# Without libtool's wrapper, which is a shell script of its own.
attach() {
	LD_LIBRARY_PATH=$IOV_BUILD/.libs "$IOV_BUILD/.libs/iovctl" -a "unix:$IOV_RUN/mgmt.sock" vadapter attach "$@"
}

ours=() theirs=()
for ((round = 0; round <= rounds; round++)); do
	start=$(now)
	attach d0 s 0
	await IOV0
	took=$((($(now) - start) / 1000))
	((round == 0)) || ours+=("$took")
	iov iovctl vadapter detach d0
	await_gone IOV0
	start=$(now)
	mine '{"execute": "device_add", "arguments": {"driver": "nvme", "id": "own", "serial": "OWN", "drive": "own", "bus": "iov1"}}'
	await OWN
	took=$((($(now) - start) / 1000))
	((round == 0)) || theirs+=("$took")
	mine '{"execute": "device_del", "arguments": {"id": "own"}}'
	await_gone OWN
	sleep 0.1
done

median() {
	printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"
}
a=$(median "${ours[@]}") b=$(median "${theirs[@]}")
printf 'hotplug: attach to driver-bound: vAdapter %d us, QEMU'"'"'s own NVMe %d us, ratio %d.%02d (limit 1.2), medians of %d\n' \
	"$a" "$b" $((a / b)) $((a * 100 / b % 100)) "$rounds"

start=$(now)
iov iovprov apply -q "$work/all.yaml"
plugged=$((($(now) - start) / 1000000))
for ((n = 0; n < 16; n++)); do await "IOV$n"; done
printf 'hotplug: 16 vAdapters by one iovprov apply: plugged after %d ms, all 16 bound to their driver after %d ms\n' \
	"$plugged" $((($(now) - start) / 1000000))
((a * 10 <= b * 12))
