# fuzz target: nvme. libFuzzer: tests/fuzz/fuzz-nvme DIRECTORY tests/fuzz/corpus/nvme
check_PROGRAMS += tests/fuzz/fuzz-nvme
tests_fuzz_fuzz_nvme_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
tests_fuzz_fuzz_nvme_LDADD = libadapters.la
if ENABLE_FUZZ
tests_fuzz_fuzz_nvme_SOURCES = tests/fuzz/fuzz-nvme.c
tests_fuzz_fuzz_nvme_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_nvme_SOURCES = tests/fuzz/fuzz-nvme.c tests/fuzz/replay.c
TESTS += tests/fuzz/fuzz-nvme
endif
EXTRA_DIST += tests/fuzz/corpus/nvme
