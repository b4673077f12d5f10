# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Sourced: runs the steps of a check, one line of progress each, and counts. A step that is a test itself leaves its result in the
# form of automake's test harness (.trs), so that everything below the build directory is counted alike.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export IOV_BUILD=${IOV_BUILD:-$top/build}

# step NAME HINT COMMAND...   runs a command with its output in a log; where it fails, shows the end of it and HINT
step() {
	local name=$1 hint=$2 began=$SECONDS log=$IOV_BUILD/logs/$1.log status=0
	shift 2
	mkdir -p "$IOV_BUILD/logs"
	printf '%-16s ' "$name"
	"$@" >"$log" 2>&1 </dev/null || status=$?
	if ((status == 0)); then
		printf 'ok, %d s\n' $((SECONDS - began))
	else
		printf 'FAILED, %d s; the end of %s:\n' $((SECONDS - began)) "$log"
		tail -n 40 "$log" | sed 's/^/    /'
		printf '  what to do: %s\n' "$hint"
	fi
	return "$status"
}

_result() {
	mkdir -p "$IOV_BUILD/results"
	printf ':test-result: %s %s\n' "$1" "$2" >"$IOV_BUILD/results/$2.trs"
}

# The same for a command that is one test.
step_test() {
	if step "$@"; then
		_result PASS "$1"
	else
		_result FAIL "$1"
		return 1
	fi
}

# The same for a command that runs tests with results of their own. It counts itself only when it fails and none of them did (it did
# not build, or did not end), or when none ran: tests that do not run must not look like tests that pass.
step_tests() {
	local ran failed status=0
	ran=$(results_count '[A-Z]+') failed=$(results_count 'FAIL|ERROR|XPASS')
	step "$@" || status=$?
	if (($(results_count '[A-Z]+') == ran)); then
		printf '  %s: no test ran\n' "$1"
		status=1
	fi
	if ((status != 0 && $(results_count 'FAIL|ERROR|XPASS') == failed)); then
		_result FAIL "$1"
	fi
	return "$status"
}

# All result files, except those of `make distcheck`, which is one test.
_results_find() {
	find "$IOV_BUILD" -path '*/_build' -prune -o -name '*.trs' "$@"
}

results_count() {
	_results_find -exec cat {} + | grep -cE "^:test-result: ($1)\\b" || :
}

results_forget() {
	[[ ! -d $IOV_BUILD ]] || _results_find -exec rm -f {} +
}

# From a log of TAP: each test that failed with its output, and what was said outside of tests (a test program's stderr, a crash). Of more
# than 40 lines the first and the last ones, since the first say where it failed and the last what it was doing; of more than 20 tests the first.
_results_explain() {
	# A guest's console is in some logs: no control characters of it, and no byte that is no UTF-8 can stop awk.
	LC_ALL=C tr -d '\000-\010\013-\037\177' <"$1" | LC_ALL=C awk '
		function show(title, lines, n,    i) {
			printf "    %s\n", title
			for (i = 1; i <= n; i++) {
				if (n > 40 && i == 11) {
					printf "        ... %d lines left out\n", n - 40
					i = n - 29
				}
				printf "        %.400s\n", lines[i]
			}
		}
		function finish() {
			if (failed && ++tests <= 20)
				show(failed, block, in_block)
			failed = ""
			in_block = 0
		}
		/^not ok/ && !/# *TODO/ { finish(); failed = $0; next }
		/^(not )?ok/ || /^[0-9]+\.\.[0-9]+/ { finish(); next }
		/^(Bail out!|ERROR: )/ { finish() }
		/^(PASS|FAIL|SKIP|XFAIL): / { next }
		failed { block[++in_block] = $0; next }
		{ loose[++in_loose] = $0 }
		END {
			finish()
			if (tests > 20)
				printf "    ... %d more tests\n", tests - 20
			if (in_loose)
				show("outside of tests:", loose, in_loose)
		}'
}

# What failed, and why: automake's results have no names, the TAP in the log beside each has. That none did is no error of grep's.
results_list_failed() {
	local trs
	{ _results_find -exec grep -lE '^:test-result: (FAIL|ERROR|XPASS)' {} + || :; } | sort | while read -r trs; do
		printf 'failed: %s\n' "${trs#"$IOV_BUILD/"}"
		# The log of a step has been shown when it failed.
		if [[ -e ${trs%.trs}.log ]]; then
			_results_explain "${trs%.trs}.log"
		fi
	done
}
