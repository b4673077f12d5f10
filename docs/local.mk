# docs
EXTRA_DIST += docs/architecture.md docs/register-map.md docs/performance.md
