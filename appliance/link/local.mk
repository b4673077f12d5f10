# The worker of a server link.
noinst_LTLIBRARIES += liblink.la
liblink_la_SOURCES = \
	appliance/link/channel.c appliance/link/channel.h \
	appliance/link/escrow.c appliance/link/escrow.h \
	appliance/link/qos.c appliance/link/qos.h \
	appliance/link/sandbox.c appliance/link/sandbox.h \
	appliance/link/share.c appliance/link/share.h \
	appliance/link/slot.c appliance/link/slot.h appliance/link/slot-private.h \
	appliance/link/slot-media.c appliance/link/slot-reservations.c \
	appliance/link/trouble.c appliance/link/trouble.h \
	appliance/link/worker.c appliance/link/worker.h
liblink_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
liblink_la_CFLAGS = $(AM_CFLAGS) $(SECCOMP_CFLAGS) $(NBD_CFLAGS)
liblink_la_LIBADD = $(SECCOMP_LIBS)
