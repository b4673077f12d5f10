/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/mgmt/access.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util.h"

int access_parse_group(const char *text, gid_t *ret_group) {
        const struct group *group = getgrnam(text);
        char *end = NULL;
        unsigned long number = 0;

        if (group) {
                *ret_group = group->gr_gid;
                return 0;
        }
        errno = 0;
        number = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || errno || number >= ACCESS_NO_GROUP)
                return -EINVAL;
        *ret_group = (gid_t)number;
        return 0;
}

static bool is_one_of(gid_t group, const gid_t *groups, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (groups[i] == group)
                        return true;
        return false;
}

/* The supplementary groups, of which there may be 65536; none where the kernel does not tell. */
static gid_t *groups_of(int socket, size_t *ret_n) {
        socklen_t size = 0;
        gid_t *groups = NULL;

        *ret_n = 0;
        if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
                return NULL;
        groups = malloc(size);
        if (groups && getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0)
                *ret_n = size / sizeof(*groups);
        return groups;
}

enum access access_of_peer(int socket, gid_t read_group, uid_t *ret_uid) {
        struct ucred peer = {.uid = (uid_t)-1, .gid = (gid_t)-1};
        socklen_t size = sizeof(peer);
        size_t n = 0;

        *ret_uid = (uid_t)-1;
        if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return ACCESS_NONE;
        *ret_uid = peer.uid;
        if (peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid())
                return ACCESS_CHANGE;
        CLEANUP_FREE gid_t *groups = groups_of(socket, &n);
        if (is_one_of(getegid(), groups, n))
                return ACCESS_CHANGE;
        if (read_group != ACCESS_NO_GROUP && (peer.gid == read_group || is_one_of(read_group, groups, n)))
                return ACCESS_READ;
        return ACCESS_NONE;
}
