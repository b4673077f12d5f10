# What vAdapters store data on.
noinst_LTLIBRARIES += libmedia.la
libmedia_la_SOURCES = \
	appliance/media/direct.c appliance/media/direct.h \
	appliance/media/fault.c appliance/media/fault.h \
	appliance/media/file.c appliance/media/file.h \
	appliance/media/medium.c appliance/media/medium.h \
	appliance/media/nbd.c appliance/media/nbd.h appliance/media/nbd-private.h \
	appliance/media/nbd-library.c appliance/media/nbd-library.h \
	appliance/media/nbd-link.c \
	appliance/media/nbd-target.c appliance/media/nbd-target.h \
	appliance/media/ram.c appliance/media/ram.h \
	appliance/media/ram-clear.c appliance/media/ram-clear.h
libmedia_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
# libnbd is not linked: nbd-library.h.
libmedia_la_CFLAGS = $(AM_CFLAGS) $(NBD_CFLAGS)
