/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/user.h"

#include <pwd.h>

#include "tools/common/tool.h"
#include "util.h"

void put_user(struct table *t, uint32_t uid) {
        const struct passwd *user = uid == IOV_UID_APPLIANCE ? NULL : getpwuid(uid);

        if (uid == IOV_UID_APPLIANCE) {
                put_text(t, "iovd");
        } else if (user) {
                put_text(t, user->pw_name);
        } else {
                CLEANUP_FREE char *number = xasprintf("%u", uid);

                put_text(t, number);
        }
}
