# docs
EXTRA_DIST += docs/architecture.md docs/hypervisors.md docs/register-map.md docs/performance.md
