/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/store/appliance-id.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>
#include <unistd.h>

#include "context.h"
#include "util.h"

#define TEXT_SIZE (2 * APPLIANCE_ID_SIZE + 1) /* digits and a newline */

static int digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_id(int directory, uint8_t id[APPLIANCE_ID_SIZE]) {
        CLEANUP_CLOSE int fd = openat(directory, "id", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        char text[TEXT_SIZE];

        if (fd < 0)
                return -errno;
        ssize_t n = pread(fd, text, sizeof(text), 0);
        if (n < 0)
                return -errno;
        if (n != TEXT_SIZE || text[TEXT_SIZE - 1] != '\n')
                return -EBADMSG;
        for (unsigned int i = 0; i < APPLIANCE_ID_SIZE; i++) {
                int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EBADMSG;
                id[i] = (uint8_t)(high << 4 | low);
        }
        return 0;
}

/* Whole or not at all, and durable before anybody is told. */
static int make_id(int directory, uint8_t id[APPLIANCE_ID_SIZE]) {
        char text[TEXT_SIZE + 1];

        if (getrandom(id, APPLIANCE_ID_SIZE, 0) != APPLIANCE_ID_SIZE)
                return -EIO;
        for (unsigned int i = 0; i < APPLIANCE_ID_SIZE; i++)
                snprintf(text + 2 * (size_t)i, 3, "%02x", id[i]);
        text[TEXT_SIZE - 1] = '\n';
        CLEANUP_CLOSE int fd = openat(directory, "id.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        errno = EIO;
        if (write(fd, text, TEXT_SIZE) != TEXT_SIZE || fsync(fd) < 0 || renameat(directory, "id.new", directory, "id") < 0 ||
            fsync(directory) < 0) {
                int r = -errno;
                unlinkat(directory, "id.new", 0);
                return r;
        }
        return 0;
}

void appliance_id_load(struct iov_ctx *ctx, int state_directory, uint8_t ret_id[APPLIANCE_ID_SIZE]) {
        int r = read_id(state_directory, ret_id);

        if (r == -ENOENT)
                r = make_id(state_directory, ret_id);
        if (r == 0)
                return;
        memset(ret_id, 0, APPLIANCE_ID_SIZE);
        iov_log(ctx, LOG_WARNING, "the state directory's file id %s: %s; saved plans cannot tell this appliance from another",
                r == -EBADMSG ? "is damaged" : "cannot be read or made",
                r == -EBADMSG ? "remove it to have a new one" : strerror(-r));
}
