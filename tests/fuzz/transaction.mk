# fuzz target: transaction. libFuzzer: tests/fuzz/fuzz-transaction DIRECTORY tests/fuzz/corpus/transaction
check_PROGRAMS += tests/fuzz/fuzz-transaction
tests_fuzz_fuzz_transaction_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
tests_fuzz_fuzz_transaction_LDADD = libiove.la libiov-core.la
if ENABLE_FUZZ
tests_fuzz_fuzz_transaction_SOURCES = tests/fuzz/fuzz-transaction.c
tests_fuzz_fuzz_transaction_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_transaction_SOURCES = tests/fuzz/fuzz-transaction.c tests/fuzz/replay.c
TESTS += tests/fuzz/fuzz-transaction
endif
EXTRA_DIST += tests/fuzz/corpus/transaction
