#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The public headers, the symbol file and the shared library agree on what libiov exports.
set -eu
source=${IOV_SOURCE:-.} build=${IOV_BUILD:-.}

work=$(mktemp -d "${TMPDIR:-/tmp}/iov-test-XXXXXX")
trap 'rm -rf "$work"' EXIT

# Functions declared in the headers: comments and macro definitions away, then every iov_name that a parenthesis follows.
cat "$source/lib/iov/libiov.h" "$source/lib/iov/registers.h" | awk '
	{ text = text $0 "\n" }
	END {
		while ((i = index(text, "/*")) > 0) {
			rest = substr(text, i + 2)
			text = substr(text, 1, i - 1) " " substr(rest, index(rest, "*/") + 2)
		}
		printf "%s", text
	}' | sed -e ':a' -e '/\\$/{N;ba' -e '}' | sed '/^[[:space:]]*#/d' |
	grep -oE '\biov_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$work/header"
sed -n '/global:/,/local:/s/^[[:space:]]*\(iov_[a-z0-9_]*\);$/\1/p' "$source/lib/libiov.sym" >"$work/sym-as-it-is"
sort -u "$work/sym-as-it-is" >"$work/sym"
nm -D --defined-only "$build/.libs/libiov.so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u >"$work/exports"

number=0 failed=0
same() { # same FILE FILE TEXT
	number=$((number + 1))
	if diff "$1" "$2" >"$work/diff"; then
		echo "ok $number - $3"
	else
		sed 's/^/# /' "$work/diff"
		echo "not ok $number - $3"
		failed=1
	fi
}

echo 1..4
number=1
if [ "$(wc -l <"$work/header")" -gt 50 ]; then
	echo 'ok 1 - the headers declare functions'
else
	echo 'not ok 1 - the headers declare functions'
	failed=1
fi
same "$work/header" "$work/sym" 'libiov.sym names what the headers declare'
same "$work/sym" "$work/exports" 'libiov.so exports what libiov.sym names'
uniq -d "$work/sym-as-it-is" >"$work/twice"
same "$work/twice" /dev/null 'libiov.sym names nothing twice'
exit "$failed"
