# NVMe and media, driven without a guest.
check_LTLIBRARIES += libnvmehost.la
libnvmehost_la_SOURCES = tests/unit/nvme-host.c tests/unit/nvme-host.h
libnvmehost_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libnvmehost_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)

nvme_tests = \
	tests/unit/test-nvme-admin \
	tests/unit/test-nvme-hostile \
	tests/unit/test-nvme-io \
	tests/unit/test-nvme-registers
nvme_cppflags = $(APPLIANCE_CPPFLAGS) -I$(top_srcdir)/tests/unit
nvme_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
nvme_ldadd = libnvmehost.la libadapters.la $(CMOCKA_LIBS)
check_PROGRAMS += $(nvme_tests)
TESTS += $(nvme_tests)
tests_unit_test_nvme_admin_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_admin_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_admin_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_registers_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_registers_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_registers_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_hostile_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_hostile_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_hostile_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_io_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_io_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_io_LDADD = $(nvme_ldadd)
