# tests/bats/local
