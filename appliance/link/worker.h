/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_LINK_WORKER_H
#define IOV_LINK_WORKER_H

/* The life of a worker: serve the slots that the control process hands over on LINK_CHANNEL_FD, until that closes. Returns the
 * exit status. */
int link_worker_main(void);

#endif
