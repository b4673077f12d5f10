# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of the four tools, for bash; made of one template, see there.
COMPLETIONS = completions/iovctl completions/iovdump completions/iovprov completions/iovtop
nodist_bashcompletion_DATA = $(COMPLETIONS)
EXTRA_DIST += completions/tool.bash.in
CLEANFILES += $(COMPLETIONS)

$(COMPLETIONS): completions/tool.bash.in
	$(AM_V_GEN)$(MKDIR_P) completions && \
	$(SED) "s|@TOOL[@]|$$(basename $@)|g" $(srcdir)/completions/tool.bash.in > $@
