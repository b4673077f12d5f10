# fuzz target: nvme. libFuzzer: tests/fuzz/fuzz-nvme DIRECTORY tests/fuzz/corpus/nvme
fuzz_nvme_sources = tests/fuzz/fuzz-nvme.c tests/fuzz/nvme.h tests/fuzz/nvme-guest.c tests/fuzz/nvme-host.c
check_PROGRAMS += tests/fuzz/fuzz-nvme
tests_fuzz_fuzz_nvme_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
tests_fuzz_fuzz_nvme_LDADD = libadapters.la
if ENABLE_FUZZ
tests_fuzz_fuzz_nvme_SOURCES = $(fuzz_nvme_sources)
tests_fuzz_fuzz_nvme_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_nvme_SOURCES = $(fuzz_nvme_sources) tests/fuzz/replay.c
TESTS += tests/fuzz/fuzz-nvme
endif
EXTRA_DIST += tests/fuzz/corpus/nvme
