/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A management function for tests of the transports: two BARs of memory, a mailbox, and lies on demand. */
#ifndef FAKE_APPLIANCE_H
#define FAKE_APPLIANCE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "iov/registers.h"

enum fake_lie {
        FAKE_TRUTH,
        FAKE_WRONG_ID,
        FAKE_WRONG_COMMAND,
        FAKE_NOT_A_REPLY,
        FAKE_TOO_SHORT,  /* one byte of payload less */
        FAKE_TOO_LONG,   /* one byte of payload more */
        FAKE_HUGE,       /* a size of 2 GiB */
        FAKE_TINY,       /* a size smaller than the header */
        FAKE_WRONG_ECHO, /* the first 16 bytes of the payload are not what was asked for */
        FAKE_TWICE,      /* the reply, and the reply again */
        FAKE_ERROR,      /* an error reply: ENOSPC */
        FAKE_ERROR_ZERO, /* an error reply without an errno */
        FAKE_CLOSE,
        FAKE_CLOSE_HALFWAY,
        FAKE_HANG,
        FAKE_HANG_HALFWAY,
        FAKE_DRIP, /* a byte every 20 ms */
        FAKE_FDS,  /* descriptors that nobody asked for */
};

struct fake {
        unsigned char *bar0, *bar2;
        int bar2_fd;
        bool map, sealed;
        const char *capabilities; /* of VERSION, NULL: none */
        uint16_t major, minor;
        uint32_t device_flags, n_regions;
        unsigned char region_caps[256]; /* behind the region info of BAR2 */
        size_t region_caps_size;
        uint32_t region_cap_offset;
        /* `lie` in the reply to the `lie_at`th (from 0) message that is a `lie_command` */
        enum fake_lie lie;
        unsigned int lie_command, lie_at;
        unsigned int n_reads, n_writes, n_messages;
        /* doorbell: clear after that many looks */
        unsigned int doorbell_looks;
        /* called for a command; fills in the reply in `payload` and its length, returns the return code */
        unsigned int (*command)(struct fake *fake, unsigned int opcode, unsigned char *payload, size_t *length);
        /* called before each read of BAR2 */
        void (*before_table_read)(struct fake *fake, uint64_t offset);
        unsigned int counter; /* for these */
        /* of the thread */
        int fd;
        pthread_t thread;
};

/* A correct appliance with empty tables. */
void fake_init(struct fake *fake);
void fake_free(struct fake *fake);
/* The tables' directory, and a record in a row (grows `rows`). */
struct iov_table *fake_directory(struct fake *fake);
void *fake_row(struct fake *fake, enum iov_kind kind, unsigned int row);
/* Serve a connection until it ends. */
void fake_serve(struct fake *fake, int fd);
/* The same in a thread; `fd` is closed at its end. */
void fake_start(struct fake *fake, int fd);
void fake_join(struct fake *fake);

#endif
