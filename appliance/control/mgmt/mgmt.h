/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The management function: the register map as a PCI function. Every connection has a function of its own, with its own mailbox,
 * over the same appliance; so tools do not get in each other's way.
 */
#ifndef IOV_CONTROL_MGMT_H
#define IOV_CONTROL_MGMT_H

#include "control/control.h"

struct mgmt;

/* Serve connections on RUN/mgmt.sock. */
int mgmt_listen(struct control *control, const char *run_directory, struct mgmt **ret_mgmt);
/* Serve one connected socket (taken over); the loop is stopped when it closes. */
int mgmt_serve(struct control *control, int fd, struct mgmt **ret_mgmt);
/* Closes everything. Takes NULL. */
struct mgmt *mgmt_free(struct mgmt *mgmt);

#endif
