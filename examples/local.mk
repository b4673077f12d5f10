# Examples: installed for users, and read by tests.
examplesdir = $(docdir)/examples
dist_examples_DATA = \
	examples/all-keys.yaml \
	examples/chassis.yaml \
	examples/rack.yaml \
	examples/shared-ssd.yaml \
	examples/two-namespaces.yaml
