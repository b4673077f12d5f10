/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A plan as one transaction of the mailbox: one operation for each step, so that the index at fault is that of the step. */
#include <errno.h>

#include "plan.h"
#include "util.h"

/* Operations that wait to be sent. */
struct batch {
        struct iov_appliance *appliance;
        struct iov_mb_error *ret_error;
        size_t used;
        unsigned char bytes[IOV_MB_PAYLOAD_BYTES];
};

static int flush(struct batch *batch) {
        size_t reply_length = 0;
        int r = 0;

        if (batch->used)
                r = iov_command(batch->appliance, IOV_OP_TXN_APPEND, batch->bytes, batch->used, NULL, 0, &reply_length,
                                batch->ret_error);
        batch->used = 0;
        return r;
}

/* Of a removal the name is enough; what a record ends with and is zero need not be sent: most of what a vAdapter can have is not
 * wanted. */
static uint32_t size_sent(const struct iov_plan_step *step) {
        return step->want ? (uint32_t)record_used(step->want, iov_records_get(step->kind)->size, IOV_NAME_SIZE) : IOV_NAME_SIZE;
}

static int append(struct batch *batch, const struct iov_plan_step *step) {
        uint32_t size = size_sent(step);
        struct iov_mb_op op = {.verb = step->want ? IOV_VERB_SET : IOV_VERB_REMOVE, .kind = (uint16_t)step->kind, .size = size};

        if (sizeof(batch->bytes) - batch->used < sizeof(op) + size) {
                int r = flush(batch);

                if (r < 0)
                        return r;
        }
        memcpy(batch->bytes + batch->used, &op, sizeof(op));
        memcpy(batch->bytes + batch->used + sizeof(op), step->want ? step->want : step->have, size);
        batch->used += sizeof(op) + size;
        return 0;
}

void iov_plan_set_confirm(struct iov_plan *plan, uint32_t seconds) {
        plan->confirm_s = seconds;
}

int iov_plan_apply(const struct iov_plan *plan, struct iov_appliance *appliance, unsigned int flags,
                   struct iov_mb_txn_result *ret_result, struct iov_mb_error *ret_error) {
        struct iov_mb_txn_begin begin = {
                .generation = iov_model_get_generation(plan->have), .flags = flags, .confirm_s = plan->confirm_s};
        struct iov_mb_txn_result result = {0};
        size_t reply_length = 0;
        CLEANUP_FREE struct batch *batch = malloc(sizeof(*batch));

        if (!batch)
                return -ENOMEM;
        batch->appliance = appliance;
        batch->ret_error = ret_error;
        batch->used = 0;
        int r = iov_command(appliance, IOV_OP_TXN_BEGIN, &begin, sizeof(begin), NULL, 0, &reply_length, ret_error);
        for (size_t i = 0; r >= 0 && i < plan->n_steps; i++)
                r = append(batch, &plan->steps[i]);
        if (r >= 0)
                r = flush(batch);
        if (r >= 0)
                r = iov_command(appliance, IOV_OP_TXN_COMMIT, NULL, 0, &result, sizeof(result), &reply_length, ret_error);
        if (r < 0)
                return r;
        if (reply_length != sizeof(result))
                return -EPROTO;
        *ret_result = result;
        return 0;
}
