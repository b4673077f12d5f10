# The switch and the control process.
control_test_cppflags = $(APPLIANCE_CPPFLAGS)
control_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)

check_PROGRAMS += test-transaction test-state test-volumes test-journal
TESTS += test-transaction test-state test-volumes test-journal

test_transaction_SOURCES = tests/unit/test-transaction.c tests/unit/transaction-fixture.h
check_PROGRAMS += test-transaction-kinds test-identities test-take-back
TESTS += test-transaction-kinds test-identities test-take-back
test_take_back_SOURCES = tests/unit/test-take-back.c tests/unit/transaction-fixture.h
test_take_back_CPPFLAGS = $(control_test_cppflags)
test_take_back_CFLAGS = $(control_test_cflags)
test_take_back_LDADD = libiove.la libiov-core.la $(CMOCKA_LIBS)
test_transaction_kinds_SOURCES = tests/unit/test-transaction-kinds.c tests/unit/transaction-fixture.h
test_transaction_kinds_CPPFLAGS = $(control_test_cppflags)
test_transaction_kinds_CFLAGS = $(control_test_cflags)
test_transaction_kinds_LDADD = libiove.la libiov-core.la $(CMOCKA_LIBS)
test_identities_SOURCES = tests/unit/test-identities.c tests/unit/transaction-fixture.h
test_identities_CPPFLAGS = $(control_test_cppflags)
test_identities_CFLAGS = $(control_test_cflags)
test_identities_LDADD = libiove.la libiov-core.la $(CMOCKA_LIBS)
test_transaction_CPPFLAGS = $(control_test_cppflags)
test_transaction_CFLAGS = $(control_test_cflags)
test_transaction_LDADD = libiove.la libiov-core.la $(CMOCKA_LIBS)

check_PROGRAMS += test-media-change
TESTS += test-media-change
test_media_change_SOURCES = tests/unit/test-media-change.c
test_media_change_CPPFLAGS = $(control_test_cppflags)
test_media_change_CFLAGS = $(control_test_cflags)
test_media_change_LDADD = libcontrol.la $(CMOCKA_LIBS)

test_state_SOURCES = tests/unit/test-state.c
test_state_CPPFLAGS = $(control_test_cppflags)
test_state_CFLAGS = $(control_test_cflags)
test_state_LDADD = libcontrol.la libiov-core.la $(CMOCKA_LIBS)

test_volumes_SOURCES = tests/unit/test-volumes.c
test_volumes_CPPFLAGS = $(control_test_cppflags)
test_volumes_CFLAGS = $(control_test_cflags)
test_volumes_LDADD = libcontrol.la libiov-core.la $(CMOCKA_LIBS)

test_journal_SOURCES = tests/unit/test-journal.c
test_journal_CPPFLAGS = $(control_test_cppflags)
test_journal_CFLAGS = $(control_test_cflags)
test_journal_LDADD = libcontrol.la libiov-core.la $(CMOCKA_LIBS)
