/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_LINK_WORKER_H
#define IOV_LINK_WORKER_H

#include <stdbool.h>

/* The life of a link: serve the slots that the control process hands over on LINK_CHANNEL_FD, until that closes. Returns the exit
 * status. `mark` is the argument "--worker" in the command line, see escrow.h. `has_nbd`: it may get media on NBD servers. */
int link_worker_main(char *mark, bool has_nbd);

#endif
