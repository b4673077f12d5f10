/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal and the tables it writes events to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <cmocka.h>

#include "control/journal.h"
#include "control/tables.h"
#include "util.h"

static const struct iov_table *table(const struct tables *t, enum iov_kind kind) {
        return (const struct iov_table *)((const char *)tables_get_memory(t) + IOV_REG_TABLE_DIRECTORY) + kind;
}

static const void *row(const struct tables *t, enum iov_kind kind, unsigned int n) {
        return (const char *)tables_get_memory(t) + table(t, kind)->offset + (size_t)n * table(t, kind)->record_size;
}

static uint64_t sequence(const struct tables *t) {
        return *(const uint64_t *)((const char *)tables_get_memory(t) + IOV_REG_TABLE_SEQUENCE);
}

static void test_tables_show_the_model(void **state) {
        struct tables *t = NULL;
        struct iov_ctx *ctx = NULL;
        struct iov_model *m = NULL;
        struct iov_server s = {.link = 5};

        assert_int_equal(tables_new(&t), 0);
        assert_int_equal(iov_new(&ctx), 0);
        assert_int_equal(iov_model_new(ctx, &m), 0);
        field_set(s.name, sizeof(s.name), "web01");
        assert_int_equal(iov_model_set(m, IOV_KIND_SERVER, &s), 0);
        iov_model_set_generation(m, 3);
        tables_publish(t, m);
        assert_int_equal(sequence(t), 2);
        assert_int_equal(table(t, IOV_KIND_SERVER)->rows, 1);
        assert_memory_equal(row(t, IOV_KIND_SERVER, 0), &s, sizeof(s));
        /* a removed object leaves a free row behind */
        assert_int_equal(iov_model_remove(m, IOV_KIND_SERVER, "web01"), 0);
        tables_publish(t, m);
        assert_int_equal(*(const char *)row(t, IOV_KIND_SERVER, 0), 0);
        assert_int_equal(sequence(t) % 2, 0);
        iov_model_unref(m);
        iov_unref(ctx);
        tables_free(t);
}

static void test_tables_cannot_be_written_by_readers(void **state) {
        struct tables *t = NULL;

        assert_int_equal(tables_new(&t), 0);
        assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, tables_get_fd(t), 0), MAP_FAILED);
        void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, tables_get_fd(t), 0);
        assert_ptr_not_equal(p, MAP_FAILED);
        assert_int_equal(*(uint32_t *)p, IOV_TABLE_MAGIC);
        assert_int_equal(mprotect(p, 4096, PROT_READ | PROT_WRITE), -1);
        munmap(p, 4096);
        tables_free(t);
}

static void test_events_are_a_ring(void **state) {
        struct tables *t = NULL;
        struct journal *j = NULL;

        assert_int_equal(tables_new(&t), 0);
        assert_int_equal(journal_new(t, LOG_EMERG, &j), 0);
        for (unsigned int i = 0; i < IOV_EVENT_MAX + 3; i++)
                journal_event(j, LOG_INFO, 1000, "web01", "event %u", i);
        assert_int_equal(tables_get_event_head(t), IOV_EVENT_MAX + 3);
        const struct iov_event *e = row(t, IOV_KIND_EVENT, 2);
        assert_int_equal(e->sequence, IOV_EVENT_MAX + 3);
        assert_int_equal(e->uid, 1000);
        assert_string_equal(e->object, "web01");
        char expected[64];
        snprintf(expected, sizeof(expected), "event %d", IOV_EVENT_MAX + 2);
        assert_string_equal(e->text, expected);
        journal_free(j);
        tables_free(t);
}

static void test_log_ring(void **state) {
        struct tables *t = NULL;
        struct journal *j = NULL;
        static char text[JOURNAL_BYTES + 1];
        uint64_t first = 99;

        assert_int_equal(tables_new(&t), 0);
        assert_int_equal(journal_new(t, LOG_EMERG, &j), 0);
        assert_int_equal(journal_read(j, 12345, text, sizeof(text), &first), 0);
        assert_int_equal(first, 0);
        journal_log(j, LOG_INFO, "a guest says \033[31mred\033[0m\nand lies");
        size_t n = journal_read(j, 0, text, sizeof(text) - 1, &first);
        text[n] = 0;
        assert_non_null(strstr(text, "<6> a guest says ?[31mred?[0m?and lies\n"));
        for (int i = 0; i < 10000; i++)
                journal_log(j, LOG_INFO, "line %d of a log that is longer than the ring", i);
        n = journal_read(j, 0, text, sizeof(text) - 1, &first);
        assert_int_equal(n, JOURNAL_BYTES);
        assert_true(first > 0);
        text[n] = 0;
        assert_non_null(strstr(text, "line 9999 of"));
        assert_null(strstr(text, "line 0 of"));
        journal_free(j);
        tables_free(t);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tables_show_the_model),
                cmocka_unit_test(test_tables_cannot_be_written_by_readers),
                cmocka_unit_test(test_events_are_a_ring),
                cmocka_unit_test(test_log_ring),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
