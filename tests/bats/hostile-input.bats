#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Files that nobody should write: each is refused with a clear error, in little memory. And what disks do that are full.
load common

setup() {
        appliance_setup
}

teardown() {
        appliance_teardown
}

# small COMMAND...: it needs less than 1 GiB, where the input could ask for any amount.
small() {
        python3 -c 'import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1 << 20, "it took more than 1 GiB"
sys.exit(status)' "$@"
}

head2() {
        printf 'version: 1\nkind: topology\n'
}

@test "a file of 1 GiB" {
        truncate -s 1G big.yaml
        fails 2 small iovprov validate big.yaml
        says 'big.yaml: larger than 64 MiB'
        fails 1 small iovprov apply --plan big.yaml
        says 'big.yaml: File too large'
        # And what has no end.
        fails 2 small iovprov validate /dev/zero
}

@test "a billion laughs" {
        {
                head2
                echo 'x-a: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]'
                for i in {1..30}; do
                        echo "x-a$i: &a$i [*a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1)), *a$((i - 1))]"
                done
                echo 'servers: *a30'
        } > laughs.yaml
        refuses 2 small iovprov validate laughs.yaml
        says 'laughs.yaml:'
}

@test "nesting of 10,000" {
        {
                head2
                printf 'servers: '
                printf '[%.0s' {1..10000}
        } > deep.yaml
        refuses 2 small iovprov validate deep.yaml
        says 'deep.yaml:3:'
        says 'deep'
        {
                head2
                printf 'x-own: '
                printf '{a: %.0s' {1..10000}
        } > deep.yaml
        refuses 2 small iovprov validate deep.yaml
        says 'deep'
}

@test "NULs, what is not UTF-8, other encodings" {
        { head2; printf 'servers: {a\0b: {link: 0}}\n'; } > f.yaml
        refuses 2 iovprov validate f.yaml
        says 'f.yaml:3:12: error: not valid YAML'
        { head2; printf 'servers: {"a\\0b": {link: 0}}\n'; } > f.yaml
        refuses 2 iovprov validate f.yaml
        says 'f.yaml:3:11: error:'
        { head2; printf '# \xff\n'; } > f.yaml
        refuses 2 iovprov validate f.yaml
        says 'f.yaml:3:3: error: not valid YAML'
        head2 | iconv -t UTF-16 > f.yaml
        refuses 2 iovprov validate f.yaml
        head -c 100000 /dev/urandom > f.yaml
        refuses 2 small iovprov validate f.yaml
}

@test "CRLF and a byte order mark are no error" {
        { printf '\xef\xbb\xbf'; sed 's/$/\r/' rack.yaml; } > f.yaml
        iovprov validate f.yaml
        iovprov apply -q f.yaml
        is 'nothing to do' iovprov status rack.yaml
        # The mark is no column of the first line.
        printf '\xef\xbb\xbfversion: 2\r\n' > f.yaml
        refuses 2 iovprov validate f.yaml
        says 'f.yaml:1:10: error: version: 2 is not known'
}

@test "thousands of errors are told as a hundred and a number" {
        { head2; echo 'volumes:'; printf '  v%d: {adapter: ssd0, size: 1}\n' {1..5000}; } > f.yaml
        refuses 2 small iovprov validate f.yaml
        # shellcheck disable=SC2154
        [[ $(grep -c 'error:' <<< "$stderr") -le 102 ]]
        says '4900'
}

# failing CALL ERROR COMMAND...: an iovd whose system call on the state that it writes fails so. Root may write anywhere, and a full
# disk needs one of its own; the error is what counts.
failing() {
        cat > failing-iovd <<-SCRIPT
		#!/bin/sh
		exec strace -f -qq -o /dev/null -e trace=$1 -P "$T/state/state.new" -P state.new -e inject=$1:error=$2 "$IOVD" "\$@"
	SCRIPT
        chmod +x failing-iovd
        IOVD=$T/failing-iovd "${@:3}"
}

@test "a disk that is full, or cannot be written: a clear error, and the old state stands" {
        ! is_live || skip "iovd is started by the tool here"
        local call
        iovprov apply -q rack.yaml
        cp state/state before
        { head2; echo 'volumes:'; printf '  v%d: {adapter: ssd0, size: 1MiB}\n' {1..2000}; } > many.yaml
        while read -r call error text; do
                refuses 1 failing "$call" "$error" iovprov apply many.yaml
                says "$text"
                cmp before state/state
                is 'nothing to do' iovprov status rack.yaml
                is '[1,2]' json '[.generations[0].generation,(.generations|length)]' iovprov history -o json
        done <<-'END'
		openat ENOSPC No space left on device
		write ENOSPC No space left on device
		write EDQUOT Disk quota exceeded
		fsync EIO Input/output error
		openat EROFS Read-only file system
		openat EACCES Permission denied
	END
        # Nothing is left that would be in the way later.
        iovprov apply -q many.yaml
        is 2002 json '.volumes|length' iovctl volume list -o json
}

@test "two operators at once: one wins, the other is told, and nothing is mixed" {
        local i n wins=0 told=0 pids=() status
        for ((i = 0; i < 6; i++)); do
                { head2; echo 'volumes:'; for ((n = 0; n < 200; n++)); do printf '  v%d: {adapter: ssd%d, size: %dMiB}\n' "$n" $((i % 2)) $((i + 1)); done; } > "$i.yaml"
                iovprov plan -o yaml "$i.yaml" > "$i.plan" || [[ $? -eq 5 ]]
        done
        for ((i = 0; i < 6; i++)); do
                iovprov apply -q --plan "$i.plan" 2> "$i.err" &
                pids+=($!)
        done
        for ((i = 0; i < 6; i++)); do
                status=0
                wait "${pids[i]}" || status=$?
                if [[ $status -eq 0 ]]; then
                        wins=$((wins + 1))
                        is 'nothing to do' iovprov status "$i.yaml"
                else
                        [[ $status -eq 1 ]]
                        grep -Eq 'generation 0, and the appliance is at 1|has changed since it was looked at' "$i.err"
                        told=$((told + 1))
                fi
        done
        [[ $wins -eq 1 && $told -eq 5 ]]
        is 1 json '.generations[0].generation' iovprov history -o json
}
