# tests/unit/nvme
