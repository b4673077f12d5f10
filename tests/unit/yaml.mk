# tests/unit/yaml
