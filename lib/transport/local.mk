# Transports, register access, the mailbox, the appliance's tables as a model.
libiov_core_la_SOURCES += \
	lib/transport/appliance.c lib/transport/appliance.h \
	lib/transport/confirm.c \
	lib/transport/events.c \
	lib/transport/history.c \
	lib/transport/isolation.c \
	lib/transport/mailbox.c \
	lib/transport/operate.c \
	lib/transport/pci-find.c lib/transport/pci-find.h \
	lib/transport/rename.c \
	lib/transport/reservations.c \
	lib/transport/retry.c \
	lib/transport/model-load.c \
	lib/transport/sim-process.c lib/transport/sim-process.h \
	lib/transport/tables.c lib/transport/tables.h \
	lib/transport/transport.h \
	lib/transport/transport-pci.c \
	lib/transport/transport-sim.c \
	lib/transport/transport-unix.c \
	lib/transport/transport-vfio-user.c \
	lib/transport/vfio-user-client.c lib/transport/vfio-user-client.h
# Where sim: finds iovd.
libiov_core_la_CPPFLAGS = $(AM_CPPFLAGS) -DIOV_SBINDIR='"$(sbindir)"'
