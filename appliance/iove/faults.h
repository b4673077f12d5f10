/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults on demand, as records of the model. */
#ifndef IOV_IOVE_FAULTS_H
#define IOV_IOVE_FAULTS_H

#include "iove/rules.h"

#define FAULT_DELAY_MAX (UINT64_C(60) * 1000000000) /* ns */
#define FAULT_COMMANDS_MAX 1000000

/* The first fault of a type in an object, NULL: none. */
const struct iov_fault *faults_find(const struct iov_model *model, enum iov_fault_type type, const char *object);
/* Judge a fault that is asked for, name it and add it, also to *fault. `sim`: an appliance that moves no data. -EBADMSG: refused.
 */
int faults_add(struct iov_model *candidate, struct iov_fault *fault, bool sim, struct iove_refusal *ret_refusal);
/* Take one away, or with an empty name all. */
int faults_clear(struct iov_model *candidate, const char *name, struct iove_refusal *ret_refusal);
/* Drop those whose object is not there any more, and those that have struck as often as they should. Returns how many. */
int faults_prune(struct iov_model *model);

#endif
