/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link/qos.h"

#include <errno.h>

#include "util.h"

#define NSEC_PER_SEC UINT64_C(1000000000)
#define WAIT_MIN_NS UINT64_C(200000) /* far less than any burst, so that no rate suffers */

/*
 * A bucket is one number: the time at which all that was taken would have been earned (the generic cell rate algorithm of ITU-T
 * I.371). A request may go while that is not further ahead than the burst; what it costs moves it on.
 */
struct bucket {
        uint64_t rate; /* units a second, 0: no limit */
        uint64_t earned, burst_ns;
};

struct queue {
        struct vpc_io *first, **end;
        struct bucket operations;
};

enum { QUEUE_READ, QUEUE_WRITE, QUEUES };

struct qos {
        void (*start)(void *userdata, unsigned int medium, struct vpc_io *io);
        void *userdata;
        struct loop_source *timer;
        struct queue queues[QUEUES];
        struct bucket bits;  /* of both */
        struct share *share; /* NULL: none */
        struct bucket shares[SHARE_RATES];
        bool is_capped;
        uint64_t now; /* when qos_ready() has looked */
};

/* How long until something can be taken; 0: now. */
static uint64_t bucket_wait(const struct bucket *b, uint64_t now) {
        return b->rate && b->earned > now + b->burst_ns ? b->earned - now - b->burst_ns : 0;
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

static uint64_t larger(uint64_t a, uint64_t b) {
        return a > b ? a : b;
}

/* How long the share makes them wait, which the others on the adapter are to know. */
static uint64_t share_wait(struct qos *qos, uint64_t now) {
        uint64_t wait = 0;

        for (unsigned int i = 0; i < SHARE_RATES; i++) {
                const uint64_t ns = bucket_wait(&qos->shares[i], now);

                if (ns)
                        share_waits(qos->share, (enum share_rate)i, now);
                wait = larger(wait, ns);
        }
        return wait;
}

static uint64_t queue_wait(struct qos *qos, const struct queue *q, uint64_t now) {
        uint64_t wait = larger(bucket_wait(&q->operations, now), bucket_wait(&qos->bits, now));

        /* It waits for its share only where it could go but for that. */
        return wait || !qos->share ? wait : share_wait(qos, now);
}

static void share_take(struct qos *qos, enum share_rate rate, uint64_t units, uint64_t now) {
        bucket_take(&qos->shares[rate], units, now);
        share_used(qos->share, rate, units);
}

static void take(struct qos *qos, struct queue *q, const struct vpc_io *io, uint64_t now) {
        bucket_take(&q->operations, 1, now);
        bucket_take(&qos->bits, bits_of(io), now);
        if (!qos->share)
                return;
        share_take(qos, SHARE_OPERATIONS, 1, now);
        share_take(qos, SHARE_BITS, bits_of(io), now);
}

/* What is owed beyond the burst stays owed, but is earned faster where there is more to be had. */
static void share_set(struct bucket *b, uint64_t rate, uint64_t now) {
        const uint64_t owed = bucket_wait(b, now);

        if (owed && rate > b->rate)
                b->earned = now + b->burst_ns + (uint64_t)((unsigned __int128)owed * b->rate / rate);
        b->rate = rate;
}

/* What others want may have changed. */
static void look(struct qos *qos, uint64_t now) {
        if (!qos->share || !share_look(qos->share, now))
                return;
        for (unsigned int i = 0; i < SHARE_RATES; i++)
                share_set(&qos->shares[i], share_get(qos->share, (enum share_rate)i), now);
}

static void start_first(struct qos *qos, struct queue *q, uint64_t now) {
        struct vpc_io *io = q->first;

        q->first = io->private.next;
        if (!q->first)
                q->end = &q->first;
        take(qos, q, io, now);
        io->waited_ns = now - io->private.progress;
        qos->start(qos->userdata, io->private.way, io);
}

/* Start what may go; the timer is for the first that may not. Reads and writes in turn, so that neither has all the bytes. */
static void run(struct qos *qos) {
        uint64_t now = monotonic_ns(), wait = UINT64_MAX;
        bool progress = true;

        look(qos, now);
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
        /* Who waits for a share must go on saying so, and see when others want less. */
        if (qos->share && wait != UINT64_MAX && wait > SHARE_PERIOD_NS)
                wait = SHARE_PERIOD_NS;
        /* Not for each request by itself: those that could have gone meanwhile go together. */
        if (wait < WAIT_MIN_NS)
                wait = WAIT_MIN_NS;
        loop_timer_set(qos->timer, wait);
}

static void on_timer(void *userdata) {
        run(userdata);
}

int qos_new(struct loop *loop, void (*start)(void *userdata, unsigned int medium, struct vpc_io *io), void *userdata,
            struct qos **ret_qos) {
        struct qos *qos = calloc(1, sizeof(*qos));
        int r = 0;

        if (!qos)
                return -ENOMEM;
        *qos = (struct qos){.start = start, .userdata = userdata, .bits.burst_ns = QOS_BURST_NS};
        for (unsigned int i = 0; i < QUEUES; i++)
                qos->queues[i] = (struct queue){.end = &qos->queues[i].first, .operations.burst_ns = QOS_BURST_NS};
        for (unsigned int i = 0; i < SHARE_RATES; i++)
                qos->shares[i].burst_ns = QOS_SHARE_BURST_NS;
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
        share_free(qos->share);
        free(qos);
}

/* What is owed stays owed, but not longer than a burst of the new rate. */
static void bucket_set(struct bucket *b, uint64_t rate, uint64_t now) {
        b->rate = rate;
        if (b->earned > now + b->burst_ns)
                b->earned = now + b->burst_ns;
}

void qos_set(struct qos *qos, const struct link_limits *limits) {
        uint64_t now = monotonic_ns();

        bucket_set(&qos->queues[QUEUE_READ].operations, limits->read_iops, now);
        bucket_set(&qos->queues[QUEUE_WRITE].operations, limits->write_iops, now);
        bucket_set(&qos->bits, limits->bandwidth, now);
        qos->is_capped = limits->read_iops || limits->write_iops || limits->bandwidth;
        if (qos->queues[QUEUE_READ].first || qos->queues[QUEUE_WRITE].first)
                run(qos);
}

void qos_set_share(struct qos *qos, struct share *share) {
        uint64_t now = monotonic_ns();

        share_free(qos->share);
        qos->share = share;
        for (unsigned int i = 0; i < SHARE_RATES; i++)
                bucket_set(&qos->shares[i], share ? share_get(share, (enum share_rate)i) : 0, now);
        if (qos->queues[QUEUE_READ].first || qos->queues[QUEUE_WRITE].first)
                run(qos);
}

static bool is_limited(const struct qos *qos, const struct vpc_io *io) {
        return (qos->is_capped || qos->share) && io->op != VPC_IO_FLUSH;
}

bool qos_ready(struct qos *qos, const struct vpc_io *io) {
        struct queue *q = queue_of(qos, io);

        if (!is_limited(qos, io))
                return true;
        qos->now = monotonic_ns();
        look(qos, qos->now);
        return !q->first && !queue_wait(qos, q, qos->now);
}

void qos_charge(struct qos *qos, const struct vpc_io *io) {
        if (is_limited(qos, io))
                take(qos, queue_of(qos, io), io, qos->now);
}

void qos_submit(struct qos *qos, unsigned int medium, struct vpc_io *io) {
        struct queue *q = queue_of(qos, io);
        bool is_first = !q->first;

        /* Where limits were taken away, some may still wait: none overtakes them. */
        if (io->op == VPC_IO_FLUSH || (is_first && qos_ready(qos, io))) {
                qos_charge(qos, io);
                qos->start(qos->userdata, medium, io);
                return;
        }
        io->private.way = medium;
        io->private.progress = monotonic_ns();
        io->private.next = NULL;
        *q->end = io;
        q->end = &io->private.next;
        if (is_first)
                run(qos);
}

void qos_hurry(struct qos *qos) {
        uint64_t now = monotonic_ns();

        for (unsigned int i = 0; i < QUEUES; i++)
                while (qos->queues[i].first)
                        start_first(qos, &qos->queues[i], now);
        loop_timer_set(qos->timer, UINT64_MAX);
}
