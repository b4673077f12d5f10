# The control process, and iovd itself.
noinst_LTLIBRARIES += libcontrol.la
libcontrol_la_SOURCES = \
	appliance/control/access.c appliance/control/access.h \
	appliance/control/amend.c appliance/control/amend.h \
	appliance/control/appliance-id.c appliance/control/appliance-id.h \
	appliance/control/asked.c appliance/control/asked.h \
	appliance/control/backend-helper.c appliance/control/backend-helper.h \
	appliance/control/backend-process.c appliance/control/backend-process.h \
	appliance/control/backends.c appliance/control/backends.h \
	appliance/control/chassis.c appliance/control/chassis.h \
	appliance/control/commits.c \
	appliance/control/confirm.c \
	appliance/control/control.c appliance/control/control.h appliance/control/control-private.h \
	appliance/control/faults.c appliance/control/faults.h \
	appliance/control/fdstore.c appliance/control/fdstore.h \
	appliance/control/hosts.c appliance/control/hosts.h \
	appliance/control/history.c appliance/control/history.h \
	appliance/control/isolation.c appliance/control/isolation.h \
	appliance/control/isolation-kernel.c appliance/control/isolation-kernel.h \
	appliance/control/journal.c appliance/control/journal.h \
	appliance/control/keeper.c appliance/control/keeper.h appliance/control/keeper-private.h \
	appliance/control/keeping.c \
	appliance/control/lock.c appliance/control/lock.h \
	appliance/control/mailbox.c appliance/control/mailbox.h \
	appliance/control/mark-state.c appliance/control/mark-state.h \
	appliance/control/marks.c appliance/control/marks.h \
	appliance/control/media-change.c appliance/control/media-change.h \
	appliance/control/memory.c appliance/control/memory.h \
	appliance/control/mgmt.c appliance/control/mgmt.h \
	appliance/control/persona.c appliance/control/persona.h \
	appliance/control/preallocation.c appliance/control/preallocation.h \
	appliance/control/ram-volumes.c appliance/control/ram-volumes.h \
	appliance/control/record-file.c appliance/control/record-file.h \
	appliance/control/reservation-file.c appliance/control/reservation-file.h \
	appliance/control/reservation-state.c appliance/control/reservation-state.h \
	appliance/control/reservations.c appliance/control/reservations.h \
	appliance/control/reservations-read.c \
	appliance/control/run-directory.c appliance/control/run-directory.h \
	appliance/control/saver.c appliance/control/saver.h \
	appliance/control/spawn.c appliance/control/spawn.h \
	appliance/control/state.c appliance/control/state.h \
	appliance/control/supervisor.c appliance/control/supervisor.h appliance/control/supervisor-private.h \
	appliance/control/supervisor-adopt.c \
	appliance/control/supervisor-backends.c \
	appliance/control/supervisor-drive.c \
	appliance/control/supervisor-instances.c \
	appliance/control/supervisor-marks.c \
	appliance/control/supervisor-media.c \
	appliance/control/supervisor-processes.c \
	appliance/control/supervisor-reservations.c \
	appliance/control/supervisor-share.c \
	appliance/control/tables.c appliance/control/tables.h \
	appliance/control/volumes.c appliance/control/volumes.h \
	appliance/control/worker-process.c appliance/control/worker-process.h
libcontrol_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libcontrol_la_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(NBD_CFLAGS)
libcontrol_la_LIBADD = libhost.la $(SYSTEMD_LIBS)

sbin_PROGRAMS += iovd
iovd_SOURCES = appliance/iovd.c
iovd_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
# Room by room from the top: each needs what stands behind it.
iovd_LDADD = libcontrol.la liblink.la libiove.la libadapters.la libvpc.la libmedia.la libloop.la libiov-core.la
