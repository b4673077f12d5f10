/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the keeper and the control process: one message of this form each, with descriptors, on a SOCK_SEQPACKET socket. */
#ifndef IOV_CONTROL_KEEPER_PRIVATE_H
#define IOV_CONTROL_KEEPER_PRIVATE_H

#include "control/keeper/keeper.h"

enum keeper_op { KEEPER_STORE = 1, KEEPER_NOTE, KEEPER_REMOVE, KEEPER_END };

struct keeper_message {
        uint32_t op, size;
        uint64_t key;
        unsigned char note[KEEPER_NOTE_MAX];
};

/* Both wait. 0, or -errno; -ECONNRESET: the other side is gone. */
int keeper_send(int fd, const struct keeper_message *message, const int *fds, unsigned int n_fds);
int keeper_receive(int fd, struct keeper_message *ret_message, int ret_fds[KEEPER_FDS_MAX], unsigned int *ret_n);

#endif
