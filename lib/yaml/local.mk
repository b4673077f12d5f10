# YAML in and out, diagnostics, sizes and rates, the plan.
libiov_core_la_SOURCES += \
	lib/plan/apply.c \
	lib/plan/disturbance.c \
	lib/plan/saved.c lib/plan/saved.h \
	lib/plan/plan.c \
	lib/plan/plan.h \
	lib/yaml/alias.c lib/yaml/alias.h \
	lib/yaml/builtin.c \
	lib/yaml/chassis-read.c \
	lib/yaml/defaults.h \
	lib/yaml/diagnostics.c lib/yaml/diagnostics.h \
	lib/yaml/fields.c \
	lib/yaml/identity-read.c \
	lib/yaml/mapping.c \
	lib/yaml/near.c lib/yaml/near.h \
	lib/yaml/plan-read.c lib/yaml/plan-value.c lib/yaml/plan-read.h \
	lib/yaml/profile-read.c \
	lib/yaml/reader.c lib/yaml/reader.h \
	lib/yaml/scalar.c lib/yaml/scalar.h \
	lib/yaml/source.c lib/yaml/source.h \
	lib/yaml/topology-read.c lib/yaml/topology-read.h \
	lib/yaml/units.c \
	lib/yaml/vadapter-read.c \
	lib/yaml/write.c
schemadir = $(datadir)/iov-tools/schema
dist_schema_DATA = \
	lib/yaml/chassis.schema.json \
	lib/yaml/plan.schema.json \
	lib/yaml/state.schema.json \
	lib/yaml/topology.schema.json
