# appliance/host: the hypervisors that plug and unplug for us.
noinst_LTLIBRARIES += libhost.la
libhost_la_SOURCES = \
	appliance/host/host.c appliance/host/host.h appliance/host/host-private.h \
	appliance/host/inventory.c \
	appliance/host/qmp.c appliance/host/qmp.h
libhost_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libhost_la_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
libhost_la_LIBADD = libloop.la $(JSON_LIBS)
