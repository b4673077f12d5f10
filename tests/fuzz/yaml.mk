# fuzz target: yaml
