# tests/unit/lib
