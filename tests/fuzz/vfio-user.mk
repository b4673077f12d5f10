# fuzz target: vfio-user
