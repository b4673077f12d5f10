/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Write Uncorrectable and writes make of the marks of a volume (vpc/marks.h): a pure function. */
#ifndef IOV_CONTROL_MARK_STATE_H
#define IOV_CONTROL_MARK_STATE_H

#include "vpc/marks.h"
#include "vpc/reservation.h"

/* Do it. Where the result is not VPC_RESERVE_DONE the marks are as they were. */
enum vpc_reserve_result mark_apply(struct vpc_marks *marks, const struct vpc_reserve_request *request, bool *ret_changed);
/* Bytes of a volume of that size that are marked. */
uint64_t mark_bytes(const struct vpc_marks *marks, uint64_t size);
/* Nothing is known of it but that something was: all of it. */
void mark_all(struct vpc_marks *marks);
/* What was read from a file makes sense. */
bool mark_is_sane(const struct vpc_marks *marks);

#endif
