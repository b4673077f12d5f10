/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/store/saver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control/store/history.h"
#include "util.h"

struct saver {
        int directory, eventfd;
        struct loop_source *source;
        bool busy, has_thread;
        pthread_t thread;
        sem_t go; /* there is a job, or the saver ends */
        bool is_ending;
        struct saver_job job;
        int result; /* written by the thread before the eventfd, read after it */
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

        for (;;) {
                while (sem_wait(&s->go) < 0 && errno == EINTR)
                        ;
                if (s->is_ending)
                        return NULL;
                s->result = job_run(s->directory, &s->job);
                while (write(s->eventfd, &one, sizeof(one)) < 0 && errno == EINTR)
                        ;
        }
}

static int saver_collect(struct saver *s) {
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
        sem_init(&s->go, 0, 0);
        s->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = s->eventfd < 0 ? -errno : loop_add_fd(loop, s->eventfd, POLLIN, on_eventfd, s, &s->source);
        if (r < 0) {
                saver_free(s);
                return r;
        }
        *ret_saver = s;
        return 0;
}

/* Until what is being written is. */
static void saver_wait(const struct saver *s) {
        struct pollfd p = {s->eventfd, POLLIN, 0};

        while (poll(&p, 1, -1) < 0 && errno == EINTR)
                ;
}

struct saver *saver_free(struct saver *s) {
        if (s) {
                if (s->busy) {
                        saver_wait(s);
                        saver_collect(s);
                }
                if (s->has_thread) {
                        s->is_ending = true;
                        sem_post(&s->go);
                        pthread_join(s->thread, NULL);
                }
                loop_source_remove(s->source);
                close_fd(&s->eventfd);
                sem_destroy(&s->go);
                free(s);
        }
        return NULL;
}

int saver_start(struct saver *s, const struct saver_job *job, void (*done)(void *userdata, int result), void *userdata) {
        struct saver_job copy = *job;
        int r = s->busy ? EBUSY : s->has_thread ? 0 : pthread_create(&s->thread, NULL, saver_thread, s);

        if (r) {
                job_free(&copy);
                return -r;
        }
        s->has_thread = true;
        s->job = copy;
        s->done = done;
        s->userdata = userdata;
        s->busy = true;
        sem_post(&s->go);
        return 0;
}
