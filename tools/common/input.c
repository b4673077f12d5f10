/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tools/common/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/tool.h"
#include "util.h"

#define INPUT_MAX ((size_t)64 << 20)

const char *input_name(const char *file) {
        return strcmp(file, "-") == 0 ? "<stdin>" : file;
}

int input_read(const char *file, char **ret_text, size_t *ret_length) {
        CLEANUP_CLOSE int fd = strcmp(file, "-") == 0 ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
        CLEANUP_FREE char *text = NULL;
        size_t length = 0, allocated = 0;

        if (fd < 0)
                return -errno;
        for (;;) {
                if (length + 1 >= allocated) {
                        allocated = allocated ? allocated * 2 : 65536;
                        text = xrealloc(text, allocated, 1);
                }
                ssize_t n = read(fd, text + length, allocated - length - 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                length += (size_t)n;
                if (length > INPUT_MAX)
                        return -EFBIG;
        }
        text[length] = 0;
        *ret_text = TAKE_PTR(text);
        *ret_length = length;
        return 0;
}
