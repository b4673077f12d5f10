# tests/unit/vpc
