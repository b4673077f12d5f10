# tests/fuzz/local
include tests/fuzz/yaml.mk
include tests/fuzz/vfio-user.mk
include tests/fuzz/nvme.mk
include tests/fuzz/transaction.mk
