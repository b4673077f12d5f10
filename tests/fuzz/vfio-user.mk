# fuzz target: vfio-user. libFuzzer: tests/fuzz/fuzz-vfio-user DIRECTORY tests/fuzz/corpus/vfio-user
check_PROGRAMS += tests/fuzz/fuzz-vfio-user
tests_fuzz_fuzz_vfio_user_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
tests_fuzz_fuzz_vfio_user_LDADD = libsample.la libvpc.la libloop.la
if ENABLE_FUZZ
tests_fuzz_fuzz_vfio_user_SOURCES = tests/fuzz/fuzz-vfio-user.c
tests_fuzz_fuzz_vfio_user_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_vfio_user_SOURCES = tests/fuzz/fuzz-vfio-user.c tests/fuzz/replay.c
TESTS += tests/fuzz/fuzz-vfio-user
endif
EXTRA_DIST += tests/fuzz/corpus/vfio-user
