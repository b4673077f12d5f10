# The transports against a fake appliance; what libiov exports; which room includes what.
transport_fake_sources = tests/unit/fake-appliance.c tests/unit/fake-appliance.h
transport_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) -pthread
transport_test_libs = libiov-core.la $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/test-vfio-user-client
TESTS += tests/unit/test-vfio-user-client
tests_unit_test_vfio_user_client_SOURCES = tests/unit/test-vfio-user-client.c $(transport_fake_sources)
tests_unit_test_vfio_user_client_CFLAGS = $(transport_test_cflags)
tests_unit_test_vfio_user_client_LDADD = $(transport_test_libs)

check_PROGRAMS += tests/unit/test-transport
TESTS += tests/unit/test-transport
tests_unit_test_transport_SOURCES = tests/unit/test-transport.c $(transport_fake_sources)
tests_unit_test_transport_CFLAGS = $(transport_test_cflags)
tests_unit_test_transport_LDADD = $(transport_test_libs)

check_PROGRAMS += tests/unit/test-model-load
TESTS += tests/unit/test-model-load
tests_unit_test_model_load_SOURCES = tests/unit/test-model-load.c $(transport_fake_sources)
tests_unit_test_model_load_CFLAGS = $(transport_test_cflags)
tests_unit_test_model_load_LDADD = $(transport_test_libs)

check_PROGRAMS += tests/unit/test-history
TESTS += tests/unit/test-history
tests_unit_test_history_SOURCES = tests/unit/test-history.c $(transport_fake_sources)
tests_unit_test_history_CFLAGS = $(transport_test_cflags)
tests_unit_test_history_LDADD = $(transport_test_libs)

check_PROGRAMS += tests/unit/test-sim tests/unit/fake-iovd
TESTS += tests/unit/test-sim
tests_unit_test_sim_SOURCES = tests/unit/test-sim.c
tests_unit_test_sim_CFLAGS = $(transport_test_cflags)
tests_unit_test_sim_LDADD = $(transport_test_libs)
tests_unit_fake_iovd_SOURCES = tests/unit/fake-iovd.c $(transport_fake_sources)
tests_unit_fake_iovd_CFLAGS = $(transport_test_cflags)
tests_unit_fake_iovd_LDADD = libiov-core.la

check_PROGRAMS += tests/unit/test-transport-pci
TESTS += tests/unit/test-transport-pci
tests_unit_test_transport_pci_SOURCES = tests/unit/test-transport-pci.c
tests_unit_test_transport_pci_CFLAGS = $(transport_test_cflags)
tests_unit_test_transport_pci_LDADD = $(transport_test_libs)

# TAP by shell: what libiov exports, which folder includes what.
dist_check_SCRIPTS += tests/unit/test-exports.sh tests/unit/test-layers.sh
TESTS += tests/unit/test-exports.sh tests/unit/test-layers.sh

# A server that does everything a server should not, against iovd itself.
dist_check_SCRIPTS += tests/unit/test-hostile.sh
TESTS += tests/unit/test-hostile.sh
