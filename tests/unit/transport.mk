# The transports against a fake appliance; what libiov exports; which room includes what.
transport_fake_sources = tests/unit/fake-appliance.c tests/unit/fake-appliance.h
transport_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -pthread
transport_test_libs = libiov-core.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test-vfio-user-client
TESTS += tests/unit/test-vfio-user-client
tests_unit_test_vfio_user_client_SOURCES = tests/unit/test-vfio-user-client.c $(transport_fake_sources)
tests_unit_test_vfio_user_client_CFLAGS = $(transport_test_cflags)
tests_unit_test_vfio_user_client_LDADD = $(transport_test_libs)
