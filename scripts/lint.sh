#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds with every warning an error, and judges the sources: each step is one test, and its log is in build/logs/.
#   scripts/lint.sh [STEP...]     all steps without arguments
set -euo pipefail

# shellcheck source=scripts/results.sh
. "$(dirname "$0")/results.sh"
trees=$IOV_BUILD/trees
jobs=$(nproc)

# tree NAME CONFIGURE-ARGUMENT...   configures and builds everything, test programs too, in a build tree of its own
tree() {
	local name=$1
	shift
	mkdir -p "$trees/$name" && cd "$trees/$name" || return
	if [[ ! -e Makefile || $top/configure -nt config.status ]]; then
		"$top/configure" --disable-silent-rules --enable-werror "$@" || return
	fi
	# Without a test to run, `check` builds what the tests need.
	make -j "$jobs" all && make -j "$jobs" check TESTS=
}

# Also writes down how each file is compiled, for the two analysers that need to know.
lint_clang() {
	tree clang CC=clang CFLAGS="-g -O1 -Wno-unused-command-line-argument -gen-cdb-fragment-path $trees/clang/cdb" --disable-static &&
		python3 - "$trees/clang/cdb" >"$trees/clang/compile_commands.json" <<-'PYTHON'
			import glob, json, os, sys
			known = {}
			for path in sorted(glob.glob(sys.argv[1] + "/*.json"), key=os.path.getmtime):
			    entry = json.loads(open(path).read().strip().rstrip(","))
			    source = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
			    # what configure tried, and what is no longer a source
			    if os.path.exists(source):
			        entry["file"] = source
			        known[source] = entry
			json.dump(list(known.values()), sys.stdout, indent=1)
		PYTHON
}

compiled_sources() {
	python3 -c 'import json, sys; print("\n".join(e["file"] for e in json.load(open(sys.argv[1]))))' \
		"$trees/clang/compile_commands.json" | grep "^$top/.*\.c$" | grep -v "^$IOV_BUILD/"
}

# One file a process: with more, clang-tidy 14 reports va_lists of one file in the next.
lint_clang_tidy() {
	compiled_sources | xargs -P "$jobs" -n 1 clang-tidy --quiet --warnings-as-errors='*' -p "$trees/clang"
}

lint_cppcheck() {
	# cppcheck knows no cleanup attribute (leaks are the sanitizers' to find), and loses the quotes of -DIOV_SBINDIR.
	cppcheck --project="$trees/clang/compile_commands.json" --enable=warning,portability --inline-suppr --quiet \
		--suppress=memleak --suppress=resourceLeak --suppress='internalAstError:*/transport-sim.c' \
		-j "$jobs" --error-exitcode=1
}

lint_sanitizers() {
	export UBSAN_OPTIONS=print_stacktrace=1
	tree sanitizers CC=clang CFLAGS="-g -O1" --enable-asan --enable-ubsan && make -j "$((2 * jobs))" check
}

# fuzz_target NAME   runs one for a while; what it finds stays in the folder found/ of its build tree
fuzz_target() {
	local name=$1 seconds=${IOV_FUZZ_SECONDS:-60} status=0 file work
	local -a dictionary=()
	work=$(mktemp -d "${TMPDIR:-/tmp}/iov-fuzz.XXXXXX") || return
	mkdir "$work/corpus" && touch "$work/.began"
	if [[ -e $top/tests/fuzz/$name.dict ]]; then
		dictionary=("-dict=$top/tests/fuzz/$name.dict")
	fi
	"tests/fuzz/fuzz-$name" -max_total_time="$seconds" -timeout=60 -print_final_stats=1 -artifact_prefix="found/$name-" \
		"${dictionary[@]}" "$work/corpus" "$top/tests/fuzz/corpus/$name" >"found/$name.log" 2>&1 || status=$?
	if ((status != 0)); then
		tail -n 30 "found/$name.log"
		find found -name "$name-*" -newer "$work/.began" | while read -r file; do
			printf 'fuzz-%s: to see it again: %s %s\n' "$name" "$PWD/tests/fuzz/fuzz-$name" "$PWD/$file"
		done
	fi
	rm -rf "$work"
	((status == 0)) || return
	: >"found/$name.ok"
	printf 'fuzz-%s: %s runs in %d s\n' "$name" "$(awk '/number_of_executed_units/ { print $2 }' "found/$name.log")" "$seconds"
}

lint_fuzz() {
	local name
	local -a names
	export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	mapfile -t names < <(cd "$top/tests/fuzz" && printf '%s\n' fuzz-*.c | sed 's/^fuzz-//; s/\.c$//')
	mkdir -p "$trees/fuzz" && cd "$trees/fuzz" || return
	if [[ ! -e Makefile || $top/configure -nt config.status ]]; then
		"$top/configure" CC=clang CFLAGS="-g -O1" --disable-static --enable-fuzz --enable-asan --enable-ubsan || return
	fi
	make -j "$jobs" "${names[@]/#/tests/fuzz/fuzz-}" || return
	mkdir -p found && rm -f found/*.ok
	for name in "${names[@]}"; do
		if (($(jobs -pr | wc -l) >= 2)); then
			wait -n || :
		fi
		fuzz_target "$name" &
	done
	wait
	for name in "${names[@]}"; do
		[[ -e found/$name.ok ]] || return
	done
}

# Whether the package is whole: the tests over a live iovd say nothing more of that, and have run twice before.
lint_distcheck() {
	IOV_NO_LIVE=1 make -C "$IOV_BUILD" -j "$jobs" distcheck
}

# Every shell script that git knows, by name or by its first line.
lint_shellcheck() {
	cd "$top" || return
	git ls-files -co --exclude-standard |
		while read -r file; do
			case $file in
			*.sh | *.bats) echo "$file" ;;
			*.*) ;;
			*) if head -n 1 "$file" | grep -qaE '^#!.*[/ ](ba|da)?sh'; then echo "$file"; fi ;;
			esac
		done | xargs shellcheck -x
}

# All that mandoc says counts, but for pages that are merely not installed here.
lint_mandoc() {
	local -a pages
	mapfile -t pages < <(find "$top/man" "$IOV_BUILD/man" -name '*.[1-8]' 2>/dev/null)
	if ((${#pages[@]} == 0)); then
		echo "no man page found"
		return 1
	fi
	! mandoc -T lint "${pages[@]}" | grep -v 'referenced manual not found'
}

# In a subshell, so that a step's cd and exports end with it.
run() (
	case $1 in
	clang) step_test clang "mend what clang warns of" lint_clang ;;
	clang-tidy) step_test clang-tidy "mend what clang-tidy warns of" lint_clang_tidy ;;
	cppcheck) step_test cppcheck "mend what cppcheck warns of" lint_cppcheck ;;
	shellcheck) step_test shellcheck "mend what shellcheck warns of" lint_shellcheck ;;
	mandoc) step_test mandoc "mend what mandoc warns of" lint_mandoc ;;
	sanitizers) step_tests sanitizers "see the .log of the failed test below build/trees/sanitizers/tests" lint_sanitizers ;;
	fuzz) step_test fuzz "mend it, and add the input that the log names to tests/fuzz/corpus" lint_fuzz ;;
	distcheck) step_test distcheck "is a file missing in EXTRA_DIST, or does a test write into the source tree?" lint_distcheck ;;
	*)
		printf 'lint.sh: %s: no such step; there are: %s\n' "$1" "${steps[*]}" >&2
		exit 2
		;;
	esac
)

steps=(clang clang-tidy cppcheck shellcheck mandoc sanitizers fuzz distcheck)
if (($# == 0)); then
	set -- "${steps[@]}"
fi
failed=0
for name in "$@"; do
	run "$name" || failed=1
done
((failed == 0))
