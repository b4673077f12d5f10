# Examples: installed for users, and read and run by tests.
examplesdir = $(docdir)/examples
dist_examples_DATA = \
	examples/all-keys.yaml \
	examples/chassis.yaml \
	examples/one-server.yaml \
	examples/rack.yaml \
	examples/shared-ssd.yaml \
	examples/two-namespaces.yaml
dist_examples_SCRIPTS = \
	examples/move-workload.sh \
	examples/nightly-drift.sh \
	examples/one-server.sh \
	examples/rack-16.sh \
	examples/rolling-change.sh
