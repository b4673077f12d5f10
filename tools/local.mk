# SPDX-License-Identifier: GPL-2.0-or-later
# The tools. They see lib/ only: -I$(top_srcdir) is for their own headers, tools/common/....
noinst_LTLIBRARIES += libiov-tools.la
libiov_tools_la_SOURCES = \
	tools/common/changes.c tools/common/changes.h \
	tools/common/complete.c \
	tools/common/confirm.c tools/common/confirm.h \
	tools/common/early.c \
	tools/common/help.c \
	tools/common/human.c \
	tools/common/input.c tools/common/input.h \
	tools/common/mdoc.c \
	tools/common/json.c \
	tools/common/memory.c \
	tools/common/objects.c tools/common/objects.h tools/common/objects-private.h \
	tools/common/objects-config.c \
	tools/common/objects-operate.c \
	tools/common/objects-storage.c \
	tools/common/output.h \
	tools/common/parse.c \
	tools/common/progress.c tools/common/progress.h \
	tools/common/refusal.c tools/common/refusal.h \
	tools/common/report.c tools/common/report.h \
	tools/common/session.c tools/common/session.h \
	tools/common/status.c tools/common/status.h \
	tools/common/table.c \
	tools/common/text.c \
	tools/common/tool.c tools/common/tool.h \
	tools/common/tree.c \
	tools/common/user.c tools/common/user.h \
	tools/common/view.c tools/common/view.h \
	tools/common/wait.c tools/common/wait.h
TOOLS_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
TOOLS_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS) $(SMARTCOLS_CFLAGS) $(YAML_CFLAGS)
TOOLS_LIBS = libiov-tools.la libiov.la $(JSON_LIBS) $(SMARTCOLS_LIBS) $(YAML_LIBS)
libiov_tools_la_CPPFLAGS = $(TOOLS_CPPFLAGS)
libiov_tools_la_CFLAGS = $(TOOLS_CFLAGS)

bin_PROGRAMS += iovctl iovprov iovdump iovtop
iovctl_SOURCES = \
	tools/iovctl/adapters.c \
	tools/iovctl/args.c \
	tools/iovctl/attach.c \
	tools/iovctl/change.c tools/iovctl/change.h \
	tools/iovctl/edit.c \
	tools/iovctl/events.c \
	tools/iovctl/identities.c \
	tools/iovctl/inject.c \
	tools/iovctl/reservations.c \
	tools/iovctl/iovctl.h \
	tools/iovctl/links.c \
	tools/iovctl/list.c tools/iovctl/list.h \
	tools/iovctl/main.c \
	tools/iovctl/operate.h \
	tools/iovctl/profiles.c \
	tools/iovctl/rename.c \
	tools/iovctl/settings.c tools/iovctl/settings.h
iovctl_CPPFLAGS = $(TOOLS_CPPFLAGS)
iovctl_CFLAGS = $(TOOLS_CFLAGS)
iovctl_LDADD = $(TOOLS_LIBS)

iovprov_SOURCES = \
	tools/iovprov/apply.c \
	tools/iovprov/confirm.c \
	tools/iovprov/history.c \
	tools/iovprov/iovprov.h \
	tools/iovprov/judge.c tools/iovprov/judge.h \
	tools/iovprov/main.c \
	tools/iovprov/saved.c \
	tools/iovprov/validate.c
iovprov_CPPFLAGS = $(TOOLS_CPPFLAGS)
iovprov_CFLAGS = $(TOOLS_CFLAGS)
iovprov_LDADD = $(TOOLS_LIBS)

iovdump_SOURCES = \
	tools/iovdump/bundle.c \
	tools/iovdump/iovdump.h \
	tools/iovdump/isolation.c \
	tools/iovdump/main.c \
	tools/iovdump/map.c \
	tools/iovdump/pci.c \
	tools/iovdump/registers.c \
	tools/iovdump/sha256.c tools/iovdump/sha256.h \
	tools/iovdump/state.c \
	tools/iovdump/topology.c
iovdump_CPPFLAGS = $(TOOLS_CPPFLAGS)
iovdump_CFLAGS = $(TOOLS_CFLAGS) $(ARCHIVE_CFLAGS) $(PCI_CFLAGS)
iovdump_LDADD = $(TOOLS_LIBS) $(ARCHIVE_LIBS) $(PCI_LIBS)

iovtop_SOURCES = \
	tools/iovtop/batch.c \
	tools/iovtop/iovtop.h \
	tools/iovtop/main.c \
	tools/iovtop/sample.c tools/iovtop/sample.h \
	tools/iovtop/screen.c
iovtop_CPPFLAGS = $(TOOLS_CPPFLAGS)
iovtop_CFLAGS = $(TOOLS_CFLAGS) $(NCURSES_CFLAGS)
iovtop_LDADD = $(TOOLS_LIBS) $(NCURSES_LIBS)
