/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a change set going in running servers: followed until it has come about, has failed, or the time is over. */
#ifndef IOV_TOOLS_WAIT_H
#define IOV_TOOLS_WAIT_H

#include "tools/common/session.h"

extern bool arg_wait;
extern double arg_timeout;
/* clang-format off */
#define OPTION_WAIT    {"wait", 'w', VALUE_FLAG, NULL, &arg_wait, "wait until each vAdapter is driven, where its server runs and the link is up"}
#define OPTION_TIMEOUT {"timeout", 't', VALUE_TIMEOUT, "SECONDS", &arg_timeout, "how long to wait for a guest, 0: not at all; default 60"}
/* clang-format on */

/*
 * Which vAdapters are waited for: the one of that name, those of that profile, those that `want` has; all of these that are not
 * NULL count. Nobody else's are.
 */
struct wait_scope {
        const char *vadapter, *profile;
        const struct iov_model *want;
        struct iov_appliance *appliance; /* that is looked at; NULL: it is opened for each look */
        /* Judges each look besides: STATUS_DONE, or what the waiting ends with. May be NULL. */
        int (*look)(struct tool *tool, void *userdata, const struct basis *basis);
        void *userdata;
};

/* Whether something is still on its way; 0 or -errno. */
int wait_is_needed(const struct wait_scope *scope, const struct basis *basis, bool *ret_needed);
/*
 * Wait until nothing is, --timeout at most: what was detached is no longer with its server; what was attached can be connected
 * to, and with --wait is driven, where its server runs. Tells meanwhile how far it is. What has failed, or is not there in time,
 * is reported, and STATUS_PARTLY is returned: what was asked for is kept all the same.
 */
int wait_until_there(struct tool *tool, const struct wait_scope *scope);

#endif
