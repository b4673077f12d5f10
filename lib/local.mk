# libiov. Everything is in one convenience library, which unit tests link to reach what is not exported.
noinst_LTLIBRARIES += libiov-core.la
libiov_core_la_SOURCES = \
	lib/backend.c lib/backend.h \
	lib/context.c lib/context.h \
	lib/crc32c.c lib/crc32c.h \
	lib/hash.h \
	lib/model.c lib/model.h \
	lib/kinds.c \
	lib/objects.c \
	lib/pages.h \
	lib/registers.c \
	lib/util.h \
	lib/vlans.c \
	lib/vfio-user/protocol.h
libiov_core_la_CFLAGS = $(AM_CFLAGS) $(YAML_CFLAGS) $(PCI_CFLAGS)
libiov_core_la_LIBADD = $(YAML_LIBS) $(PCI_LIBS)
include lib/yaml/local.mk
include lib/transport/local.mk

lib_LTLIBRARIES += libiov.la
libiov_la_SOURCES =
libiov_la_LIBADD = libiov-core.la
libiov_la_LDFLAGS = $(AM_LDFLAGS) -version-info $(LIBIOV_VERSION_INFO) -Wl,--version-script=$(top_srcdir)/lib/libiov.sym
libiov_la_DEPENDENCIES = libiov-core.la lib/libiov.sym
EXTRA_DIST += lib/libiov.sym

iovincludedir = $(includedir)/iov
iovinclude_HEADERS = lib/iov/libiov.h lib/iov/registers.h lib/iov/registers.def
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = lib/libiov.pc
