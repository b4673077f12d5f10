/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mailbox of one connection: registers, payload and the commands behind the doorbell. */
#ifndef IOV_CONTROL_MAILBOX_H
#define IOV_CONTROL_MAILBOX_H

#include "control/control.h"

struct mailbox;

/* `completed` is called when a command is done and the doorbell has cleared, maybe from within mailbox_write(). */
int mailbox_new(struct control *control, uint32_t uid, bool may_change, void (*completed)(void *userdata), void *userdata,
                struct mailbox **ret_mailbox);
struct mailbox *mailbox_free(struct mailbox *mailbox);
/* Drop a transaction under way and all registers. */
void mailbox_reset(struct mailbox *mailbox);

/* Offsets count from MB_CAPS; 4 or 8 bytes, naturally aligned. */
uint64_t mailbox_read(const struct mailbox *mailbox, uint64_t offset, unsigned int length);
void mailbox_write(struct mailbox *mailbox, uint64_t offset, unsigned int length, uint64_t value);
/* The payload area; nothing is written to it while a command runs. NULL where the range is not all in it. */
unsigned char *mailbox_payload(struct mailbox *mailbox, uint64_t offset, size_t length, bool is_write);
bool mailbox_wants_interrupt(const struct mailbox *mailbox);

#endif
