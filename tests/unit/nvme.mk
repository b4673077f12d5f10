# NVMe and media, driven without a guest.
check_LTLIBRARIES += libnvmehost.la
libnvmehost_la_SOURCES = tests/unit/nvme-host.c tests/unit/nvme-host.h appliance/control/volumes/mark-state.c
libnvmehost_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libnvmehost_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)

nvme_tests = \
	tests/unit/test-nvme-admin \
	tests/unit/test-nvme-blocks \
	tests/unit/test-nvme-copy \
	tests/unit/test-nvme-doorbell \
	tests/unit/test-nvme-format \
	tests/unit/test-nvme-function \
	tests/unit/test-nvme-hostile \
	tests/unit/test-nvme-io \
	tests/unit/test-nvme-life \
	tests/unit/test-nvme-marks \
	tests/unit/test-nvme-manage \
	tests/unit/test-nvme-registers \
	tests/unit/test-nvme-reserve \
	tests/unit/test-nvme-show \
	tests/unit/test-power-cut
nvme_cppflags = $(APPLIANCE_CPPFLAGS) -I$(top_srcdir)/tests/unit
nvme_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
nvme_ldadd = libnvmehost.la libadapters.la $(CMOCKA_LIBS)
check_PROGRAMS += $(nvme_tests)
TESTS += $(nvme_tests)
tests_unit_test_nvme_admin_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_admin_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_admin_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_doorbell_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_doorbell_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_doorbell_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_blocks_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_blocks_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_blocks_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_copy_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_copy_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_copy_LDADD = $(nvme_ldadd)
tests_unit_test_power_cut_SOURCES = tests/unit/test-power-cut.c tests/unit/volatile-medium.c tests/unit/volatile-medium.h \
	tests/unit/write-history.c tests/unit/write-history.h
tests_unit_test_power_cut_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_power_cut_CFLAGS = $(nvme_cflags)
tests_unit_test_power_cut_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_format_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_format_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_format_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_manage_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_manage_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_manage_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_show_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_show_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_show_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_registers_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_registers_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_registers_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_reserve_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_reserve_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_reserve_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_marks_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_marks_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_marks_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_hostile_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_hostile_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_hostile_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_io_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_io_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_io_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_life_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_life_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_life_LDADD = $(nvme_ldadd)
tests_unit_test_nvme_function_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_nvme_function_CFLAGS = $(nvme_cflags)
tests_unit_test_nvme_function_LDADD = libadapters.la libvpc.la libmedia.la libloop.la $(CMOCKA_LIBS)

media_tests = \
	tests/unit/test-media-file \
	tests/unit/test-media-ram \
	tests/unit/test-qos \
	tests/unit/test-share \
	tests/unit/test-media-nbd tests/unit/test-media-ring
check_PROGRAMS += $(media_tests)
TESTS += $(media_tests)
# brings a loop of its own
tests_unit_test_media_file_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_media_file_CFLAGS = $(nvme_cflags)
tests_unit_test_media_file_LDADD = libmedia.la $(CMOCKA_LIBS)
tests_unit_test_media_ring_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_media_ring_CFLAGS = $(nvme_cflags)
tests_unit_test_media_ring_LDADD = libmedia.la libloop.la $(CMOCKA_LIBS)
tests_unit_test_media_ram_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_media_ram_CFLAGS = $(nvme_cflags)
tests_unit_test_media_ram_LDADD = libmedia.la libloop.la $(CMOCKA_LIBS)
tests_unit_test_share_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_share_CFLAGS = $(nvme_cflags)
tests_unit_test_share_LDADD = liblink.la libmedia.la libloop.la libiov-core.la $(CMOCKA_LIBS)
tests_unit_test_qos_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_qos_CFLAGS = $(nvme_cflags)
tests_unit_test_qos_LDADD = liblink.la libmedia.la libloop.la libiov-core.la $(CMOCKA_LIBS)
tests_unit_test_media_nbd_CPPFLAGS = $(nvme_cppflags)
tests_unit_test_media_nbd_CFLAGS = $(nvme_cflags) $(NBD_CFLAGS)
tests_unit_test_media_nbd_LDADD = libmedia.la libloop.la $(CMOCKA_LIBS)
