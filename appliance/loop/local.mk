# appliance/loop: the event loop.
noinst_LTLIBRARIES += libloop.la
libloop_la_SOURCES = \
	appliance/loop/loop.c appliance/loop/loop.h \
	appliance/loop/file-io.c \
	appliance/loop/loop-private.h \
	appliance/loop/poller.c
libloop_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libloop_la_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
libloop_la_LIBADD = $(URING_LIBS)
