/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking again for what is wanted already: a transaction that names a vAdapter and changes nothing. */
#include <errno.h>

#include "appliance.h"
#include "util.h"

int iov_vadapter_retry(struct iov_appliance *a, const struct iov_model *model, const char *name, unsigned int flags,
                       struct iov_mb_error *ret_error) {
        const struct iov_mb_txn_begin begin = {.generation = iov_model_get_generation(model), .flags = flags};
        const struct iov_mb_op op = {.verb = IOV_VERB_SET, .kind = IOV_KIND_VADAPTER, .size = IOV_VADAPTER_RECORD_SIZE};
        const void *record = iov_model_get(model, IOV_KIND_VADAPTER, name);
        unsigned char request[sizeof(op) + IOV_VADAPTER_RECORD_SIZE];
        struct iov_mb_txn_result result;
        size_t length = 0;

        if (!record)
                return -ENOENT;
        memcpy(request, &op, sizeof(op));
        memcpy(request + sizeof(op), record, op.size);
        int r = iov_command(a, IOV_OP_TXN_BEGIN, &begin, sizeof(begin), NULL, 0, &length, ret_error);
        if (r >= 0)
                r = iov_command(a, IOV_OP_TXN_APPEND, request, sizeof(request), NULL, 0, &length, ret_error);
        if (r >= 0)
                r = iov_command(a, IOV_OP_TXN_COMMIT, NULL, 0, &result, sizeof(result), &length, ret_error);
        return r < 0 ? r : length == sizeof(result) ? 0 : -EPROTO;
}
