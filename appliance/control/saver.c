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
#include "util.h"

struct saver {
        int directory, eventfd;
        struct loop_source *source;
        bool busy;
        pthread_t thread;
        struct saver_job job;
        int result; /* written by the thread before the eventfd, read after pthread_join() */
        void (*done)(void *userdata, int result);
        void *userdata;
};

static void job_free(struct saver_job *job) {
        free(job->bytes);
        free(job->expired);
        *job = (struct saver_job){0};
}

static int job_run(int directory, struct saver_job *job) {
        int r = job->run ? job->run(job->userdata) : 0;

        if (r < 0 || (!job->model && !job->name))
                return r;
        if (job->name)
                r = state_write_file(directory, job->name, job->bytes, job->size);
        else
                r = state_encode(job->model, job->info, &job->bytes, &job->size);
        if (r == 0 && !job->name)
                r = state_write(directory, job->bytes, job->size);
        if (r == 0)
                history_remove(directory, job->expired, job->n_expired);
        else if (job->undo)
                job->undo(job->userdata);
        return r;
}

static void *saver_thread(void *userdata) {
        struct saver *s = userdata;
        uint64_t one = 1;

        s->result = job_run(s->directory, &s->job);
        while (write(s->eventfd, &one, sizeof(one)) < 0 && errno == EINTR)
                ;
        return NULL;
}

static int saver_collect(struct saver *s) {
        pthread_join(s->thread, NULL);
        s->busy = false;
        job_free(&s->job);
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

int saver_start(struct saver *s, const struct saver_job *job, void (*done)(void *userdata, int result), void *userdata) {
        struct saver_job copy = *job;

        if (s->busy) {
                job_free(&copy);
                return -EBUSY;
        }
        s->job = copy;
        s->done = done;
        s->userdata = userdata;
        int r = pthread_create(&s->thread, NULL, saver_thread, s);
        if (r) {
                job_free(&s->job);
                return -r;
        }
        s->busy = true;
        return 0;
}
