/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/keeper/spawn.h"

#include <spawn.h>

extern char **environ;

int process_spawn(const char *path, char *const argv[], int fd, int as_fd, const sigset_t *blocked, pid_t *ret_pid) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        int r = posix_spawn_file_actions_init(&actions);

        if (r)
                return -r;
        r = posix_spawnattr_init(&attributes);
        if (r) {
                posix_spawn_file_actions_destroy(&actions);
                return -r;
        }
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&attributes, blocked ? blocked : &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        /* dup2 to itself clears close-on-exec too, by POSIX.1-2024. */
        r = posix_spawn_file_actions_adddup2(&actions, fd, as_fd);
        if (!r)
                r = posix_spawn(ret_pid, path, &actions, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        return -r;
}
