#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What ./bootstrap check prints of tests that failed: enough to tell why from the log of a CI alone.
bats_require_minimum_version 1.5.0

setup() {
        export IOV_BUILD=$BATS_TEST_TMPDIR
        # shellcheck source=/dev/null
        . "$IOV_SOURCE/scripts/results.sh"
}

# log NAME RESULT: a test's result, and its log from stdin.
log() {
        printf ':test-result: %s\n' "$2" > "$IOV_BUILD/$1.trs"
        cat > "$IOV_BUILD/$1.log"
}

@test "each failed test is listed with its output, and no other" {
        printf '%s\n' '1..4' 'ok 1 fine' 'PASS: x 1 fine' 'not ok 2 broken' 'FAIL: x 2 broken' '# (in test file x, line 3)' '# hello' \
                'ok 3 fine too' 'not ok 4 known # TODO' '# not this' | log x.bats FAIL
        printf '%s\n' 'ok 1 other' '# quiet' | log y.bats PASS
        run -0 results_list_failed
        diff - <(printf '%s\n' "$output") <<-'EOF'
		failed: x.bats.trs
		    not ok 2 broken
		        # (in test file x, line 3)
		        # hello
		    outside of tests:
		        # not this
	EOF
}

@test "a crash is listed with what was said before it" {
        printf '%s\n' '==1==ERROR: AddressSanitizer' '1..3' 'ok 1 fine' 'ERROR: x - exited with status 134' | log x ERROR
        run -0 results_list_failed
        [[ $output == *$'outside of tests:\n        ==1==ERROR: AddressSanitizer\n        ERROR: x - exited with status 134' ]]
}

@test "much output is cut in the middle, many tests at the end" {
        {
                printf 'not ok 1 long\n'
                seq -f '# line %.0f' 100
                seq -f 'not ok %.0f more' 2 30
        } | log x FAIL
        run -0 results_list_failed
        [[ $output == *$'# line 10\n        ... 60 lines left out\n        # line 71\n'* ]]
        [[ $output == *'not ok 20 more'*$'\n    ... 10 more tests' ]]
}

@test "bytes that are no text do no harm" {
        printf 'not ok 1 x\n# \033[2J\377\0after\n' | log x FAIL
        run -0 results_list_failed
        [[ $output == *after* && $output != *$'\033'* ]]
}

# As bootstrap does, with pipefail and `set -e`: the listing of nothing must not end it.
list_and_count() {
        set -o pipefail
        results_list_failed && results_count 'FAIL|ERROR'
}

@test "where nothing failed nothing is listed, and the count follows" {
        run -0 list_and_count
        [[ $output == 0 ]]
        printf 'ok 1 fine\n' | log x PASS
        run -0 list_and_count
        [[ $output == 0 ]]
}
