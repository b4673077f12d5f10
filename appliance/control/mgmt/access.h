/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may do what over the management socket, by the credentials that the kernel has of the peer: root, iovd's own user and the
 * members of its group may change things; members of the read group may look; nobody else gets an answer.
 */
#ifndef IOV_CONTROL_ACCESS_H
#define IOV_CONTROL_ACCESS_H

#include <sys/types.h>

#define ACCESS_NO_GROUP ((gid_t)-1)

enum access { ACCESS_NONE, ACCESS_READ, ACCESS_CHANGE };

/* A group by name or number. -EINVAL: there is none. */
int access_parse_group(const char *text, gid_t *ret_group);
enum access access_of_peer(int socket, gid_t read_group, uid_t *ret_uid);

#endif
