/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/store/lock.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

int lock_wait(int fd, unsigned int wait_ms) {
        for (unsigned int waited = 0;; waited += 5) {
                if (flock(fd, LOCK_EX | LOCK_NB) == 0)
                        return 0;
                if (errno != EWOULDBLOCK)
                        return -errno;
                if (waited >= wait_ms)
                        return -EBUSY;
                nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        }
}
