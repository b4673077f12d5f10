#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A rack of 16 as a topology on standard output: each server wears a profile with a boot disk and a data disk.
#   rack-16.sh [SERVERS] | iovprov apply -      an appliance with that many links
set -eu
servers=${1:-16}

# each FORMAT: a line for every server, %1$s is its number in two digits, %2$s its link
each() {
	i=0
	while [ "$i" -lt "$servers" ]; do
		number=$(printf '%02d' "$((i + 1))")
		printf '%s\n' "$1" | sed "s/NN/$number/g; s/LINK/$i/g"
		i=$((i + 1))
	done
}

printf 'version: 1\nkind: topology\nname: rack-%s\nservers:\n' "$servers"
each '  nodeNN: {link: LINK, profile: nodeNN}'
echo volumes:
each '  bootNN: {adapter: ssd0, size: 32GiB}'
each '  dataNN: {adapter: ssd1, size: 64GiB, on_remove: retain}'
echo qos:
echo '  standard: {read_iops: 50k, write_iops: 20k, bandwidth: 2Gbit}'
echo vadapters:
each '  bootNN-disk: {adapter: ssd0, persona: {serial: BOOTNN}, namespaces: [{volume: bootNN}]}'
each '  dataNN-disk: {adapter: ssd1, persona: {serial: DATANN}, qos: standard, namespaces: [{volume: dataNN}]}'
echo profiles:
each '  nodeNN: {slots: {0: bootNN-disk, 1: dataNN-disk}}'
