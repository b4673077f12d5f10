# fuzz target: nvme
