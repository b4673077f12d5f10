# appliance/loop: the event loop.
noinst_LTLIBRARIES += libloop.la
libloop_la_SOURCES = \
	appliance/loop/epoll.c \
	appliance/loop/loop.c appliance/loop/loop.h \
	appliance/loop/loop-private.h \
	appliance/loop/poller.c \
	appliance/loop/threads.c \
	appliance/loop/uring.c \
	appliance/loop/uring-file.c \
	appliance/loop/uring-memory.c
libloop_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libloop_la_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
libloop_la_LIBADD = $(URING_LIBS)
