/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <syslog.h>
#include <unistd.h>

#include "control/volumes/mark-state.h"
#include "control/store/record-file.h"
#include "control/store/saver.h"
#include "control/volumes/volumes.h"
#include "util.h"

#define ANSWERS 64u /* of a volume that are remembered; no function has two questions under way */

struct answer {
        uint64_t instance, ticket;
};

/* What is in the file. */
struct kept {
        uint64_t volume;
        struct vpc_marks marks;
        struct answer answers[ANSWERS]; /* to those who have set marks; the last of each */
        uint32_t next_answer, reserved;
};

struct question {
        uint64_t instance; /* 0: nobody's */
        struct vpc_reserve_request request;
        struct question *next;
};

struct entry {
        uint64_t id;
        struct kept kept, next; /* as it is in the file, and as the first question makes it */
        bool is_saved;          /* `next` is, or is to be */
        bool is_gone;           /* the volume was removed while that is so */
        struct question *questions;
        struct entry *following;
};

struct marks {
        struct journal *journal;
        const struct marks_events *events;
        void *userdata;
        struct saver *saver;
        struct entry *saving; /* NULL: none is */
        char saving_name[24];
        int directory;
        struct entry *entries;
};

static bool is_sane(const void *record) {
        const struct kept *kept = record;

        return mark_is_sane(&kept->marks) && kept->next_answer < ANSWERS;
}

static const struct record_file_kind kind = {.magic = "iov-mark", .version = 1, .size = sizeof(struct kept), .is_sane = is_sane};

static struct entry *entry_find(const struct marks *m, uint64_t id) {
        for (struct entry *e = m->entries; e; e = e->following)
                if (e->id == id)
                        return e;
        return NULL;
}

static struct entry *entry_add(struct marks *m, uint64_t id) {
        struct entry *e = calloc(1, sizeof(*e));

        if (!e)
                return NULL;
        e->id = e->kept.volume = id;
        e->following = m->entries;
        m->entries = e;
        return e;
}

static void question_pop(struct entry *e) {
        struct question *q = e->questions;

        e->questions = q->next;
        free(q);
}

static void entry_free(struct marks *m, struct entry *gone) {
        for (struct entry **at = &m->entries; *at; at = &(*at)->following)
                if (*at == gone) {
                        *at = gone->following;
                        break;
                }
        while (gone->questions)
                question_pop(gone);
        free(gone);
}

/* ---- one question after the other ---- */

static void answer(const struct marks *m, struct entry *e, enum vpc_reserve_result result) {
        const struct question *q = e->questions;

        if (q->instance)
                m->events->answer(m->userdata, q->instance, q->request.ticket, result);
        question_pop(e);
}

static bool was_set(const struct entry *e) {
        const struct question *q = e->questions;

        for (unsigned int i = 0; q->request.op == VPC_MARKS_SET && q->instance && i < ANSWERS; i++)
                if (e->kept.answers[i].instance == q->instance && e->kept.answers[i].ticket == q->request.ticket)
                        return true;
        return false;
}

static void remember(struct kept *kept, const struct question *q) {
        struct answer *to = NULL;

        if (q->request.op != VPC_MARKS_SET || !q->instance)
                return;
        for (unsigned int i = 0; i < ANSWERS; i++)
                if (kept->answers[i].instance == q->instance)
                        to = &kept->answers[i];
        if (!to) {
                to = &kept->answers[kept->next_answer];
                kept->next_answer = (kept->next_answer + 1) % ANSWERS;
        }
        *to = (struct answer){.instance = q->instance, .ticket = q->request.ticket};
}

/* Until one has to be saved. */
static void go_on(const struct marks *m, struct entry *e) {
        while (e->questions && !e->is_saved) {
                const struct question *q = e->questions;
                bool changed = false;

                e->next = e->kept;
                enum vpc_reserve_result result =
                        was_set(e) ? VPC_RESERVE_DONE : mark_apply(&e->next.marks, &q->request, &changed);
                if (changed) {
                        remember(&e->next, q);
                        e->is_saved = true;
                } else {
                        answer(m, e, result);
                }
        }
}

static void progress(struct marks *m);

static void file_remove(const struct marks *m, uint64_t id) {
        char name[24];

        snprintf(name, sizeof(name), "%" PRIu64, id);
        unlinkat(m->directory, name, 0);
}

static void on_saved(void *userdata, int result) {
        struct marks *m = userdata;
        struct entry *e = TAKE_PTR(m->saving);

        if (e && e->is_gone) {
                file_remove(m, e->id);
                entry_free(m, e);
        } else if (e) {
                e->is_saved = false;
                if (result == 0) {
                        e->kept = e->next;
                        m->events->publish(m->userdata, e->id, &e->kept.marks);
                        answer(m, e, VPC_RESERVE_DONE);
                } else {
                        journal_event(m->journal, LOG_ERR, JOURNAL_NO_UID, "",
                                      "the unreadable blocks of volume number %" PRIu64 " cannot be saved: %s", e->id,
                                      strerror(-result));
                        answer(m, e, VPC_RESERVE_FAILED);
                }
        }
        progress(m);
}

/* The next one whose file is to be written. */
static void save(struct marks *m) {
        struct entry *e = m->entries;
        void *bytes = NULL;
        size_t size = 0;

        while (e && !e->is_saved)
                e = e->following;
        if (m->saving || !e)
                return;
        int error = record_file_encode(&kind, &e->next, &bytes, &size);
        snprintf(m->saving_name, sizeof(m->saving_name), "%" PRIu64, e->id);
        const struct saver_job job = {.name = m->saving_name, .bytes = bytes, .size = size};
        if (error == 0)
                error = saver_start(m->saver, &job, on_saved, m);
        m->saving = e;
        if (error < 0)
                on_saved(m, error);
}

static void progress(struct marks *m) {
        for (struct entry *e = m->entries; e; e = e->following)
                go_on(m, e);
        save(m);
}

/* Of a function one question waits: what it asked before its controller was reset is of no interest any more. */
static int question_add(struct entry *e, uint64_t instance, const struct vpc_reserve_request *request) {
        struct question **at = &e->questions;

        for (; *at; at = &(*at)->next) {
                if (!instance || (*at)->instance != instance)
                        continue;
                if ((*at)->request.ticket == request->ticket)
                        return 0; /* it is being seen to */
                if (*at == e->questions && e->is_saved)
                        continue;
                (*at)->request = *request;
                return 0;
        }
        *at = calloc(1, sizeof(**at));
        if (!*at)
                return -ENOMEM;
        **at = (struct question){.instance = instance, .request = *request};
        return 0;
}

void marks_ask(struct marks *m, uint64_t volume, uint64_t instance, const struct vpc_reserve_request *request) {
        struct entry *e = entry_find(m, volume);

        if (!e)
                e = entry_add(m, volume);
        if (!e || question_add(e, instance, request) < 0) {
                if (instance)
                        m->events->answer(m->userdata, instance, request->ticket, VPC_RESERVE_FAILED);
                return;
        }
        progress(m);
}

void marks_drop(struct marks *m, uint64_t instance) {
        for (struct entry *e = m->entries; e; e = e->following)
                for (struct question **at = &e->questions; *at;) {
                        struct question *q = *at;

                        if (q->instance == instance && (q != e->questions || !e->is_saved)) {
                                *at = q->next;
                                free(q);
                                continue;
                        }
                        if (q->instance == instance)
                                q->instance = 0;
                        at = &q->next;
                }
}

/* ---- volumes that come and go ---- */

const struct vpc_marks *marks_get(const struct marks *m, uint64_t volume) {
        const struct entry *e = entry_find(m, volume);

        return e && e->kept.marks.n ? &e->kept.marks : NULL;
}

void marks_remove(struct marks *m, uint64_t volume) {
        struct entry *e = entry_find(m, volume);

        if (!e)
                return;
        if (e == m->saving) {
                e->is_gone = true;
                return;
        }
        file_remove(m, volume);
        entry_free(m, e);
}

void marks_sweep(struct marks *m, const struct iov_model *model) {
        struct entry *following = NULL;

        for (struct entry *e = m->entries; e; e = following) {
                following = e->following;
                if (!volume_by_id(model, e->id))
                        marks_remove(m, e->id);
        }
}

void marks_sync(struct marks *m, const struct iov_model *model) {
        for (struct entry *e = m->entries; e; e = e->following) {
                const struct iov_volume *volume = e->kept.marks.n ? volume_by_id(model, e->id) : NULL;
                const struct vpc_reserve_request behind = {
                        .op = VPC_MARKS_CLEAR, .first = volume ? volume->size : 0, .end = UINT64_MAX, .change = UINT64_MAX};

                if (volume && mark_bytes(&e->kept.marks, UINT64_MAX) != mark_bytes(&e->kept.marks, volume->size))
                        question_add(e, 0, &behind);
        }
        progress(m);
}

/* ---- life ---- */

void marks_start(struct marks *m) {
        for (struct entry *e = m->entries; e; e = e->following) {
                for (unsigned int i = 0; i < ANSWERS; i++)
                        if (e->kept.answers[i].instance && !m->events->is_there(m->userdata, e->kept.answers[i].instance))
                                e->kept.answers[i] = (struct answer){0};
                m->events->publish(m->userdata, e->id, &e->kept.marks);
        }
}

/* What cannot be read may have been about any block, and none is taken for readable that may not be. */
static int load_one(void *userdata, const char *name, uint64_t id) {
        struct marks *m = userdata;
        struct kept kept = {0};
        int error = record_file_read(&kind, m->directory, name, &kept);
        struct entry *e = entry_add(m, id);
        if (!e)
                return -ENOMEM;
        if (error == 0 && kept.volume == id) {
                e->kept = kept;
                return 0;
        }
        e->kept.marks.change = monotonic_ns(); /* higher than what it was */
        mark_all(&e->kept.marks);
        journal_event(m->journal, LOG_ERR, JOURNAL_NO_UID, "",
                      "which blocks of volume number %" PRIu64 " are unreadable cannot be read from marks/%s: all of them are, "
                      "until they are written again",
                      id, name);
        return 0;
}

int marks_new(struct loop *loop, struct journal *journal, int state_directory, const struct marks_events *events, void *userdata,
              struct marks **ret_marks) {
        struct marks *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        *m = (struct marks){.journal = journal, .events = events, .userdata = userdata, .directory = -1};
        int error = record_file_open_directory(state_directory, "marks", &m->directory);
        if (error == 0)
                error = saver_new(loop, m->directory, &m->saver);
        if (error == 0)
                error = record_file_foreach(m->directory, load_one, m);
        if (error < 0) {
                marks_free(m);
                return error;
        }
        *ret_marks = m;
        return 0;
}

struct marks *marks_free(struct marks *m) {
        if (!m)
                return NULL;
        saver_free(m->saver);
        while (m->entries)
                entry_free(m, m->entries);
        close_fd(&m->directory);
        free(m);
        return NULL;
}
