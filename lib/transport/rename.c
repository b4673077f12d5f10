/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Renaming is no difference between two models: it is a transaction of its own. */
#include <errno.h>

#include "appliance.h"
#include "util.h"

int iov_object_rename(struct iov_appliance *a, enum iov_kind kind, const char *name, const char *new_name, unsigned int flags,
                      struct iov_mb_txn_result *ret_result, struct iov_mb_error *ret_error) {
        const struct iov_mb_txn_begin begin = {.generation = IOV_GENERATION_ANY, .flags = flags};
        unsigned char request[sizeof(struct iov_mb_op) + IOV_VADAPTER_RECORD_SIZE] = {0};
        const struct iov_record_info *info = iov_records_get(kind);
        struct iov_mb_txn_result result = {0};
        size_t length = 0;

        if (!info || !iov_kind_is_config(kind))
                return -EINVAL;
        const struct iov_mb_op op = {.verb = IOV_VERB_RENAME, .kind = (uint16_t)kind, .size = info->size};
        memcpy(request, &op, sizeof(op));
        if (field_set((char *)request + sizeof(op), IOV_NAME_SIZE, name) < 0 ||
            field_set((char *)request + sizeof(op) + IOV_NAME_SIZE, IOV_NAME_SIZE, new_name) < 0)
                return -ENAMETOOLONG;
        int r = iov_command(a, IOV_OP_TXN_BEGIN, &begin, sizeof(begin), NULL, 0, &length, ret_error);
        if (r >= 0)
                r = iov_command(a, IOV_OP_TXN_APPEND, request, sizeof(op) + op.size, NULL, 0, &length, ret_error);
        if (r >= 0)
                r = iov_command(a, IOV_OP_TXN_COMMIT, NULL, 0, &result, sizeof(result), &length, ret_error);
        if (r < 0)
                return r;
        if (length != sizeof(result))
                return -EPROTO;
        *ret_result = result;
        return 0;
}
