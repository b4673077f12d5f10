# tests/unit: the event loop and the VPC.
VPC_UNIT_TESTS = tests/unit/test-loop
check_PROGRAMS += $(VPC_UNIT_TESTS)
TESTS += $(VPC_UNIT_TESTS)

tests_unit_test_loop_SOURCES = tests/unit/test-loop.c
tests_unit_test_loop_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
tests_unit_test_loop_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_loop_LDADD = libloop.la $(CMOCKA_LIBS)
