# What vAdapters store data on.
noinst_LTLIBRARIES += libmedia.la
libmedia_la_SOURCES = appliance/media/fault.c appliance/media/fault.h appliance/media/file.c appliance/media/file.h
libmedia_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
