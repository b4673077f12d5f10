# fuzz target: yaml. libFuzzer: tests/fuzz/fuzz-yaml -dict=tests/fuzz/yaml.dict DIRECTORY tests/fuzz/corpus/yaml
check_PROGRAMS += tests/fuzz/fuzz-yaml
tests_fuzz_fuzz_yaml_LDADD = libiov-core.la
if ENABLE_FUZZ
tests_fuzz_fuzz_yaml_SOURCES = tests/fuzz/fuzz-yaml.c
tests_fuzz_fuzz_yaml_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
else
tests_fuzz_fuzz_yaml_SOURCES = tests/fuzz/fuzz-yaml.c tests/fuzz/replay.c
TESTS += tests/fuzz/fuzz-yaml
endif
EXTRA_DIST += tests/fuzz/corpus/yaml tests/fuzz/yaml.dict
