#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Move all that a server wears to another one, which must wear nothing: disks, identities and data go along, in one transaction.
#   move-workload.sh FROM TO [OPTION of iovprov apply...]
# Shows the plan first. A server that runs loses its disks by it, so that is refused unless you add --force.
set -eu
if [ $# -lt 2 ]; then
	echo "usage: $0 FROM TO [OPTION...]" >&2
	exit 2
fi
from=$1 to=$2
shift 2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# worn SERVER: the profile that it wears, nothing where it wears none
worn() {
	iovctl server show "$1" -o json | jq -r '.servers[0].profile // empty'
}
profile=$(worn "$from")
if [ -z "$profile" ]; then
	echo "$0: $from wears no profile" >&2
	exit 1
fi
if [ -n "$(worn "$to")" ]; then
	echo "$0: $to wears $(worn "$to") already" >&2
	exit 1
fi
link() {
	iovctl server show "$1" -o json | jq -r '.servers[0].link'
}
cat >"$work/move.yaml" <<END
version: 1
kind: topology
servers:
  $from: {link: $(link "$from")}
  $to: {link: $(link "$to"), profile: $profile}
END
force=
for option; do
	[ "$option" != --force ] || force=--force
done
# The plan says as well what the appliance would refuse. What is applied is what was shown: somebody else's change in between is refused.
iovprov plan $force "$work/move.yaml" || [ $? -eq 5 ]
iovprov plan $force -o yaml "$work/move.yaml" >"$work/plan.yaml" || [ $? -eq 5 ]
iovprov apply -q --wait "$@" --plan "$work/plan.yaml"
echo "$to wears $profile now"
