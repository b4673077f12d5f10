# The switch: transactions and the rules they are judged by.
noinst_LTLIBRARIES += libiove.la
libiove_la_SOURCES = \
	appliance/iove/rules.c appliance/iove/rules.h \
	appliance/iove/transaction.c appliance/iove/transaction.h
libiove_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libiove_la_LIBADD = libiov-core.la
