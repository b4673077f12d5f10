/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shares of adapters that have rates of their own: a page for each vAdapter on one, and who looks at whose. Pages hold nothing
 * that a worker does not say again within milliseconds, so the keeper has none: the next control process makes them anew, and
 * meanwhile the workers go on with those that they have.
 */
#include "control/supervisor/supervisor-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "link/channel.h"
#include "link/share.h"
#include "util.h"

struct sharing {
        char adapter[IOV_NAME_SIZE];
        struct share_page *page; /* any worker's own; only ever copied from here */
        int writer, reader;      /* descriptors of it */
        struct supervisor_file file;
        uint32_t weight;
        bool is_told;
        struct link_share told;
        uint64_t peers[LINK_PEERS_MAX]; /* instances, as told */
};

static const struct iov_adapter *adapter_of(const struct supervisor *s, const struct iov_vadapter *va) {
        return iov_model_get(s->events->model(s->userdata), IOV_KIND_ADAPTER, va->adapter);
}

struct sharing *sharing_free(struct sharing *h) {
        if (!h)
                return NULL;
        if (h->page)
                munmap(h->page, SHARE_PAGE_SIZE);
        close_fd(&h->writer);
        close_fd(&h->reader);
        free(h);
        return NULL;
}

/* Two descriptors of one page: the one that its worker gets can be written through, the one for the others cannot. They cannot
 * open it by name to get another (link/sandbox.c). */
static int sharing_new(struct sharing **ret_sharing) {
        struct sharing *h = calloc(1, sizeof(*h));
        void *page = NULL;
        char path[32];

        if (!h)
                return -ENOMEM;
        h->reader = -1;
        int r = shared_memory("iov-wants", SHARE_PAGE_SIZE, SHARE_PAGE_SIZE, &page, &h->writer);
        if (r < 0) {
                free(h);
                return r;
        }
        h->page = page;
        h->file = supervisor_file_of(h->writer);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", h->writer);
        h->reader = open(path, O_RDONLY | O_CLOEXEC);
        if (h->reader < 0) {
                r = -errno;
                sharing_free(h);
                return r;
        }
        *ret_sharing = h;
        return 0;
}

static uint32_t weight_of(const struct supervisor *s, const struct iov_vadapter *va) {
        const struct iov_qos *q = *va->qos ? iov_model_get(s->events->model(s->userdata), IOV_KIND_QOS, va->qos) : NULL;

        return q ? q->weight : IOV_WEIGHT_DEFAULT;
}

/* It takes part where its adapter has rates. */
static void take_part(struct supervisor *s, struct instance *i) {
        const struct iov_vadapter *va = iov_model_get(s->events->model(s->userdata), IOV_KIND_VADAPTER, i->vadapter);
        const struct iov_adapter *adapter = va ? adapter_of(s, va) : NULL;

        if (!adapter || (!adapter->iops && !adapter->bandwidth)) {
                i->sharing = sharing_free(i->sharing);
                return;
        }
        if (!i->sharing) {
                struct sharing *fresh = NULL;
                int r = sharing_new(&fresh);

                if (r < 0 || !fresh) {
                        journal_event(s->journal, LOG_WARNING, JOURNAL_NO_UID, i->vadapter,
                                      "it has no share of adapter %s, which nothing holds it to: %s", adapter->name,
                                      strerror(-r));
                        return;
                }
                i->sharing = fresh;
        }
        memcpy(i->sharing->adapter, adapter->name, sizeof(adapter->name));
        i->sharing->weight = weight_of(s, va);
}

static bool is_peer(const struct instance *i, const struct instance *other) {
        return other != i && other->sharing && !other->removing && strcmp(other->sharing->adapter, i->sharing->adapter) == 0;
}

/* As many of them as it looks at; *ret_rest: the weights of the others. */
static unsigned int peers_of(const struct supervisor *s, const struct instance *i, const struct instance *peers[LINK_PEERS_MAX],
                             uint32_t *ret_rest) {
        unsigned int n = 0;

        *ret_rest = 0;
        for (const struct instance *other = s->instances; other; other = other->next) {
                if (!is_peer(i, other))
                        continue;
                if (n < LINK_PEERS_MAX)
                        peers[n++] = other;
                else
                        *ret_rest += other->sharing->weight;
        }
        return n;
}

static void tell_share(struct supervisor *s, struct instance *i, const struct iov_adapter *adapter) {
        struct sharing *h = i->sharing;
        struct link_message m = {
                .type = LINK_SLOT_SHARE,
                .instance = i->number,
                .share = {.iops = adapter->iops, .bandwidth = adapter->bandwidth, .weight = h->weight},
        };
        const struct instance *peers[LINK_PEERS_MAX];
        uint64_t numbers[LINK_PEERS_MAX] = {0};
        int fds[1 + LINK_PEERS_MAX] = {h->writer};
        const unsigned int n = peers_of(s, i, peers, &m.share.rest);

        for (unsigned int k = 0; k < n; k++) {
                numbers[k] = peers[k]->number;
                m.share.weights[k] = peers[k]->sharing->weight;
                fds[1 + k] = peers[k]->sharing->reader;
        }
        m.share.n_peers = n;
        if (h->is_told && memcmp(&h->told, &m.share, sizeof(m.share)) == 0 && memcmp(h->peers, numbers, sizeof(numbers)) == 0)
                return;
        /* What cannot be sent now is sent with the next comparison. */
        if (link_send(i->process->channel, &m, fds, 1 + n) < 0)
                return;
        h->is_told = true;
        h->told = m.share;
        memcpy(h->peers, numbers, sizeof(numbers));
}

void supervisor_share(struct supervisor *s) {
        const struct iov_adapter *adapter;

        for (struct instance *i = s->instances; i; i = i->next)
                if (!i->removing)
                        take_part(s, i);
        for (struct instance *i = s->instances; i; i = i->next) {
                if (!i->sharing || i->removing || !i->process->pid)
                        continue;
                adapter = iov_model_get(s->events->model(s->userdata), IOV_KIND_ADAPTER, i->sharing->adapter);
                if (adapter)
                        tell_share(s, i, adapter);
        }
}

const struct supervisor_file *sharing_file(const struct sharing *h) {
        return h ? &h->file : NULL;
}

/* Computed here from what all have said, not asked of a worker. */
void instance_read_share(const struct supervisor *s, const struct instance *i, struct iov_counter *counter) {
        struct share_part parts[SHARE_RATES][LINK_PEERS_MAX];
        const struct instance *peers[LINK_PEERS_MAX];
        const uint64_t now = monotonic_ns();
        uint32_t rest = 0;

        if (!i->sharing)
                return;
        const unsigned int n = peers_of(s, i, peers, &rest);
        for (unsigned int k = 0; k < n; k++)
                for (unsigned int rate = 0; rate < SHARE_RATES; rate++)
                        parts[rate][k] = (struct share_part){peers[k]->sharing->weight,
                                                             share_wanted(peers[k]->sharing->page, (enum share_rate)rate, now)};
        const struct link_share *told = &i->sharing->told;
        counter->share_iops = share_compute(told->iops, i->sharing->weight, rest, parts[SHARE_OPERATIONS], n);
        counter->share_bandwidth = share_compute(told->bandwidth, i->sharing->weight, rest, parts[SHARE_BITS], n);
}
