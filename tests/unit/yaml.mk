# Unit tests of lib/yaml and lib/plan.
YAML_TESTS = \
	tests/unit/test-diagnostics \
	tests/unit/test-disturbance \
	tests/unit/test-plan \
	tests/unit/test-plan-apply \
	tests/unit/test-units \
	tests/unit/test-yaml-corpus \
	tests/unit/test-yaml-read \
	tests/unit/test-yaml-write
check_PROGRAMS += $(YAML_TESTS)
YAML_TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(YAML_CFLAGS)
YAML_TEST_LDADD = libiov-core.la $(CMOCKA_LIBS)
tests_unit_test_diagnostics_CFLAGS = $(YAML_TEST_CFLAGS)
tests_unit_test_diagnostics_LDADD = $(YAML_TEST_LDADD)
tests_unit_test_disturbance_CFLAGS = $(YAML_TEST_CFLAGS)
tests_unit_test_disturbance_LDADD = $(YAML_TEST_LDADD)
tests_unit_test_plan_CFLAGS = $(YAML_TEST_CFLAGS)
tests_unit_test_plan_LDADD = $(YAML_TEST_LDADD)
tests_unit_test_plan_apply_CFLAGS = $(YAML_TEST_CFLAGS)
tests_unit_test_plan_apply_LDADD = $(YAML_TEST_LDADD)
tests_unit_test_units_CFLAGS = $(YAML_TEST_CFLAGS)
tests_unit_test_units_LDADD = $(YAML_TEST_LDADD)
tests_unit_test_yaml_corpus_CFLAGS = $(YAML_TEST_CFLAGS)
tests_unit_test_yaml_corpus_LDADD = $(YAML_TEST_LDADD)
tests_unit_test_yaml_read_CFLAGS = $(YAML_TEST_CFLAGS)
tests_unit_test_yaml_read_LDADD = $(YAML_TEST_LDADD)
tests_unit_test_yaml_write_CFLAGS = $(YAML_TEST_CFLAGS)
tests_unit_test_yaml_write_LDADD = $(YAML_TEST_LDADD)
# The schemas judged by python3-jsonschema, on the examples and the corpus.
dist_check_SCRIPTS += tests/unit/test-yaml-schema
TESTS += $(YAML_TESTS) tests/unit/test-yaml-schema
EXTRA_DIST += tests/unit/yaml tests/unit/yaml-helper.h
