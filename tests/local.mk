# Tests: unit (cmocka), bats over sim: and a live iovd, fuzz targets with their corpora, real guests.
include tests/unit/lib.mk
include tests/unit/transport.mk
include tests/unit/yaml.mk
include tests/unit/vpc.mk
include tests/unit/nvme.mk
include tests/unit/control.mk
include tests/unit/link.mk
include tests/fuzz/local.mk
include tests/bats/local.mk
include tests/guest/local.mk
