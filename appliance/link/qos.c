/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/qos.h"

#include <errno.h>
#include <time.h>

#include "util.h"
#include "vpc/counters.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

/*
 * A bucket is one number: the time at which all that was taken would have been earned (the generic cell rate algorithm of ITU-T
 * I.371). A request may go while that is not further ahead than the burst; what it costs moves it on.
 */
struct bucket {
        uint64_t rate; /* units a second, 0: no limit */
        uint64_t earned;
};

struct queue {
        struct vpc_io *first, **end;
        struct bucket operations;
};

enum { QUEUE_READ, QUEUE_WRITE, QUEUES };

struct qos {
        void (*start)(void *userdata, unsigned int medium, struct vpc_io *io);
        void *userdata;
        uint64_t *waited_ns;
        struct loop_source *timer;
        struct queue queues[QUEUES];
        struct bucket bits; /* of both */
        bool is_limited;
};

static uint64_t now_ns(void) {
        struct timespec t = {0};

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

/* How long until something can be taken; 0: now. */
static uint64_t bucket_wait(const struct bucket *b, uint64_t now) {
        return b->rate && b->earned > now + QOS_BURST_NS ? b->earned - now - QOS_BURST_NS : 0;
}

static void bucket_take(struct bucket *b, uint64_t units, uint64_t now) {
        if (!b->rate)
                return;
        if (b->earned < now)
                b->earned = now;
        b->earned += (uint64_t)((unsigned __int128)units * NSEC_PER_SEC / b->rate);
}

static struct queue *queue_of(struct qos *qos, const struct vpc_io *io) {
        return &qos->queues[io->op == VPC_IO_READ ? QUEUE_READ : QUEUE_WRITE];
}

/* What clears blocks writes none of them: its bytes are not counted. */
static uint64_t bits_of(const struct vpc_io *io) {
        return io->op == VPC_IO_READ || io->op == VPC_IO_WRITE ? io->length * 8 : 0;
}

static uint64_t queue_wait(const struct qos *qos, const struct queue *q, uint64_t now) {
        uint64_t operations = bucket_wait(&q->operations, now), bits = bucket_wait(&qos->bits, now);

        return operations > bits ? operations : bits;
}

static void take(struct qos *qos, struct queue *q, const struct vpc_io *io, uint64_t now) {
        bucket_take(&q->operations, 1, now);
        bucket_take(&qos->bits, bits_of(io), now);
}

static void start_first(struct qos *qos, struct queue *q, uint64_t now) {
        struct vpc_io *io = q->first;

        q->first = io->private.next;
        if (!q->first)
                q->end = &q->first;
        take(qos, q, io, now);
        counter_add(qos->waited_ns, now - io->private.progress);
        qos->start(qos->userdata, io->private.way, io);
}

/* Start what may go; the timer is for the first that may not. Reads and writes in turn, so that neither has all the bytes. */
static void run(struct qos *qos) {
        uint64_t now = now_ns(), wait = UINT64_MAX;
        bool progress = true;

        while (progress) {
                progress = false;
                wait = UINT64_MAX;
                for (unsigned int i = 0; i < QUEUES; i++) {
                        struct queue *q = &qos->queues[i];
                        uint64_t ns = q->first ? queue_wait(qos, q, now) : UINT64_MAX;

                        if (ns == 0) {
                                start_first(qos, q, now);
                                progress = true;
                        } else if (ns < wait) {
                                wait = ns;
                        }
                }
        }
        loop_timer_set(qos->timer, wait);
}

static void on_timer(void *userdata) {
        run(userdata);
}

int qos_new(struct loop *loop, void (*start)(void *userdata, unsigned int medium, struct vpc_io *io), void *userdata,
            uint64_t *waited_ns, struct qos **ret_qos) {
        struct qos *qos = calloc(1, sizeof(*qos));
        int r = 0;

        if (!qos)
                return -ENOMEM;
        *qos = (struct qos){.start = start, .userdata = userdata, .waited_ns = waited_ns};
        for (unsigned int i = 0; i < QUEUES; i++)
                qos->queues[i].end = &qos->queues[i].first;
        r = loop_add_timer(loop, UINT64_MAX, on_timer, qos, &qos->timer);
        if (r < 0) {
                free(qos);
                return r;
        }
        *ret_qos = qos;
        return 0;
}

void qos_free(struct qos *qos) {
        if (!qos)
                return;
        loop_source_remove(qos->timer);
        free(qos);
}

/* What is owed stays owed, but not longer than a burst of the new rate. */
static void bucket_set(struct bucket *b, uint64_t rate, uint64_t now) {
        b->rate = rate;
        if (b->earned > now + QOS_BURST_NS)
                b->earned = now + QOS_BURST_NS;
}

void qos_set(struct qos *qos, const struct link_limits *limits) {
        uint64_t now = now_ns();

        bucket_set(&qos->queues[QUEUE_READ].operations, limits->read_iops, now);
        bucket_set(&qos->queues[QUEUE_WRITE].operations, limits->write_iops, now);
        bucket_set(&qos->bits, limits->bandwidth, now);
        qos->is_limited = limits->read_iops || limits->write_iops || limits->bandwidth;
        if (qos->queues[QUEUE_READ].first || qos->queues[QUEUE_WRITE].first)
                run(qos);
}

bool qos_is_limited(const struct qos *qos) {
        return qos->is_limited;
}

bool qos_take(struct qos *qos, const struct vpc_io *io) {
        struct queue *q = queue_of(qos, io);
        uint64_t now = 0;

        if (!qos->is_limited || io->op == VPC_IO_FLUSH)
                return true;
        now = now_ns();
        if (q->first || queue_wait(qos, q, now))
                return false;
        take(qos, q, io, now);
        return true;
}

void qos_submit(struct qos *qos, unsigned int medium, struct vpc_io *io) {
        struct queue *q = queue_of(qos, io);
        bool is_first = !q->first;

        /* Where limits were taken away, some may still wait: none overtakes them. */
        if (io->op == VPC_IO_FLUSH || (is_first && qos_take(qos, io))) {
                qos->start(qos->userdata, medium, io);
                return;
        }
        io->private.way = medium;
        io->private.progress = now_ns();
        io->private.next = NULL;
        *q->end = io;
        q->end = &io->private.next;
        if (is_first)
                run(qos);
}

void qos_hurry(struct qos *qos) {
        uint64_t now = now_ns();

        for (unsigned int i = 0; i < QUEUES; i++)
                while (qos->queues[i].first)
                        start_first(qos, &qos->queues[i], now);
        loop_timer_set(qos->timer, UINT64_MAX);
}
