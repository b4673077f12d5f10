/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/asked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iove/rules.h"

static int add(struct asked *a, const char *name) {
        if (a->n == a->allocated) {
                size_t n = a->allocated ? 2 * a->allocated : 16;
                void *p = reallocarray(a->names, n, sizeof(*a->names));

                if (!p)
                        return -ENOMEM;
                a->names = p;
                a->allocated = n;
        }
        memcpy(a->names[a->n++], name, IOV_NAME_SIZE);
        return 0;
}

int asked_collect(struct asked *a, const struct iove_transaction *t, const struct iov_model *have,
                  const struct iov_model *candidate) {
        const struct iov_vadapter *va;
        const char *name;
        size_t cursor = 0;
        int r = 0;

        a->force = iove_transaction_flags(t) & IOV_TXN_FORCE;
        while (r == 0 && (name = iove_transaction_next(t, IOV_KIND_VADAPTER, &cursor)))
                r = add(a, name);
        if (!a->force)
                return r;
        iov_model_foreach (have, IOV_KIND_VADAPTER, va)
                if (r == 0 && *va->socket && iove_vadapter_differs(have, candidate, va->name))
                        r = add(a, va->name);
        return r;
}

void asked_clear(struct asked *a) {
        free(a->names);
        *a = (struct asked){0};
}

void asked_tell(struct asked *a, struct supervisor *supervisor) {
        for (size_t i = 0; i < a->n; i++)
                supervisor_ask(supervisor, a->names[i], a->force);
        asked_clear(a);
}
