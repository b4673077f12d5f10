# bench: ratios against what the machine can do at best, measured in the same run. Built and run by `make bench` only.
bench_common = bench/measure.c bench/measure.h bench/nvme-host.c bench/nvme-host.h bench/processes.c bench/processes.h
bench_batch = bench/batch.c bench/batch.h $(bench_common)
bench_batch_uring = bench/batch-uring.c bench/batch-uring.h $(bench_batch)
bench_file = bench/file-job.c bench/file-job.h $(bench_batch_uring)
bench_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)
bench_binaries = bench/register-read bench/nvme-read bench/nvme-speed bench/nvme-pages bench/nvme-file bench/nvme-nbd bench/nvme-pinned bench/nvme-four bench/weights bench/idle bench/create bench/scale
EXTRA_PROGRAMS += $(bench_binaries)
CLEANFILES += $(bench_binaries)
EXTRA_DIST += bench/run.sh bench/nbd.sh bench/pinned.sh bench/wait-for.sh bench/hotplug.sh bench/guest.sh

bench_register_read_SOURCES = bench/register-read.c $(bench_common)
bench_register_read_CPPFLAGS = $(bench_cppflags)
bench_register_read_LDADD = libiov-core.la
bench_nvme_read_SOURCES = bench/nvme-read.c $(bench_batch_uring)
bench_nvme_read_CPPFLAGS = $(bench_cppflags)
bench_nvme_read_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
bench_nvme_read_LDADD = libiov-core.la $(URING_LIBS)
bench_nvme_speed_SOURCES = bench/nvme-speed.c bench/two-processors.c bench/two-processors.h $(bench_batch)
bench_nvme_speed_CPPFLAGS = $(bench_cppflags)
bench_nvme_speed_LDADD = libiov-core.la
bench_nvme_pages_SOURCES = bench/nvme-pages.c $(bench_batch)
bench_nvme_pages_CPPFLAGS = $(bench_cppflags)
bench_nvme_pages_LDADD = libiov-core.la
bench_nvme_file_SOURCES = bench/nvme-file.c $(bench_file)
bench_nvme_file_CPPFLAGS = $(bench_cppflags)
bench_nvme_file_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
bench_nvme_file_LDADD = libiov-core.la $(URING_LIBS)
bench_nvme_nbd_SOURCES = bench/nvme-nbd.c $(bench_file)
bench_nvme_nbd_CPPFLAGS = $(bench_cppflags)
bench_nvme_nbd_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS) $(NBD_CFLAGS)
bench_nvme_nbd_LDADD = libiov-core.la $(URING_LIBS) $(NBD_LIBS)
bench_nvme_pinned_SOURCES = bench/nvme-pinned.c $(bench_file)
bench_nvme_pinned_CPPFLAGS = $(bench_cppflags)
bench_nvme_pinned_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
bench_nvme_pinned_LDADD = libiov-core.la $(URING_LIBS)
bench_nvme_four_SOURCES = bench/nvme-four.c $(bench_file)
bench_nvme_four_CPPFLAGS = $(bench_cppflags)
bench_nvme_four_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
bench_nvme_four_LDADD = libiov-core.la $(URING_LIBS)
bench_weights_SOURCES = bench/weights.c $(bench_common)
bench_weights_CPPFLAGS = $(bench_cppflags)
bench_weights_LDADD = libiov-core.la
bench_idle_SOURCES = bench/idle.c $(bench_common)
bench_idle_CPPFLAGS = $(bench_cppflags)
bench_idle_LDADD = libiov-core.la
bench_create_SOURCES = bench/create.c $(bench_common)
bench_create_CPPFLAGS = $(bench_cppflags)
bench_create_LDADD = libiov-core.la
bench_scale_SOURCES = bench/scale.c bench/measure.c bench/measure.h
bench_scale_CPPFLAGS = $(bench_cppflags)
bench_scale_CFLAGS = $(AM_CFLAGS) $(YAML_CFLAGS)
bench_scale_LDADD = $(YAML_LIBS)

# Not a benchmark: a server without QEMU, well-behaved or hostile, for tests.
check_PROGRAMS += bench/nvme-host
bench_nvme_host_SOURCES = bench/nvme-host-main.c bench/hostile-commands.c bench/hostile-floods.c bench/hostile-messages.c bench/hostile.h bench/reserve.c bench/share.c bench/verify.c $(bench_common)
bench_nvme_host_CPPFLAGS = $(bench_cppflags)
bench_nvme_host_LDADD = libiov-core.la

# A server whose worker is killed under it: a test with few kills, a measurement with more.
check_PROGRAMS += bench/restart
bench_restart_SOURCES = bench/restart.c $(bench_common)
bench_restart_CPPFLAGS = $(bench_cppflags)
bench_restart_LDADD = libiov-core.la

EXTRA_DIST += bench/restart.sh bench/soak.sh

.PHONY: bench soak
bench: all $(bench_binaries) bench/restart
	@IOV_BUILD='$(abs_top_builddir)' sh $(srcdir)/bench/run.sh
	@IOV_BUILD='$(abs_top_builddir)' sh $(srcdir)/bench/nbd.sh
	@IOV_BUILD='$(abs_top_builddir)' sh $(srcdir)/bench/pinned.sh
	@IOV_BUILD='$(abs_top_builddir)' sh $(srcdir)/bench/restart.sh 200

# What takes hours: SOAK_HOURS=8 or SOAK_MINUTES=3, and SOAK_KILLS of processes before that.
SOAK_KILLS = 1000
soak: all bench/restart
	@IOV_BUILD='$(abs_top_builddir)' sh $(srcdir)/bench/restart.sh $(SOAK_KILLS) control
	@IOV_BUILD='$(abs_top_builddir)' SOAK_HOURS='$(SOAK_HOURS)' SOAK_MINUTES='$(SOAK_MINUTES)' bash $(srcdir)/bench/soak.sh

# In a real guest, which is fetched first where it is not there yet.
.PHONY: bench-guest
bench-guest: all
	@IOV_BUILD='$(abs_top_builddir)' bash $(srcdir)/bench/hotplug.sh
