# YAML in and out, diagnostics, sizes and rates, the plan.
libiov_core_la_SOURCES +=
