# The control process, and iovd itself.
noinst_LTLIBRARIES += libcontrol.la
libcontrol_la_SOURCES = \
	appliance/control/amend.c appliance/control/amend.h \
	appliance/control/asked.c appliance/control/asked.h \
	appliance/control/chassis.c appliance/control/chassis.h \
	appliance/control/commits.c \
	appliance/control/confirm.c \
	appliance/control/control.c appliance/control/control.h appliance/control/control-private.h \
	appliance/control/faults.c appliance/control/faults.h \
	appliance/control/journal.c appliance/control/journal.h \
	appliance/control/persona.c appliance/control/persona.h \
	appliance/control/reservations-read.c \
	appliance/control/tables.c appliance/control/tables.h \
	appliance/control/keeper/fdstore.c appliance/control/keeper/fdstore.h \
	appliance/control/keeper/keeper.c appliance/control/keeper/keeper.h appliance/control/keeper/keeper-private.h \
	appliance/control/keeper/keeping.c \
	appliance/control/keeper/spawn.c appliance/control/keeper/spawn.h \
	appliance/control/mgmt/access.c appliance/control/mgmt/access.h \
	appliance/control/mgmt/mailbox.c appliance/control/mgmt/mailbox.h \
	appliance/control/mgmt/mgmt.c appliance/control/mgmt/mgmt.h \
	appliance/control/store/appliance-id.c appliance/control/store/appliance-id.h \
	appliance/control/store/history.c appliance/control/store/history.h \
	appliance/control/store/lock.c appliance/control/store/lock.h \
	appliance/control/store/record-file.c appliance/control/store/record-file.h \
	appliance/control/store/run-directory.c appliance/control/store/run-directory.h \
	appliance/control/store/saver.c appliance/control/store/saver.h \
	appliance/control/store/state.c appliance/control/store/state.h \
	appliance/control/supervisor/adopt.c \
	appliance/control/supervisor/backends.c \
	appliance/control/supervisor/drive.c \
	appliance/control/supervisor/hosts.c appliance/control/supervisor/hosts.h \
	appliance/control/supervisor/instances.c \
	appliance/control/supervisor/isolation-kernel.c appliance/control/supervisor/isolation-kernel.h \
	appliance/control/supervisor/isolation.c appliance/control/supervisor/isolation.h \
	appliance/control/supervisor/life.c \
	appliance/control/supervisor/lives.c appliance/control/supervisor/lives.h \
	appliance/control/supervisor/marks.c \
	appliance/control/supervisor/media.c \
	appliance/control/supervisor/processes.c \
	appliance/control/supervisor/reservations.c \
	appliance/control/supervisor/share.c \
	appliance/control/supervisor/supervisor.c appliance/control/supervisor/supervisor.h appliance/control/supervisor/supervisor-private.h \
	appliance/control/supervisor/worker-process.c appliance/control/supervisor/worker-process.h \
	appliance/control/volumes/backend-helper.c appliance/control/volumes/backend-helper.h \
	appliance/control/volumes/backend-process.c appliance/control/volumes/backend-process.h \
	appliance/control/volumes/backends.c appliance/control/volumes/backends.h \
	appliance/control/volumes/mark-state.c appliance/control/volumes/mark-state.h \
	appliance/control/volumes/marks.c appliance/control/volumes/marks.h \
	appliance/control/volumes/media-change.c appliance/control/volumes/media-change.h \
	appliance/control/volumes/memory.c appliance/control/volumes/memory.h \
	appliance/control/volumes/preallocation.c appliance/control/volumes/preallocation.h \
	appliance/control/volumes/ram-volumes.c appliance/control/volumes/ram-volumes.h \
	appliance/control/volumes/reservation-file.c appliance/control/volumes/reservation-file.h \
	appliance/control/volumes/reservation-state.c appliance/control/volumes/reservation-state.h \
	appliance/control/volumes/reservations.c appliance/control/volumes/reservations.h \
	appliance/control/volumes/volumes.c appliance/control/volumes/volumes.h
libcontrol_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libcontrol_la_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS) $(NBD_CFLAGS)
libcontrol_la_LIBADD = libhost.la $(SYSTEMD_LIBS)

sbin_PROGRAMS += iovd
iovd_SOURCES = appliance/iovd.c
iovd_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
# Room by room from the top: each needs what stands behind it.
iovd_LDADD = libcontrol.la liblink.la libiove.la libadapters.la libvpc.la libmedia.la libloop.la libiov-core.la
