# tests/unit: the worker of a server link.
link_tests = tests/unit/test-sandbox tests/unit/test-trouble
check_PROGRAMS += $(link_tests)
TESTS += $(link_tests)
tests_unit_test_sandbox_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
tests_unit_test_sandbox_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sandbox_LDADD = liblink.la libloop.la $(CMOCKA_LIBS)
tests_unit_test_trouble_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
tests_unit_test_trouble_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_trouble_LDADD = liblink.la libloop.la $(CMOCKA_LIBS)
