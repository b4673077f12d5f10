#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Large topologies: the same answers as for small ones, in one transaction.
load common

setup() {
	appliance_setup
	topology 10000 > large.yaml
}

teardown() {
	appliance_teardown
}

# topology PAIRS [LAST]: volumes and vAdapters that show them; LAST is what the last vAdapter is.
topology() {
	awk -v n="$1" -v last="${2:-}" 'BEGIN {
		print "version: 1\nkind: topology\nvolumes:"
		for (i = 0; i < n; i++) printf "  vol%05d: {adapter: ssd0, size: 4MiB}\n", i
		print "vadapters:"
		for (i = 0; i < n; i++)
			printf "  va%05d: %s\n", i, i == n - 1 && last ? last : sprintf("{adapter: ssd0, namespaces: [{volume: vol%05d}]}", i)
	}'
}

@test "10,000 volumes and vAdapters on ssd0: one transaction, nothing left to do, nothing lost" {
	iovprov validate large.yaml
	run iovprov plan large.yaml
	[ "$status" -eq 5 ]
	[ "${lines[-1]}" = "30000 to add, 0 to change, 0 to remove" ]
	iovprov apply -q large.yaml
	run iovprov plan large.yaml
	[ "$status" -eq 0 ]
	[ "$output" = "nothing to do" ]
	[ "$(iovprov history -o name | wc -l)" -eq 2 ]
	[ "$(iovctl vadapter list -o json | jq '.vadapters | length, ([.[].nqn] | unique | length), .[9999].namespaces[0].volume' | tr '\n' ' ')" \
		= '10000 10000 "vol09999" ' ]
}

@test "the appliance's own topology, through a pipe and in its own file descriptor" {
	iovprov apply -q large.yaml
	iovdump topology | iovprov plan -
	iovprov plan <(iovdump topology)
}

@test "what is wrong in the midst of it is shown there, by the file's reader and by the appliance" {
	topology 10000 '{adapter: ssd0, persona: {serial: TWICE}}' | sed '10100s/{.*/{adapter: ssd0, persona: {serial: TWICE}}/' > last.yaml
	run iovprov validate last.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"last.yaml:20004:46: error: serial \"TWICE\" is given twice; first at last.yaml:10100:46"* ]]
	topology 10000 '{adapter: nic0, namespaces: [{volume: vol09999}]}' > last.yaml
	run iovprov apply last.yaml
	[ "$status" -eq 2 ]
	[[ $output == *"last.yaml:20004:"*"nic0 is a nic, it has no namespaces"* ]]
	run iovprov plan large.yaml
	[ "${lines[-1]}" = "30000 to add, 0 to change, 0 to remove" ]
}

@test "what is wrong with a large file is told, not what is wrong with the appliance" {
	echo 'nonsense: 1' >> large.yaml
	run iovprov -a unix:/nonexistent plan large.yaml
	[ "$status" -eq 2 ]
	[[ $output == *'unknown key "nonsense"'* && $output != *appliance* ]]
	topology 10000 > large.yaml
	run iovprov -a unix:/nonexistent plan large.yaml
	[ "$status" -eq 3 ]
	[[ $output == *"no appliance answers"* ]]
}
