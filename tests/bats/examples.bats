#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The examples of the man pages are executed.
load common

setup() {
        appliance_setup
}

teardown() {
        appliance_teardown
}

# Runs the commands of a page, the lines with "$ " in displays; what stands below one must be its output.
run_examples() {
        local page=$1 i
        rm -rf examples
        mkdir examples
        awk -v dir=examples '
                function unescape(s) { gsub(/\\e/, "\\", s); gsub(/\\&/, "", s); return s }
                function command(s) { n++; file = sprintf("%s/%02d", dir, n); print unescape(s) > (file ".cmd") }
                /^\.Bd -literal/ { inside = 1; file = ""; next }
                /^\.Ed/ { inside = 0; next }
                /^\.Dl \$ / { command(substr($0, 7)); file = ""; next }
                inside && /^\$ / { command(substr($0, 3)); next }
                inside && file != "" { print unescape($0) > (file ".out") }
        ' "$IOV_SOURCE/man/$page"
        [[ -e examples/01.cmd ]]
        for i in examples/*.cmd; do
                # Over a running iovd the pages are run too, but for their choice of appliance.
                if is_live && grep -q '^export IOV_APPLIANCE=' "$i"; then
                        continue
                fi
                echo "$page: $(cat "$i")"
                eval "$(cat "$i")" > actual
                if [[ -e ${i%.cmd}.out ]]; then
                        diff "${i%.cmd}.out" actual
                fi
        done
}

@test "the examples of iovctl(8) do what they say" {
        run_examples iovctl.8
}

@test "the examples of iovprov(8) do what they say" {
        run_examples iovprov.8
}

@test "the examples of iovdump(8) do what they say" {
        run_examples iovdump.8
}

@test "the examples of iovtop(8) do what they say" {
        run_examples iovtop.8
}
