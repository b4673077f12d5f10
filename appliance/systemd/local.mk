# How the appliance is started on a system with systemd.
systemdsystemunit_DATA = iovd.service
dist_sysusers_DATA = appliance/systemd/iov-sysusers.conf
dist_tmpfiles_DATA = appliance/systemd/iov-tmpfiles.conf
EXTRA_DIST += appliance/systemd/iovd.service.in
CLEANFILES += iovd.service

iovd.service: appliance/systemd/iovd.service.in Makefile
	$(AM_V_GEN)$(SED) 's|@sbindir[@]|$(sbindir)|g' $(srcdir)/appliance/systemd/iovd.service.in > $@
