#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Give one server its disk, wait until it is there, and print the QEMU arguments that cable a guest to it.
#   one-server.sh [FILE]      the appliance is that of $IOV_APPLIANCE
set -eu
file=${1:-$(dirname "$0")/one-server.yaml}

iovprov validate "$file"
iovprov apply --wait "$file"
iovctl vadapter list
# Nothing can be cabled to a simulator.
case ${IOV_APPLIANCE:-} in
sim:*) ;;
*) iovctl server args web01 ;;
esac
