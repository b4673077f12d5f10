# Device models. They see of the appliance only vpc/host.h, vpc/io.h and vpc/model.h.
noinst_LTLIBRARIES += libadapters.la
libadapters_la_SOURCES = \
	appliance/adapters/registry.c \
	appliance/adapters/nvme/admin.c \
	appliance/adapters/nvme/compare.c \
	appliance/adapters/nvme/controller.c \
	appliance/adapters/nvme/copy.c \
	appliance/adapters/nvme/data.c \
	appliance/adapters/nvme/data.h \
	appliance/adapters/nvme/device.c \
	appliance/adapters/nvme/doorbell.c \
	appliance/adapters/nvme/events.c \
	appliance/adapters/nvme/feature-data.c \
	appliance/adapters/nvme/features.c \
	appliance/adapters/nvme/format.c \
	appliance/adapters/nvme/identify.c \
	appliance/adapters/nvme/image.h \
	appliance/adapters/nvme/interrupt.c \
	appliance/adapters/nvme/io.c \
	appliance/adapters/nvme/life.c \
	appliance/adapters/nvme/logs.c \
	appliance/adapters/nvme/marks.c \
	appliance/adapters/nvme/nvme.h \
	appliance/adapters/nvme/prp.c \
	appliance/adapters/nvme/queue.c \
	appliance/adapters/nvme/queue-admin.c \
	appliance/adapters/nvme/ranges.c \
	appliance/adapters/nvme/reservation.c \
	appliance/adapters/nvme/reservation-log.c \
	appliance/adapters/nvme/reserve.c \
	appliance/adapters/nvme/resume.c \
	appliance/adapters/nvme/self-test.c \
	appliance/adapters/nvme/sgl.c \
	appliance/adapters/nvme/show.c \
	appliance/adapters/nvme/slot.c \
	appliance/adapters/nvme/spec.h \
	appliance/adapters/nvme/telemetry.c
libadapters_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
