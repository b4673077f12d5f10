#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every include in lib/, tools/ and appliance/ is one that the table in docs/architecture.md allows.
set -eu
cd "${IOV_SOURCE:-.}"

work=$(mktemp -d "${TMPDIR:-/tmp}/iov-test-XXXXXX")
trap 'rm -rf "$work"' EXIT

# "folder entry" for each allowed pair
# shellcheck disable=SC2016 # the backquotes are those of the table
sed -n 's/^| `\([^`]*\/\)` | \(.*\) |$/\1 \2/p' docs/architecture.md | tr -d '`' |
	awk '{ for (i = 2; i <= NF; i++) print $1, $i }' >"$work/rules"

# "file header" for each include in quotes, or of libiov in angle brackets
find lib tools appliance \( -name '*.c' -o -name '*.h' -o -name '*.def' \) | sort >"$work/files"
xargs grep -HE '^[[:space:]]*#[[:space:]]*include[[:space:]]*("|<iov/)' <"$work/files" |
	sed 's/^\([^:]*\):[^"<]*["<]\([^">]*\)[">].*/\1 \2/' >"$work/includes"

# judge RULES INCLUDES: print what is wrong, one line each
judge() {
	while read -r file header; do
		[ "$header" = config.h ] && continue # made by configure
		found=
		for place in "$(dirname "$file")/" lib/ appliance/ ''; do
			if [ -e "$place$header" ]; then
				found=$place$header
				break
			fi
		done
		echo "$file $header ${found:-?}"
	done <"$2" | awk -v rules="$1" '
		BEGIN { while ((getline line < rules) > 0) { split(line, f, " "); folder[f[1]] = 1; allowed[f[1], ++n[f[1]]] = f[2] } }
		{
			room = ""
			for (d in folder)
				if (index($1, d) == 1 && length(d) > length(room)) room = d
			if (room == "") { print $1 ": its folder is not in docs/architecture.md"; next }
			if ($3 == "?") { print $1 ": includes " $2 ", which is nowhere"; next }
			ok = 0
			for (i = 1; i <= n[room]; i++) {
				a = allowed[room, i]
				if ($3 == a || (a ~ /\/$/ && index($3, a) == 1)) ok = 1
			}
			if (!ok) print $1 ": includes " $3 ", which " room " may not"
		}'
}

number=0 failed=0
report() { # report STATUS TEXT
	number=$((number + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $number - $2"
	else
		echo "not ok $number - $2"
		failed=1
	fi
}

echo 1..3
# The test itself: it reads the table, and it finds a violation where there is one.
rows=$(cut -d' ' -f1 "$work/rules" | sort -u | wc -l)
status=1
[ "$rows" -ge 8 ] && [ "$(wc -l <"$work/includes")" -gt 50 ] && status=0
report "$status" 'the table and the sources are there'

cat >"$work/bad" <<-'END'
	lib/model.c vpc/model.h
	tools/x.c vpc/host.h
	tools/x.c context.h
	appliance/adapters/x.c vpc/function.h
	appliance/adapters/x.c loop/loop.h
	appliance/loop/x.c nowhere.h
	elsewhere/x.c util.h
END
status=1
[ "$(judge "$work/rules" "$work/bad" | wc -l)" -eq 7 ] && status=0
report "$status" 'includes across the layers are noticed'

judge "$work/rules" "$work/includes" >"$work/wrong"
sed 's/^/# /' "$work/wrong"
status=1
[ -s "$work/wrong" ] || status=0
report "$status" 'nothing includes what it may not'
exit "$failed"
