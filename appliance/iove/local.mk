# The switch: transactions and the rules they are judged by.
noinst_LTLIBRARIES += libiove.la
libiove_la_SOURCES = \
	appliance/iove/adapters.c appliance/iove/adapters.h \
	appliance/iove/apply.c \
	appliance/iove/claims.c \
	appliance/iove/describe.c \
	appliance/iove/faults.c appliance/iove/faults.h \
	appliance/iove/identity.c appliance/iove/identity.h \
	appliance/iove/identity-choose.c \
	appliance/iove/identity-index.c \
	appliance/iove/identity-ledger.c \
	appliance/iove/identity-private.h \
	appliance/iove/links.c appliance/iove/links.h \
	appliance/iove/scrub.c \
	appliance/iove/rules.c appliance/iove/rules.h \
	appliance/iove/rules-change.c \
	appliance/iove/same.c appliance/iove/same.h \
	appliance/iove/rules-members.c \
	appliance/iove/rules-private.h \
	appliance/iove/take-back.c appliance/iove/take-back.h \
	appliance/iove/transaction-private.h \
	appliance/iove/transaction.c appliance/iove/transaction.h
libiove_la_CPPFLAGS = $(APPLIANCE_CPPFLAGS)
libiove_la_LIBADD = libiov-core.la
