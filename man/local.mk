# SPDX-License-Identifier: GPL-2.0-or-later
# Man pages. The lists of commands, options and exit codes in iovctl.8, iovprov.8, iovdump.8 and iovtop.8, and docs/register-map.md, come
# from the tools: `make update-generated` after a change, tests/bats/docs.bats compares.
dist_man_MANS += \
	man/iov-topology.5 \
	man/iovctl.8 \
	man/iovd.8 \
	man/iovdump.8 \
	man/iovprov.8 \
	man/iovtop.8 \
	man/libiov.3
EXTRA_DIST += man/update.sh

.PHONY: update-generated
update-generated: $(bin_PROGRAMS)
	$(SHELL) $(srcdir)/man/update.sh $(abs_top_builddir) $(abs_top_srcdir)
