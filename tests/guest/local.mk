# Real guests in QEMU: `make check-guest`. They are fetched into a cache outside the tree, so `make check` does without them.
guest_tests = tests/guest/nvme.bats tests/guest/nvme-tools.bats tests/guest/boot.bats tests/guest/hotplug.bats \
	tests/guest/management.bats tests/guest/lspci.bats tests/guest/reservations.bats tests/guest/resets.bats tests/guest/restart.bats

EXTRA_DIST += $(guest_tests) tests/guest/common.bash tests/guest/guest.sh tests/guest/tools.sh tests/guest/init \
	scripts/appliance.sh scripts/apt-private.sh scripts/demo.sh scripts/fetch-guest.sh scripts/fetch-ovmf.sh scripts/fetch-qemu.sh \
	scripts/lint.sh scripts/packages.txt scripts/results.sh

# One after the other: each boots two guests already.
check-guest: all
	$(MAKE) $(AM_MAKEFLAGS) -j1 check-TESTS TESTS='$(guest_tests)' TEST_SUITE_LOG=test-suite-guest.log
.PHONY: check-guest
