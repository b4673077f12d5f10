# Unit tests of the model and the register table.
LIB_TESTS = \
	tests/unit/test-crc32c \
	tests/unit/test-model \
	tests/unit/test-registers
check_PROGRAMS += $(LIB_TESTS)
TESTS += $(LIB_TESTS)
tests_unit_test_crc32c_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_crc32c_LDADD = libiov-core.la $(CMOCKA_LIBS)
tests_unit_test_model_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_model_LDADD = libiov-core.la $(CMOCKA_LIBS)
tests_unit_test_registers_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_registers_LDADD = libiov-core.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test-backend
TESTS += tests/unit/test-backend
tests_unit_test_backend_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_backend_LDADD = libiov-core.la $(CMOCKA_LIBS)
