/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `kind: topology`: functions for its table of keys. */
#ifndef IOV_TOPOLOGY_READ_H
#define IOV_TOPOLOGY_READ_H

#include "reader.h"

#define TOPOLOGY_LAST_SLOT 65535 /* whether the chassis has it, the appliance says */

int topology_read_vadapters(struct reader *r, const struct key *key, void *object);
int topology_read_profiles(struct reader *r, const struct key *key, void *object);
int topology_read_identities(struct reader *r, const struct key *key, void *object);

/* The identities of a struct iov_vadapter. */
int topology_read_persona(struct reader *r, const struct key *key, void *object);

#endif
