#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# One volume, two guests, and reservations by nvme-cli and Linux's driver.

load_libraries() {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	# shellcheck source=scripts/appliance.sh
	. "$top/scripts/appliance.sh"
	# shellcheck source=tests/guest/guest.sh
	. "$top/tests/guest/guest.sh"
}

setup_file() {
	local -a cable
	local name

	load_libraries
	work=$(mktemp -d "${TMPDIR:-/tmp}/iov-reservations.XXXXXX")
	export work GUEST_DIR=$work/guests
	mkdir "$GUEST_DIR"
	appliance_start "$work"
	cat >"$work/topology.yaml" <<-YAML
		version: 1
		kind: topology
		servers: {a: {link: 0}, b: {link: 1}}
		volumes: {v: {adapter: ssd0, size: 64MiB, shared: true}}
		vadapters:
		  da: {adapter: ssd0, namespaces: [{volume: v}], attach: {server: a, slot: 0}}
		  db: {adapter: ssd0, namespaces: [{volume: v}], attach: {server: b, slot: 0}}
	YAML
	iov iovprov apply "$work/topology.yaml"
	for name in a b; do
		mapfile -t cable < <(iov iovctl server args "$name")
		[ "${#cable[@]}" -gt 0 ]
		guest_start "$name" "${cable[@]}"
		guest_run "$name" 'until test -b /dev/nvme0n1; do sleep 0.1; done'
	done
}

teardown_file() {
	load_libraries
	guest_stop_all
	appliance_stop "$work"
	rm -rf "$work"
}

setup() {
	load_libraries
}

write='dd if=/dev/zero of=/dev/nvme0n1 bs=4096 count=1 oflag=direct'
read='dd if=/dev/nvme0n1 of=/dev/null bs=4096 count=1 iflag=direct'

@test "Linux sees one namespace that is shared" {
	[[ $(guest_run a 'cat /sys/block/nvme0n1/wwid') == "$(guest_run b 'cat /sys/block/nvme0n1/wwid')" ]]
	guest_run a 'nvme id-ns /dev/nvme0n1' | grep -q 'nmic *: 0x1'
	guest_run a 'nvme id-ns /dev/nvme0n1' | grep -q 'rescap *: 0xff'
	guest_run a 'nvme id-ctrl /dev/nvme0' | grep -q 'oncs *: 0x1ff'
}

@test "one holds it: the other reads, but its writes end with a conflict" {
	for name in a b; do
		guest_run "$name" "printf '\\$([[ $name == a ]] && echo 1 || echo 2)\\0\\0\\0\\0\\0\\0\\0' >/tmp/id
			nvme set-feature /dev/nvme0 -f 0x81 -l 8 -d /tmp/id"
	done
	guest_run a 'nvme resv-register /dev/nvme0n1 --rrega=0 --nrkey=0xaa --cptpl=0'
	guest_run b 'nvme resv-register /dev/nvme0n1 --rrega=0 --nrkey=0xbb --cptpl=0'
	guest_run a 'nvme resv-acquire /dev/nvme0n1 --racqa=0 --rtype=1 --crkey=0xaa'
	guest_run a "$write"
	run guest_run b "$write"
	[ "$status" -ne 0 ]
	guest_run b "$read"
	run guest_run b 'nvme resv-acquire /dev/nvme0n1 --racqa=0 --rtype=1 --crkey=0xbb'
	[ "$status" -ne 0 ]
	[[ ${output,,} == *conflict* ]]
	run guest_run b 'nvme resv-report /dev/nvme0n1'
	[ "$status" -eq 0 ]
	grep -q 'rtype *: 1$' <<<"$output"
	grep -q 'regctl *: 2$' <<<"$output"
	[[ $(grep -oE 'rkey *: [0-9a-f]+' <<<"$output" | sed 's/.* //' | sort) == $'aa\nbb' ]]
	[[ $(iov iovctl reservation list -o json | jq -c '[.reservations[]|[.key,.holder]]') == '[["0xaa",true],["0xbb",false]]' ]]
}

@test "preempted: who held it cannot write any more" {
	guest_run b 'nvme resv-acquire /dev/nvme0n1 --racqa=2 --rtype=1 --crkey=0xbb --prkey=0xaa'
	guest_run b "$write"
	run guest_run a "$write"
	[ "$status" -ne 0 ]
	guest_run a "$read"
}

@test "released, and all is as before" {
	guest_run b 'nvme resv-release /dev/nvme0n1 --rrela=0 --rtype=1 --crkey=0xbb'
	guest_run a "$write"
	guest_run b "$write"
	guest_run b 'nvme resv-register /dev/nvme0n1 --rrega=1 --crkey=0xbb'
	guest_run a 'nvme resv-report /dev/nvme0n1' | grep -q 'regctl *: 0'
}

@test "a reset keeps a registration, and an operator ends it" {
	guest_run a 'nvme resv-register /dev/nvme0n1 --rrega=0 --nrkey=0xaa --cptpl=0'
	guest_run a 'nvme resv-acquire /dev/nvme0n1 --racqa=0 --rtype=2 --crkey=0xaa'
	guest_run a 'nvme reset /dev/nvme0'
	run guest_run b "$read"
	[ "$status" -ne 0 ]
	iov iovctl reservation clear v --yes
	guest_run b "until $read; do sleep 0.1; done"
}
