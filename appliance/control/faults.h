/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults on demand at work: what workers are told of them, and commands that are not answered. */
#ifndef IOV_CONTROL_FAULTS_H
#define IOV_CONTROL_FAULTS_H

#include "control/control.h"
#include "vpc/model.h"

/* Tell a worker of the faults that are in a vAdapter and its volumes, which are those of its persona (NULL: none there). 0 or
 * -errno. */
int faults_send(const struct iov_model *model, const struct vpc_persona *persona, const struct iov_volume *const *volumes,
                uint64_t instance, int channel);
/* Whether a command of the mailbox is to be left without an answer. */
bool faults_swallow(struct control *control);
/* A worker says that one has struck. */
void faults_struck(struct control *control, uint64_t number, uint64_t hits);

#endif
