# SPDX-License-Identifier: GPL-2.0-or-later
# Parts of the tools that bats cannot drive exactly: rates from two readings, numbers for people, tables, the digest.
check_PROGRAMS += tests/unit/test-tools
TESTS += tests/unit/test-tools
tests_unit_test_tools_SOURCES = tests/unit/test-tools.c tools/iovtop/sample.c tools/iovdump/sha256.c
tests_unit_test_tools_CPPFLAGS = $(TOOLS_CPPFLAGS)
tests_unit_test_tools_CFLAGS = $(TOOLS_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_tools_LDADD = $(TOOLS_LIBS) $(CMOCKA_LIBS)
