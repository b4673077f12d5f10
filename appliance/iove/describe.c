/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A transaction in words, for those who read in the event list what was done. */
#include <stdio.h>

#include "iov/registers.h"
#include "iove/transaction-private.h"

#define NAMED_MAX 3 /* more than these are counted */

static int describe_one(const struct iove_transaction *t, const struct operation *op, const struct iov_model *have, char *text,
                        size_t size) {
        const char *name = (const char *)t->records + op->offset, *kind = iov_records_get(op->kind)->name;

        switch (op->verb) {
        case IOV_VERB_REMOVE:
                return snprintf(text, size, "%s %s removed", kind, name);
        case IOV_VERB_RENAME:
                return snprintf(text, size, "%s %s renamed %s", kind, name, name + IOV_NAME_SIZE);
        default:
                return snprintf(text, size, "%s %s %s", kind, name, iov_model_get(have, op->kind, name) ? "changed" : "added");
        }
}

void iove_transaction_describe(const struct iove_transaction *t, const struct iov_model *have, char *ret_text, size_t size) {
        size_t length = 0;

        *ret_text = 0;
        for (size_t i = 0; i < t->n_operations && length < size; i++) {
                int n = 0;

                if (i)
                        length += (size_t)snprintf(ret_text + length, size - length, ", ");
                if (length >= size)
                        break;
                if (i == NAMED_MAX && t->n_operations > i + 1) {
                        snprintf(ret_text + length, size - length, "and %zu more", t->n_operations - i);
                        break;
                }
                n = describe_one(t, &t->operations[i], have, ret_text + length, size - length);
                length += n > 0 ? (size_t)n : 0;
        }
}
