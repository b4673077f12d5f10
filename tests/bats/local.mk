# SPDX-License-Identifier: GPL-2.0-or-later
# The tools as a user runs them. NAME-live.bats are links to NAME.bats, and run the same tests over a running iovd instead of sim:, NAME-threads-live.bats over
# one that does without io_uring.
BATS_TESTS = \
	tests/bats/access-live.bats \
	tests/bats/backends-live.bats \
	tests/bats/block-size.bats \
	tests/bats/block-size-live.bats \
	tests/bats/cli.bats \
	tests/bats/copy-live.bats \
	tests/bats/confirm.bats \
	tests/bats/confirm-live.bats \
	tests/bats/crash.bats \
	tests/bats/docs.bats \
	tests/bats/events.bats \
	tests/bats/events-live.bats \
	tests/bats/examples.bats \
	tests/bats/examples-live.bats \
	tests/bats/inject.bats \
	tests/bats/inject-live.bats \
	tests/bats/inject-threads-live.bats \
	tests/bats/hostile-input.bats \
	tests/bats/hostile-input-live.bats \
	tests/bats/iovctl.bats \
	tests/bats/iovctl-live.bats \
	tests/bats/iovdump.bats \
	tests/bats/iovdump-live.bats \
	tests/bats/fdstore-live.bats \
	tests/bats/hotplug-live.bats \
	tests/bats/iovd-live.bats \
	tests/bats/isolation-live.bats \
	tests/bats/isolation-threads-live.bats \
	tests/bats/iovprov.bats \
	tests/bats/iovprov-live.bats \
	tests/bats/iovtop.bats \
	tests/bats/iovtop-live.bats \
	tests/bats/judge.bats \
	tests/bats/judge-live.bats \
	tests/bats/life-live.bats \
	tests/bats/links.bats \
	tests/bats/links-live.bats \
	tests/bats/pinned-live.bats \
	tests/bats/speed-live.bats \
	tests/bats/speed-threads-live.bats \
	tests/bats/lists.bats \
	tests/bats/lists-live.bats \
	tests/bats/marks-live.bats \
	tests/bats/objects.bats \
	tests/bats/objects-live.bats \
	tests/bats/plan.bats \
	tests/bats/plan-live.bats \
	tests/bats/provisioning.bats \
	tests/bats/provisioning-live.bats \
	tests/bats/ram-live.bats \
	tests/bats/readme.bats \
	tests/bats/reservations.bats \
	tests/bats/reservations-live.bats \
	tests/bats/restart-live.bats \
	tests/bats/restart-direct-live.bats \
	tests/bats/restart-threads-live.bats \
	tests/bats/results.bats \
	tests/bats/saved-plan.bats \
	tests/bats/saved-plan-live.bats \
	tests/bats/scripting.bats \
	tests/bats/share-live.bats \
	tests/bats/scripting-live.bats \
	tests/bats/scale.bats \
	tests/bats/verbs.bats \
	tests/bats/verbs-live.bats
TESTS += $(BATS_TESTS)
EXTRA_DIST += $(BATS_TESTS) tests/bats/common.bash tests/bats/loaded-server.bash tests/bats/nvme-hosts.bash tests/bats/fake-nbd.py tests/bats/fake-qmp.py tests/bats/fake-service-manager.py
include tests/unit/tools.mk
