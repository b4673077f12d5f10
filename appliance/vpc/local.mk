# appliance/vpc: a vAdapter's PCIe face, and the vfio-user server that shows it.
noinst_LTLIBRARIES += libvpc.la
libvpc_la_SOURCES = \
	appliance/vpc/bytes.h \
	appliance/vpc/config-build.c \
	appliance/vpc/config-space.c appliance/vpc/config-space.h \
	appliance/vpc/counters.h \
	appliance/vpc/description.c \
	appliance/vpc/dma.c appliance/vpc/dma.h appliance/vpc/dma-private.h \
	appliance/vpc/dma-pin.c \
	appliance/vpc/function.c appliance/vpc/function.h appliance/vpc/function-private.h \
	appliance/vpc/host.c appliance/vpc/host.h \
	appliance/vpc/image.c appliance/vpc/image.h \
	appliance/vpc/io.h \
	appliance/vpc/irq.c appliance/vpc/irq.h \
	appliance/vpc/marks.h \
	appliance/vpc/messages.c \
	appliance/vpc/model.h \
	appliance/vpc/region.c \
	appliance/vpc/report.c appliance/vpc/report.h \
	appliance/vpc/reservation.h \
	appliance/vpc/server.c appliance/vpc/server.h appliance/vpc/server-private.h \
	appliance/vpc/session.c appliance/vpc/session.h \
	appliance/vpc/version.c
libvpc_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libvpc_la_CFLAGS = $(AM_CFLAGS) $(JSON_CFLAGS)
libvpc_la_LIBADD = libloop.la $(JSON_LIBS)
