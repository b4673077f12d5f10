# tests/guest/local
