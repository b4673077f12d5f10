/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only one iovd may have at a time. */
#ifndef IOV_LOCK_H
#define IOV_LOCK_H

/* Take flock(2) on a file or directory for as long as it is open. -EBUSY: another has it, even after `wait_ms`. */
int lock_wait(int fd, unsigned int wait_ms);

#endif
