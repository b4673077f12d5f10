/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/supervisor/lives.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "control/store/record-file.h"
#include "control/store/saver.h"
#include "control/store/state.h"
#include "util.h"

/* What is in the file. */
struct kept {
        uint64_t vadapter;
        char serial[sizeof(((struct vpc_persona *)0)->serial)];
        char model[32];
        uint32_t size, reserved;
        unsigned char life[VPC_LIFE_MAX];
};

struct entry {
        struct kept *kept; /* as long as it needs to be; NULL: nothing that can be used */
        uint64_t id;
        bool is_new;  /* and not yet given to the saver */
        bool waits;   /* it could not be written, and is not tried again yet */
        bool is_told; /* of that */
        bool is_gone; /* the vAdapter was removed while it was being written */
        struct entry *next;
};

struct lives {
        struct journal *journal;
        struct saver *saver;
        struct entry *saving; /* NULL: none is */
        char saving_name[24];
        int directory;
        struct entry *entries;
};

static size_t used(const void *record) {
        const struct kept *kept = record;

        return offsetof(struct kept, life) + kept->size;
}

static bool is_sane(const void *record) {
        const struct kept *kept = record;

        return kept->vadapter && kept->size && kept->size <= VPC_LIFE_MAX && kept->reserved == 0 &&
               memchr(kept->serial, 0, sizeof(kept->serial)) && memchr(kept->model, 0, sizeof(kept->model));
}

static const struct record_file_kind kind = {
        .magic = "iov-life", .version = 1, .size = sizeof(struct kept), .used = used, .is_sane = is_sane};

static struct entry *entry_find(const struct lives *l, uint64_t id) {
        for (struct entry *e = l->entries; e; e = e->next)
                if (e->id == id)
                        return e;
        return NULL;
}

static struct entry *entry_add(struct lives *l, uint64_t id) {
        struct entry *e = calloc(1, sizeof(*e));

        if (e) {
                e->id = id;
                e->next = l->entries;
                l->entries = e;
        }
        return e;
}

static void entry_free(struct lives *l, struct entry *gone) {
        for (struct entry **e = &l->entries; *e; e = &(*e)->next)
                if (*e == gone) {
                        *e = gone->next;
                        break;
                }
        free(gone->kept);
        free(gone);
}

/* ---- writing ---- */

static void save(struct lives *l);

static void file_remove(const struct lives *l, uint64_t id) {
        char name[24];

        snprintf(name, sizeof(name), "%" PRIu64, id);
        unlinkat(l->directory, name, 0);
}

static void tell_failure(const struct lives *l, struct entry *e, int error) {
        if (!e->is_told)
                journal_event(l->journal, LOG_ERR, JOURNAL_NO_UID, "",
                              "the figures of vAdapter number %" PRIu64 " cannot be saved: %s", e->id, strerror(-error));
        e->waits = e->is_told = e->is_new = true;
}

static void saved(struct lives *l, int result) {
        struct entry *e = TAKE_PTR(l->saving);

        if (!e)
                return;
        if (e->is_gone) {
                file_remove(l, e->id);
                entry_free(l, e);
        } else if (result < 0) {
                tell_failure(l, e, result);
        } else {
                e->is_told = false;
        }
}

static void on_saved(void *userdata, int result) {
        struct lives *l = userdata;

        saved(l, result);
        save(l);
}

/* The next one whose file is to be written. */
static void save(struct lives *l) {
        struct entry *e = l->entries;
        struct saver_job job = {.name = l->saving_name};

        while (e && (!e->is_new || e->waits))
                e = e->next;
        if (l->saving || !e)
                return;
        int error = record_file_encode(&kind, e->kept, &job.bytes, &job.size);
        snprintf(l->saving_name, sizeof(l->saving_name), "%" PRIu64, e->id);
        l->saving = e;
        e->is_new = false;
        if (error == 0)
                error = saver_start(l->saver, &job, on_saved, l);
        if (error < 0)
                saved(l, error);
}

void lives_retry(struct lives *l) {
        for (struct entry *e = l->entries; e; e = e->next)
                e->waits = false;
        save(l);
}

/* There is nothing left to be done but this, and nobody waits for the event loop any more. */
static void write_rest(struct lives *l) {
        for (struct entry *e = l->entries; e; e = e->next) {
                CLEANUP_FREE void *bytes = NULL;
                char name[24];
                size_t size = 0;

                if (!e->is_new || e->is_gone)
                        continue;
                snprintf(name, sizeof(name), "%" PRIu64, e->id);
                int error = record_file_encode(&kind, e->kept, &bytes, &size);
                if (error == 0)
                        error = state_write_file(l->directory, name, bytes, size);
                if (error < 0)
                        tell_failure(l, e, error);
        }
}

/* ---- what is known ---- */

static bool is_of(const struct kept *kept, const struct vpc_persona *persona, const struct vpc_model *model) {
        return memcmp(kept->serial, persona->serial, sizeof(kept->serial)) == 0 && strcmp(kept->model, model->name) == 0;
}

const void *lives_get(struct lives *l, const struct vpc_persona *persona, const struct vpc_model *model, size_t *ret_size) {
        const struct entry *e = entry_find(l, persona->unique_id);

        if (!e || !e->kept)
                return NULL;
        if (!is_of(e->kept, persona, model)) {
                journal_event(l->journal, LOG_INFO, JOURNAL_NO_UID, persona->name,
                              "it is another device than before, by its serial number: its figures begin anew");
                return NULL;
        }
        *ret_size = e->kept->size;
        return e->kept->life;
}

int lives_set(struct lives *l, const struct vpc_persona *persona, const struct vpc_model *model, const void *life, size_t size) {
        struct entry *e = entry_find(l, persona->unique_id);

        if (!persona->unique_id || !size || size > VPC_LIFE_MAX)
                return -EINVAL;
        if (e && e->is_gone)
                return 0;
        if (e && e->kept && is_of(e->kept, persona, model) && e->kept->size == size && memcmp(e->kept->life, life, size) == 0)
                return 0;
        struct kept *kept = calloc(1, offsetof(struct kept, life) + size);
        if (kept && !e)
                e = entry_add(l, persona->unique_id);
        if (!kept || !e) {
                free(kept);
                return -ENOMEM;
        }
        kept->vadapter = e->id;
        kept->size = (uint32_t)size;
        memcpy(kept->serial, persona->serial, sizeof(kept->serial));
        field_set(kept->model, sizeof(kept->model), model->name);
        memcpy(kept->life, life, size);
        free(e->kept);
        e->kept = kept;
        e->is_new = true;
        save(l);
        return 0;
}

void lives_remove(struct lives *l, uint64_t vadapter) {
        struct entry *e = entry_find(l, vadapter);

        if (!e)
                return;
        if (e == l->saving) {
                e->is_gone = true;
                return;
        }
        file_remove(l, vadapter);
        entry_free(l, e);
}

static bool is_in(const struct iov_model *model, uint64_t id) {
        const struct iov_vadapter *va = NULL;

        iov_model_foreach (model, IOV_KIND_VADAPTER, va)
                if (va->id == id)
                        return true;
        return false;
}

void lives_sweep(struct lives *l, const struct iov_model *model) {
        struct entry *next = NULL;

        for (struct entry *e = l->entries; e; e = next) {
                next = e->next;
                if (!is_in(model, e->id))
                        lives_remove(l, e->id);
        }
}

/* ---- life ---- */

static int load_one(void *userdata, const char *name, uint64_t id) {
        struct lives *l = userdata;
        struct entry *e = entry_add(l, id);
        CLEANUP_FREE struct kept *kept = calloc(1, sizeof(*kept));

        if (!e || !kept)
                return -ENOMEM;
        const int error = record_file_read(&kind, l->directory, name, kept);
        if (error < 0 || kept->vadapter != id) {
                journal_event(l->journal, LOG_ERR, JOURNAL_NO_UID, "",
                              "the figures of vAdapter number %" PRIu64 " cannot be read from life/%s: they begin anew", id,
                              name);
                return 0;
        }
        e->kept = malloc(used(kept));
        if (!e->kept)
                return -ENOMEM;
        memcpy(e->kept, kept, used(kept));
        return 0;
}

int lives_new(struct loop *loop, struct journal *journal, int state_directory, struct lives **ret_lives) {
        struct lives *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        *l = (struct lives){.journal = journal, .directory = -1};
        int error = record_file_open_directory(state_directory, "life", &l->directory);
        if (error == 0)
                error = saver_new(loop, l->directory, &l->saver);
        if (error == 0)
                error = record_file_foreach(l->directory, load_one, l);
        if (error < 0) {
                lives_free(l);
                return error;
        }
        *ret_lives = l;
        return 0;
}

struct lives *lives_free(struct lives *l) {
        if (!l)
                return NULL;
        saver_free(l->saver);
        /* Its result is not told any more: it is written once more. */
        if (l->saving) {
                struct entry *e = TAKE_PTR(l->saving);

                e->is_new = true;
                if (e->is_gone)
                        file_remove(l, e->id);
        }
        write_rest(l);
        while (l->entries)
                entry_free(l, l->entries);
        close_fd(&l->directory);
        free(l);
        return NULL;
}
