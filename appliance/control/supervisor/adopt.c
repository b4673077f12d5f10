/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the keeper has of links and instances, and taking over from a control process that is gone. */
#include "control/supervisor/supervisor-private.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>

#include "link/channel.h"
#include "util.h"
#include "vpc/function.h"

#define KEPT_KIND (UINT64_C(3) << 62)
#define KEPT_VERSION 4

struct kept_link {
        uint32_t version;
        int32_t pid;
        char server[IOV_NAME_SIZE];
};

struct kept_instance {
        uint32_t version, slot;
        uint32_t interrupts, pinned;
        uint64_t number, link, image_size;
        struct link_limits limits;
        char vadapter[IOV_NAME_SIZE], server[IOV_NAME_SIZE];
        char socket[108];
        uint32_t persona_size, reserved;
        struct vpc_persona persona; /* most of it is zero at its end, which is not kept: so many bytes are */
        /* Behind those: the files of its media. */
};

#define KEPT_INSTANCE_LEAST offsetof(struct kept_instance, persona)
#define KEPT_INSTANCE_MOST (sizeof(struct kept_instance) + VPC_MEDIA_MAX * sizeof(struct supervisor_file))
_Static_assert(KEPT_INSTANCE_MOST <= KEEPER_NOTE_MAX && KEPT_INSTANCE_LEAST % sizeof(uint64_t) == 0, "a note to an instance");

int process_keep(struct supervisor *s, const struct process *p) {
        struct kept_link kept = {.version = KEPT_VERSION, .pid = p->pid};

        memcpy(kept.server, p->server, sizeof(kept.server));
        return keeping_store(s->keeping, p->key, &kept, sizeof(kept), (const int[]){p->pidfd, p->channel}, 2);
}

/* Before the worker is told: what it holds, the next control process must know of. */
int instance_keep(struct supervisor *s, const struct instance *i, const int *fds) {
        struct kept_instance kept = {.version = KEPT_VERSION,
                                     .slot = i->slot,
                                     .number = i->number,
                                     .link = i->process->key,
                                     .image_size = i->image_size,
                                     .interrupts = i->interrupts,
                                     .pinned = i->pinned,
                                     .persona = i->persona,
                                     .limits = i->limits};
        unsigned char note[KEPT_INSTANCE_MOST];

        memcpy(kept.vadapter, i->vadapter, sizeof(kept.vadapter));
        memcpy(kept.server, i->server, sizeof(kept.server));
        memcpy(kept.socket, i->socket, sizeof(kept.socket));
        const size_t used = record_used(&kept, sizeof(kept), KEPT_INSTANCE_LEAST);
        const size_t files = i->persona.n_media * sizeof(*i->media_files);
        kept.persona_size = (uint32_t)(used - KEPT_INSTANCE_LEAST);
        memcpy(note, &kept, used);
        memcpy(note + used, i->media_files, files);
        if (fds)
                return keeping_store(s->keeping, KEPT_INSTANCE | i->number, note, used + files, fds, 2);
        return keeping_note(s->keeping, KEPT_INSTANCE | i->number, note, used + files);
}

/* *ret_files, which the caller frees, has room for one at least. */
static int instance_read(const struct keeping_record *r, struct kept_instance *ret_kept, struct supervisor_file **ret_files) {
        const unsigned char *note = r->note;
        struct kept_instance *k = ret_kept;

        memset(k, 0, sizeof(*k));
        if (r->size < KEPT_INSTANCE_LEAST || r->n_fds != 2)
                return -EBADMSG;
        memcpy(k, note, KEPT_INSTANCE_LEAST);
        const size_t rest = r->size - KEPT_INSTANCE_LEAST;
        if (k->version != KEPT_VERSION || k->persona_size > rest || k->persona_size > sizeof(k->persona))
                return -EBADMSG;
        memcpy(&k->persona, note + KEPT_INSTANCE_LEAST, k->persona_size);
        const size_t files = k->persona.n_media * sizeof(**ret_files);
        if (k->persona.n_media > VPC_MEDIA_MAX || files != rest - k->persona_size)
                return -EBADMSG;
        *ret_files = calloc(k->persona.n_media + 1u, sizeof(**ret_files));
        if (!*ret_files)
                return -ENOMEM;
        memcpy(*ret_files, note + KEPT_INSTANCE_LEAST + k->persona_size, files);
        return 0;
}

static bool is_text(const char *field, size_t size) {
        return memchr(field, 0, size);
}

/* What was kept may come out of a service manager's store, from another version or from somebody else. */
static bool is_sane(const struct kept_instance *kept, const struct keeping_record *r) {
        struct stat image, shared;

        return is_text(kept->vadapter, sizeof(kept->vadapter)) && is_text(kept->server, sizeof(kept->server)) &&
               is_text(kept->socket, sizeof(kept->socket)) && fstat(r->fds[0], &image) == 0 &&
               kept->image_size >= VPC_CONFIG_SIZE && (uint64_t)image.st_size == kept->image_size &&
               fstat(r->fds[1], &shared) == 0 && shared.st_size >= (off_t)sizeof(struct link_shared);
}

static void adopt_link(struct supervisor *s, struct keeping_record *r) {
        struct kept_link kept;

        if (r->size != sizeof(kept) || r->n_fds != 2)
                return;
        memcpy(&kept, r->note, sizeof(kept));
        if (kept.version != KEPT_VERSION || !is_text(kept.server, sizeof(kept.server)))
                return;
        struct process *p = process_of(s, kept.server);
        if (!p || p->pid)
                return;
        p->key = r->key;
        p->pid = kept.pid;
        p->pidfd = take_fd(&r->fds[0]);
        p->channel = take_fd(&r->fds[1]);
        p->adopted = true;
        if (process_watch(s, p) < 0)
                journal_event(s->journal, LOG_ERR, JOURNAL_NO_UID, p->server, "its link cannot be watched");
}

static struct process *process_by_key(struct supervisor *s, uint64_t key) {
        for (struct process *p = s->processes; p; p = p->next)
                if (p->key == key)
                        return p;
        return NULL;
}

static int adopt_instance(struct supervisor *s, struct keeping_record *r) {
        CLEANUP_FREE struct supervisor_file *files = NULL;
        struct kept_instance kept;
        int error = instance_read(r, &kept, &files);

        if (error < 0)
                return error;
        struct process *p = is_sane(&kept, r) ? process_by_key(s, kept.link) : NULL;
        struct instance *i = p ? calloc(1, sizeof(*i)) : NULL;
        if (!i)
                return -EBADMSG;
        i->number = kept.number;
        i->process = p;
        i->slot = kept.slot;
        memcpy(i->vadapter, kept.vadapter, sizeof(i->vadapter));
        memcpy(i->server, kept.server, sizeof(i->server));
        memcpy(i->socket, kept.socket, sizeof(i->socket));
        i->persona = kept.persona;
        i->image_size = kept.image_size;
        i->interrupts = (enum iov_interrupts)kept.interrupts;
        i->image_file = supervisor_file_of(r->fds[0]);
        i->shared_file = supervisor_file_of(r->fds[1]);
        i->media_files = TAKE_PTR(files);
        i->limits = kept.limits;
        i->pinned = kept.pinned;
        const struct iov_vadapter *va = iov_model_get(s->events->model(s->userdata), IOV_KIND_VADAPTER, i->vadapter);
        const struct iov_adapter *adapter =
                va ? iov_model_get(s->events->model(s->userdata), IOV_KIND_ADAPTER, va->adapter) : NULL;
        i->model = adapter ? vpc_model_for_adapter((enum iov_adapter_kind)adapter->kind) : NULL;
        /* Until its worker has told: nothing must be taken from a server that may be there. */
        i->connected = true;
        void *image = mmap(NULL, i->image_size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fds[0], 0);
        void *shared = mmap(NULL, sizeof(*i->shared), PROT_READ | PROT_WRITE, MAP_SHARED, r->fds[1], 0);
        i->image = image == MAP_FAILED ? NULL : image;
        i->shared = shared == MAP_FAILED ? NULL : shared;
        i->next = s->instances;
        s->instances = i;
        if (!i->image || !i->shared) {
                instance_free(s, i);
                return -ENOMEM;
        }
        return 0;
}

/* What cannot be taken over is forgotten: its link ends when nobody holds its channel any more. */
void supervisor_adopt(struct supervisor *s) {
        const struct link_message ask = {.type = LINK_STATUS_ASK};
        struct keeping_record *r;
        unsigned int n = 0;

        for (size_t i = 0; (r = keeping_get(s->keeping, i)); i++)
                if ((r->key & KEPT_KIND) == KEPT_LINK)
                        adopt_link(s, r);
        for (size_t i = 0; (r = keeping_get(s->keeping, i)); i++)
                if ((r->key & KEPT_KIND) == KEPT_INSTANCE && adopt_instance(s, r) < 0)
                        keeping_remove(s->keeping, r->key);
        for (size_t i = 0; (r = keeping_get(s->keeping, i)); i++)
                if ((r->key & KEPT_KIND) == KEPT_LINK && !process_by_key(s, r->key))
                        keeping_remove(s->keeping, r->key);
        for (struct process *p = s->processes; p; p = p->next) {
                link_send(p->channel, &ask, NULL, 0);
                supervisor_report_server(s, p);
                n++;
        }
        if (n)
                journal_event(s->journal, LOG_NOTICE, JOURNAL_NO_UID, "", "%u links go on under this control process", n);
}
