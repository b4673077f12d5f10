# The switch and the control process.
control_test_cppflags = $(APPLIANCE_CPPFLAGS)
control_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)

check_PROGRAMS += test-transaction test-state test-volumes test-journal
TESTS += test-transaction test-state test-volumes test-journal

test_transaction_SOURCES = tests/unit/test-transaction.c tests/unit/transaction-fixture.h
check_PROGRAMS += test-transaction-kinds test-identities test-take-back test-operate test-media-fault
TESTS += test-transaction-kinds test-identities test-take-back test-operate test-media-fault
test_operate_SOURCES = tests/unit/test-operate.c tests/unit/transaction-fixture.h
test_operate_CPPFLAGS = $(control_test_cppflags)
test_operate_CFLAGS = $(control_test_cflags)
test_operate_LDADD = libiove.la libiov-core.la $(CMOCKA_LIBS)
test_media_fault_SOURCES = tests/unit/test-media-fault.c
test_media_fault_CPPFLAGS = $(control_test_cppflags)
test_media_fault_CFLAGS = $(control_test_cflags)
test_media_fault_LDADD = libmedia.la libloop.la $(CMOCKA_LIBS)
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

check_PROGRAMS += test-reasons
TESTS += test-reasons
test_reasons_SOURCES = tests/unit/test-reasons.c tests/unit/transaction-fixture.h
test_reasons_CPPFLAGS = $(control_test_cppflags)
test_reasons_CFLAGS = $(control_test_cflags)
test_reasons_LDADD = libiove.la libiov-core.la $(CMOCKA_LIBS)

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
test_volumes_LDADD = libcontrol.la libiove.la libiov-core.la $(CMOCKA_LIBS)

check_PROGRAMS += test-memory
TESTS += test-memory
test_memory_SOURCES = tests/unit/test-memory.c
test_memory_CPPFLAGS = $(control_test_cppflags)
test_memory_CFLAGS = $(control_test_cflags)
test_memory_LDADD = libcontrol.la $(CMOCKA_LIBS)

test_journal_SOURCES = tests/unit/test-journal.c
test_journal_CPPFLAGS = $(control_test_cppflags)
test_journal_CFLAGS = $(control_test_cflags)
test_journal_LDADD = libcontrol.la libiov-core.la $(CMOCKA_LIBS)

check_PROGRAMS += test-isolation tests/unit/test-isolation-read
TESTS += test-isolation tests/unit/test-isolation-read
test_isolation_SOURCES = tests/unit/test-isolation.c
test_isolation_CPPFLAGS = $(control_test_cppflags)
test_isolation_CFLAGS = $(control_test_cflags)
test_isolation_LDADD = libcontrol.la libvpc.la libloop.la libiov-core.la $(CMOCKA_LIBS)
tests_unit_test_isolation_read_SOURCES = tests/unit/test-isolation-read.c tools/iovdump/isolation.c $(transport_fake_sources)
tests_unit_test_isolation_read_CPPFLAGS = $(TOOLS_CPPFLAGS)
tests_unit_test_isolation_read_CFLAGS = $(TOOLS_CFLAGS) $(CMOCKA_CFLAGS) -pthread
tests_unit_test_isolation_read_LDADD = libiov-tools.la libiov-core.la $(JSON_LIBS) $(SMARTCOLS_LIBS) $(YAML_LIBS) $(CMOCKA_LIBS)

# The driver of a hypervisor.
check_PROGRAMS += test-host
TESTS += test-host
test_host_SOURCES = tests/unit/test-host.c
test_host_CPPFLAGS = $(control_test_cppflags)
test_host_CFLAGS = $(control_test_cflags)
test_host_LDADD = libhost.la libloop.la $(CMOCKA_LIBS)
check_PROGRAMS += test-reservation-state
TESTS += test-reservation-state
test_reservation_state_SOURCES = tests/unit/test-reservation-state.c
test_reservation_state_CPPFLAGS = $(control_test_cppflags)
test_reservation_state_CFLAGS = $(control_test_cflags)
test_reservation_state_LDADD = libcontrol.la libiov-core.la $(CMOCKA_LIBS)
check_PROGRAMS += test-reservations
TESTS += test-reservations
test_reservations_SOURCES = tests/unit/test-reservations.c
test_reservations_CPPFLAGS = $(control_test_cppflags)
test_reservations_CFLAGS = $(control_test_cflags)
test_reservations_LDADD = libcontrol.la libloop.la libiov-core.la $(CMOCKA_LIBS)
check_PROGRAMS += test-mark-state test-marks
TESTS += test-mark-state test-marks
test_mark_state_SOURCES = tests/unit/test-mark-state.c
test_mark_state_CPPFLAGS = $(control_test_cppflags)
test_mark_state_CFLAGS = $(control_test_cflags)
test_mark_state_LDADD = libcontrol.la $(CMOCKA_LIBS)
test_marks_SOURCES = tests/unit/test-marks.c
test_marks_CPPFLAGS = $(control_test_cppflags)
test_marks_CFLAGS = $(control_test_cflags)
test_marks_LDADD = libcontrol.la libloop.la libiov-core.la $(CMOCKA_LIBS)
check_PROGRAMS += test-lives
TESTS += test-lives
test_lives_SOURCES = tests/unit/test-lives.c
test_lives_CPPFLAGS = $(control_test_cppflags)
test_lives_CFLAGS = $(control_test_cflags)
test_lives_LDADD = libcontrol.la libloop.la libiov-core.la $(CMOCKA_LIBS)
