# tests/unit: the event loop and the VPC.
VPC_UNIT_TESTS = \
	tests/unit/test-config-space \
	tests/unit/test-dma \
	tests/unit/test-dma-pin \
	tests/unit/test-function \
	tests/unit/test-irq \
	tests/unit/test-loop \
	tests/unit/test-loop-memory \
	tests/unit/test-session \
	tests/unit/test-vfio-user \
	tests/unit/test-vfio-user-device
check_PROGRAMS += $(VPC_UNIT_TESTS)
TESTS += $(VPC_UNIT_TESTS)

# A device model to test with.
check_LTLIBRARIES += libsample.la
libsample_la_SOURCES = tests/unit/sample-model.c tests/unit/sample-model.h
libsample_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)

VPC_TEST_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
VPC_TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
VPC_TEST_LDADD = libsample.la libvpc.la libloop.la $(CMOCKA_LIBS)

tests_unit_test_config_space_SOURCES = tests/unit/test-config-space.c
tests_unit_test_config_space_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_config_space_CFLAGS = $(VPC_TEST_CFLAGS)
tests_unit_test_config_space_LDADD = $(VPC_TEST_LDADD)

tests_unit_test_loop_SOURCES = tests/unit/test-loop.c
tests_unit_test_loop_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_loop_CFLAGS = $(VPC_TEST_CFLAGS)
tests_unit_test_loop_LDADD = libloop.la $(CMOCKA_LIBS)
tests_unit_test_loop_memory_SOURCES = tests/unit/test-loop-memory.c
tests_unit_test_loop_memory_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_loop_memory_CFLAGS = $(VPC_TEST_CFLAGS)
tests_unit_test_loop_memory_LDADD = libloop.la $(CMOCKA_LIBS)

tests_unit_test_dma_SOURCES = tests/unit/test-dma.c
tests_unit_test_dma_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_dma_CFLAGS = $(VPC_TEST_CFLAGS)
tests_unit_test_dma_LDADD = $(VPC_TEST_LDADD)

tests_unit_test_dma_pin_SOURCES = tests/unit/test-dma-pin.c
tests_unit_test_dma_pin_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_dma_pin_CFLAGS = $(VPC_TEST_CFLAGS)
tests_unit_test_dma_pin_LDADD = $(VPC_TEST_LDADD)

tests_unit_test_function_SOURCES = tests/unit/test-function.c
tests_unit_test_function_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_function_CFLAGS = $(VPC_TEST_CFLAGS)
tests_unit_test_function_LDADD = $(VPC_TEST_LDADD)

tests_unit_test_irq_SOURCES = tests/unit/test-irq.c
tests_unit_test_irq_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_irq_CFLAGS = $(VPC_TEST_CFLAGS)
tests_unit_test_irq_LDADD = $(VPC_TEST_LDADD)

vfio_user_peer = tests/unit/vfio-user-peer.c tests/unit/vfio-user-peer.h
tests_unit_test_vfio_user_SOURCES = tests/unit/test-vfio-user.c $(vfio_user_peer)
tests_unit_test_vfio_user_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_vfio_user_CFLAGS = $(VPC_TEST_CFLAGS) $(JSON_CFLAGS)
tests_unit_test_vfio_user_LDADD = $(VPC_TEST_LDADD) $(JSON_LIBS)
tests_unit_test_vfio_user_device_SOURCES = tests/unit/test-vfio-user-device.c $(vfio_user_peer)
tests_unit_test_vfio_user_device_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_vfio_user_device_CFLAGS = $(VPC_TEST_CFLAGS)
tests_unit_test_vfio_user_device_LDADD = $(VPC_TEST_LDADD)

tests_unit_test_session_SOURCES = tests/unit/test-session.c
tests_unit_test_session_CPPFLAGS = $(VPC_TEST_CPPFLAGS)
tests_unit_test_session_CFLAGS = $(VPC_TEST_CFLAGS)
tests_unit_test_session_LDADD = $(VPC_TEST_LDADD)

# All that does its I/O by the event loop, where there is no io_uring.
dist_check_SCRIPTS += tests/unit/test-threads.sh
TESTS += tests/unit/test-threads.sh
