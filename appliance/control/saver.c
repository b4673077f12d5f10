/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/saver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/history.h"
#include "control/state.h"
#include "util.h"

struct saver {
        int directory, eventfd;
        struct loop_source *source;
        bool busy;
        pthread_t thread;
        const char *name; /* NULL: the state */
        void *bytes;
        size_t size;
        uint64_t *expired;
        size_t n_expired;
        int (*run)(void *userdata); /* NULL: nothing precedes */
        void (*undo)(void *userdata);
        void *precedes;
        int result; /* written by the thread before the eventfd, read after pthread_join() */
        void (*done)(void *userdata, int result);
        void *userdata;
};

static void *saver_thread(void *userdata) {
        struct saver *s = userdata;
        uint64_t one = 1;

        s->result = s->run ? s->run(s->precedes) : 0;
        if (s->result == 0) {
                s->result = s->name ? state_write_file(s->directory, s->name, s->bytes, s->size)
                                    : state_write(s->directory, s->bytes, s->size);
                if (s->result < 0 && s->run)
                        s->undo(s->precedes);
        }
        if (s->result == 0)
                history_remove(s->directory, s->expired, s->n_expired);
        while (write(s->eventfd, &one, sizeof(one)) < 0 && errno == EINTR)
                ;
        return NULL;
}

static int saver_collect(struct saver *s) {
        pthread_join(s->thread, NULL);
        s->busy = false;
        s->run = NULL;
        free(TAKE_PTR(s->bytes));
        free(TAKE_PTR(s->expired));
        return s->result;
}

static void on_eventfd(void *userdata, int fd, uint32_t events) {
        struct saver *s = userdata;
        uint64_t n;

        if (read(fd, &n, sizeof(n)) != sizeof(n))
                return;
        s->done(s->userdata, saver_collect(s));
}

int saver_new(struct loop *loop, int directory, struct saver **ret_saver) {
        struct saver *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->directory = directory;
        s->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = s->eventfd < 0 ? -errno : loop_add_fd(loop, s->eventfd, POLLIN, on_eventfd, s, &s->source);
        if (r < 0) {
                saver_free(s);
                return r;
        }
        *ret_saver = s;
        return 0;
}

struct saver *saver_free(struct saver *s) {
        if (s) {
                if (s->busy)
                        saver_collect(s);
                loop_source_remove(s->source);
                close_fd(&s->eventfd);
                free(s);
        }
        return NULL;
}

void saver_precede(struct saver *s, int (*run)(void *userdata), void (*undo)(void *userdata), void *userdata) {
        s->run = run;
        s->undo = undo;
        s->precedes = userdata;
}

int saver_start(struct saver *s, const char *name, void *bytes, size_t size, uint64_t *expired, size_t n_expired,
                void (*done)(void *userdata, int result), void *userdata) {
        if (s->busy) {
                free(bytes);
                free(expired);
                return -EBUSY;
        }
        s->name = name;
        s->bytes = bytes;
        s->size = size;
        s->expired = expired;
        s->n_expired = n_expired;
        s->done = done;
        s->userdata = userdata;
        int r = pthread_create(&s->thread, NULL, saver_thread, s);
        if (r) {
                s->run = NULL;
                free(TAKE_PTR(s->bytes));
                free(TAKE_PTR(s->expired));
                return -r;
        }
        s->busy = true;
        return 0;
}
