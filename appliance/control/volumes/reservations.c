/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/reservations.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "control/store/record-file.h"
#include "control/volumes/reservation-file.h"
#include "control/volumes/reservation-state.h"
#include "control/store/saver.h"
#include "util.h"

#define KEPT_KIND (UINT64_C(3) << 62) /* of keys with the keeper; zero: these, by the volume's id */
#define ANSWERS 64u                   /* of a volume that are remembered; no function has two questions under way */

struct answer {
        uint64_t instance, ticket;
        uint64_t number; /* they count up */
        uint32_t result, reserved;
};

/* What outlives the control process: a state and the answers that belong to it. The copy of `current` modulo 2 counts. */
struct kept_copy {
        struct vpc_reservation state;
        struct answer answers[ANSWERS];
};
struct kept {
        uint64_t current;
        struct kept_copy copies[2];
};

struct question {
        uint64_t instance; /* 0: nobody's */
        bool is_clear;     /* an operator's */
        struct vpc_reserve_request request;
        struct question *next;
};

enum phase {
        PHASE_IDLE,
        PHASE_TO_SAVE, /* waits for its turn with the file */
        PHASE_SAVING,
        PHASE_SHOWN, /* waits until all hold to it */
};

struct entry {
        uint64_t id;
        int fd;
        struct kept *kept;
        enum phase phase;
        bool is_known;   /* the model has been seen to have it, and all have been shown it */
        bool is_damaged; /* what was to persist cannot be read: nobody may touch the volume until an operator says so */
        bool used;
        struct vpc_reservation next; /* what the question at hand makes of it */
        struct question *questions;  /* the first is at hand, unless the phase is idle or nobody has asked for what is done */
        bool has_question;
        enum vpc_reserve_result result;
        struct entry *following;
};

struct reservations {
        struct journal *journal;
        struct keeping *keeping;
        const struct reservations_events *events;
        void *userdata;
        struct saver *saver;
        struct entry *saving; /* NULL: none is */
        char saving_name[24];
        int directory;
        struct entry *entries;
};

/* ---- what is kept ---- */

static const struct kept_copy *copy_of(const struct entry *e) {
        return &e->kept->copies[e->kept->current & 1];
}

static const struct vpc_reservation *state_of(const struct entry *e) {
        return &copy_of(e)->state;
}

/* The state and an answer in one store. */
static void keep(struct entry *e, const struct vpc_reservation *state, const struct question *question,
                 enum vpc_reserve_result result) {
        struct kept_copy *next = &e->kept->copies[(e->kept->current + 1) & 1];
        uint64_t number = 0;

        *next = *copy_of(e);
        next->state = *state;
        if (question && question->instance) {
                struct answer *to = &next->answers[0];

                for (struct answer *a = next->answers; a < next->answers + ANSWERS; a++) {
                        number = a->number > number ? a->number : number;
                        if (a->instance == question->instance || (to->instance != question->instance && a->number < to->number))
                                to = a;
                }
                *to = (struct answer){.instance = question->instance,
                                      .ticket = question->request.ticket,
                                      .number = number + 1,
                                      .result = result};
        }
        __atomic_store_n(&e->kept->current, e->kept->current + 1, __ATOMIC_SEQ_CST);
}

static int map_kept(int fd, struct kept **ret_kept) {
        void *p = mmap(NULL, sizeof(struct kept), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

        if (p == MAP_FAILED)
                return -errno;
        *ret_kept = p;
        return 0;
}

static void entry_free(struct entry *e) {
        while (e->questions) {
                struct question *q = e->questions;

                e->questions = q->next;
                free(q);
        }
        if (e->kept)
                munmap(e->kept, sizeof(*e->kept));
        close_fd(&e->fd);
        free(e);
}

/* Takes the descriptor over. */
static int entry_add(struct reservations *r, uint64_t id, int arg_fd, struct entry **ret_entry) {
        CLEANUP_CLOSE int fd = arg_fd;
        struct entry *e = calloc(1, sizeof(*e));
        int error = e ? map_kept(fd, &e->kept) : -ENOMEM;

        if (error < 0 || !e || !e->kept) {
                free(e);
                return error < 0 ? error : -ENOMEM;
        }
        e->id = id;
        e->fd = take_fd(&fd);
        e->following = r->entries;
        r->entries = e;
        *ret_entry = e;
        return 0;
}

static int entry_make(struct reservations *r, uint64_t id, const struct vpc_reservation *state, struct entry **ret_entry) {
        CLEANUP_CLOSE int fd = memfd_create("iov-reservation", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct vpc_reservation first = {.volume = id, .change = 1};
        struct entry *e = NULL;

        if (fd < 0 || ftruncate(fd, sizeof(struct kept)) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        int error = entry_add(r, id, take_fd(&fd), &e);
        if (error < 0 || !e)
                return error;
        if (state) {
                first = *state;
                first.volume = id;
                first.n_notices = 0;
        }
        keep(e, &first, NULL, VPC_RESERVE_DONE);
        *ret_entry = e;
        return keeping_store(r->keeping, id, NULL, 0, &e->fd, 1);
}

static struct entry *entry_find(const struct reservations *r, uint64_t id) {
        for (struct entry *e = r->entries; e; e = e->following)
                if (e->id == id)
                        return e;
        return NULL;
}

/* ---- one question after the other ---- */

static void question_pop(struct entry *e) {
        struct question *q = e->questions;

        e->questions = q->next;
        free(q);
}

static void answer(struct reservations *r, struct entry *e, enum vpc_reserve_result result) {
        const struct question *q = e->questions;

        if (q->instance)
                r->events->answer(r->userdata, q->instance, q->request.ticket, result);
        question_pop(e);
        e->has_question = false;
}

static void go_on(struct reservations *r, struct entry *e);

/* What it was asked before. Of a function's questions the last is remembered: an older one has its answer already. */
static bool was_answered(struct reservations *r, struct entry *e) {
        const struct question *q = e->questions;

        for (const struct answer *a = copy_of(e)->answers; q->instance && a < copy_of(e)->answers + ANSWERS; a++)
                if (a->instance == q->instance && a->ticket >= q->request.ticket) {
                        if (a->ticket == q->request.ticket)
                                r->events->answer(r->userdata, a->instance, a->ticket, (enum vpc_reserve_result)a->result);
                        question_pop(e);
                        return true;
                }
        return false;
}

static void show(struct reservations *r, struct entry *e) {
        keep(e, &e->next, e->has_question ? e->questions : NULL, e->result);
        e->phase = PHASE_SHOWN;
        e->is_damaged = false;
        r->events->publish(r->userdata, state_of(e));
}

static void on_saved(void *userdata, int result) {
        struct reservations *r = userdata;
        struct entry *e = TAKE_PTR(r->saving);

        if (e && result == 0) {
                show(r, e);
        } else if (e) {
                journal_event(r->journal, LOG_ERR, JOURNAL_NO_UID, "",
                              "the reservations of volume number %" PRIu64 " cannot be saved: %s", e->id, strerror(-result));
                e->phase = PHASE_IDLE;
                if (e->has_question)
                        answer(r, e, VPC_RESERVE_FAILED);
                else
                        show(r, e); /* it is what it was */
        }
        reservations_progress(r);
}

/* The next one whose file is to be written. */
static void save(struct reservations *r) {
        struct entry *e = r->entries;
        void *bytes = NULL;
        size_t size = 0;

        while (e && e->phase != PHASE_TO_SAVE)
                e = e->following;
        if (r->saving || !e)
                return;
        int error = reservation_file_encode(&e->next, &bytes, &size);
        snprintf(r->saving_name, sizeof(r->saving_name), "%" PRIu64, e->id);
        const struct saver_job job = {.name = r->saving_name, .bytes = bytes, .size = size};
        if (error == 0)
                error = saver_start(r->saver, &job, on_saved, r);
        r->saving = e;
        e->phase = PHASE_SAVING;
        if (error < 0)
                on_saved(r, error);
}

static void carry_out(struct reservations *r, struct entry *e) {
        const struct question *q = e->questions;
        bool changed = true;

        e->next = *state_of(e);
        e->has_question = true;
        e->result = VPC_RESERVE_DONE;
        if (q->is_clear)
                reservation_clear(&e->next);
        else
                e->result = reservation_apply(&e->next, &q->request, &changed);
        if (!changed) {
                keep(e, state_of(e), q, e->result);
                answer(r, e, e->result);
                return;
        }
        e->phase = PHASE_TO_SAVE;
        if (!state_of(e)->persists && !e->next.persists && !e->is_damaged)
                show(r, e);
}

static void go_on(struct reservations *r, struct entry *e) {
        for (;;) {
                if (e->phase == PHASE_SHOWN && r->events->is_held(r->userdata, e->id)) {
                        e->phase = PHASE_IDLE;
                        if (e->has_question)
                                answer(r, e, e->result);
                }
                if (e->phase != PHASE_IDLE || !e->is_known || !e->questions || (e->is_damaged && !e->questions->is_clear))
                        return;
                if (!was_answered(r, e))
                        carry_out(r, e);
        }
}

void reservations_progress(struct reservations *r) {
        for (struct entry *e = r->entries; e; e = e->following)
                go_on(r, e);
        save(r);
}

static int question_add(struct entry *e, uint64_t instance, bool is_clear, const struct vpc_reserve_request *request) {
        struct question **at = &e->questions;

        /* The way out of a state that cannot be read is not to wait for those who need one. Of a function one question waits:
         * what it asked before its controller was reset is of no interest any more. */
        for (; *at && !(is_clear && e->is_damaged); at = &(*at)->next) {
                if (!instance || (*at)->instance != instance)
                        continue;
                if ((*at)->request.ticket == request->ticket)
                        return 0; /* it is being seen to */
                if (*at == e->questions && e->has_question)
                        continue;
                (*at)->request = *request;
                return 0;
        }
        struct question *q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        *q = (struct question){.instance = instance, .is_clear = is_clear};
        if (request)
                q->request = *request;
        q->next = *at;
        *at = q;
        return 0;
}

void reservations_ask(struct reservations *r, uint64_t volume, uint64_t instance, const struct vpc_reserve_request *request) {
        struct entry *e = entry_find(r, volume);

        if (!e || question_add(e, instance, false, request) < 0) {
                if (instance)
                        r->events->answer(r->userdata, instance, request->ticket, VPC_RESERVE_FAILED);
                return;
        }
        reservations_progress(r);
}

int reservations_clear(struct reservations *r, uint64_t volume) {
        struct entry *e = entry_find(r, volume);
        int error = e ? question_add(e, 0, true, NULL) : -ENOENT;

        if (error == 0)
                reservations_progress(r);
        return error;
}

/* ---- volumes that come and go ---- */

static void file_remove(struct reservations *r, const struct entry *e) {
        char name[24];

        snprintf(name, sizeof(name), "%" PRIu64, e->id);
        if (unlinkat(r->directory, name, 0) == 0)
                fsync(r->directory);
}

static void forget(struct reservations *r, struct entry *e) {
        for (struct entry **at = &r->entries; *at; at = &(*at)->following)
                if (*at == e) {
                        *at = e->following;
                        break;
                }
        file_remove(r, e);
        for (const struct question *q = e->questions; q; q = q->next)
                if (q->instance)
                        r->events->answer(r->userdata, q->instance, q->request.ticket, VPC_RESERVE_FAILED);
        keeping_remove(r->keeping, e->id);
        entry_free(e);
}

/* It was there before this process: what the last one was about is not known. All are shown what holds, once more, and the file
 * is what it should be, or is not there: it may be of a change that was never shown. */
static void take_up(struct reservations *r, struct entry *e) {
        e->is_known = true;
        if (e->is_damaged)
                return;
        e->next = *state_of(e);
        e->result = VPC_RESERVE_DONE;
        e->phase = PHASE_TO_SAVE;
        if (e->next.persists)
                return;
        file_remove(r, e);
        show(r, e);
}

void reservations_sync(struct reservations *r, const struct iov_model *model) {
        const struct iov_volume *volume = NULL;
        struct entry *e = NULL, *following = NULL;

        for (e = r->entries; e; e = e->following)
                e->used = e == r->saving; /* when that is written */
        iov_model_foreach (model, IOV_KIND_VOLUME, volume) {
                if (!volume->shared)
                        continue;
                e = entry_find(r, volume->id);
                if (!e && entry_make(r, volume->id, NULL, &e) < 0)
                        journal_event(r->journal, LOG_ERR, JOURNAL_NO_UID, volume->name, "no memory for its reservations");
                if (e)
                        e->used = true;
                if (e && e->is_damaged && !e->is_known)
                        journal_event(r->journal, LOG_ERR, JOURNAL_NO_UID, volume->name,
                                      "its reservations cannot be read: no server gets at it until 'iovctl reservation clear %s'",
                                      volume->name);
                if (e && !e->is_known)
                        take_up(r, e);
        }
        for (e = r->entries; e; e = following) {
                following = e->following;
                if (!e->used)
                        forget(r, e);
        }
        reservations_progress(r);
}

const struct vpc_reservation *reservations_get(const struct reservations *r, uint64_t volume) {
        const struct entry *e = entry_find(r, volume);

        return e && e->is_known && !e->is_damaged ? state_of(e) : NULL;
}

/* ---- life ---- */

static void adopt(struct reservations *r) {
        struct keeping_record *record = NULL;
        struct entry *e = NULL;

        for (size_t i = 0; (record = keeping_get(r->keeping, i)); i++) {
                struct stat st;

                if (record->key & KEPT_KIND || record->n_fds != 1 || record->fds[0] < 0)
                        continue;
                /* It may come out of a service manager's store, from another version or from somebody else. */
                if (fstat(record->fds[0], &st) < 0 || st.st_size != (off_t)sizeof(struct kept) ||
                    entry_add(r, record->key, take_fd(&record->fds[0]), &e) < 0) {
                        keeping_remove(r->keeping, record->key);
                        continue;
                }
                e->is_damaged = state_of(e)->volume != e->id || !reservation_is_sane(state_of(e));
        }
}

/* After a power loss: those who had no host identifier are others now [5.21.1.19]. */
static int load_one(void *userdata, const char *name, uint64_t id) {
        struct reservations *r = userdata;
        struct vpc_reservation state = {0};
        struct entry *e = NULL;

        if (entry_find(r, id))
                return 0;
        int error = reservation_file_read(r->directory, name, &state);
        if (error == 0 && (!state.persists || state.volume != id)) {
                unlinkat(r->directory, name, 0);
                return 0;
        }
        for (uint32_t i = 0; error == 0 && i < state.n_registrants; i++) {
                const struct vpc_initiator who = state.registrants[i].initiator;
                const struct vpc_reserve_request gone = {.op = VPC_RESERVE_FORGET,
                                                         .initiator = {.owner = who.owner, .epoch = who.epoch + 1}};
                bool changed = false;

                reservation_apply(&state, &gone, &changed);
                if (changed)
                        i = UINT32_MAX; /* they have moved up: from the start */
        }
        if (entry_make(r, id, error == 0 ? &state : NULL, &e) == 0 && e)
                e->is_damaged = error < 0;
        return 0;
}

int reservations_new(struct loop *loop, struct journal *journal, struct keeping *keeping, int state_directory,
                     const struct reservations_events *events, void *userdata, struct reservations **ret_reservations) {
        struct reservations *r = calloc(1, sizeof(*r));

        if (!r)
                return -ENOMEM;
        *r = (struct reservations){
                .journal = journal, .keeping = keeping, .events = events, .userdata = userdata, .directory = -1};
        int error = reservation_file_open_directory(state_directory, &r->directory);
        if (error == 0)
                error = saver_new(loop, r->directory, &r->saver);
        if (error == 0) {
                adopt(r);
                error = record_file_foreach(r->directory, load_one, r);
        }
        if (error < 0) {
                reservations_free(r);
                return error;
        }
        *ret_reservations = r;
        return 0;
}

struct reservations *reservations_free(struct reservations *r) {
        if (!r)
                return NULL;
        saver_free(r->saver);
        while (r->entries) {
                struct entry *e = r->entries;

                r->entries = e->following;
                keeping_remove(r->keeping, e->id); /* the appliance ends: what is to persist is in its file */
                entry_free(e);
        }
        close_fd(&r->directory);
        free(r);
        return NULL;
}
