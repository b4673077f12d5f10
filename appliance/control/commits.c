/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commits: one after the other is judged, written, and then made what is. */
#include "control/control-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "control/asked.h"
#include "control/chassis.h"
#include "control/volumes/preallocation.h"
#include "control/volumes/ram-volumes.h"
#include "control/volumes/volumes.h"
#include "iove/faults.h"
#include "iove/links.h"
#include "iove/rules.h"
#include "iove/same.h"
#include "model.h"
#include "util.h"

static void commits_next(struct control *c);

/* The same of faults that have struck; those of renamed and removed objects end. */
static void carry_faults(const struct iov_model *from, struct iov_model *to) {
        const struct iov_fault *f;

        iov_model_foreach (from, IOV_KIND_FAULT, f) {
                const struct iov_fault *there = iov_model_get(to, IOV_KIND_FAULT, f->name);

                if (there && there->type == f->type)
                        iov_model_set(to, IOV_KIND_FAULT, f);
        }
        faults_prune(to);
}

/* While the candidate was written, servers may have come and gone: their status is newer than the candidate's copy of it. */
static void carry_status(const struct iov_model *from, struct iov_model *to) {
        const struct iov_vadapter *va;
        const struct iov_server *s;

        iov_model_foreach (from, IOV_KIND_VADAPTER, va) {
                const struct iov_vadapter *there = iov_model_get(to, IOV_KIND_VADAPTER, va->name);

                if (!there || there->id != va->id)
                        continue;
                struct iov_vadapter *vadapter = model_edit(to, IOV_KIND_VADAPTER, there);
                /* A failure may be mended by it. */
                bool mended = va->state == IOV_VADAPTER_FAILED && !va->peer_pid && iove_vadapter_differs(from, to, va->name);
                vadapter->state = mended ? IOV_VADAPTER_DETACHED : va->state;
                vadapter->peer_pid = va->peer_pid;
                memcpy(vadapter->socket, va->socket, sizeof(vadapter->socket));
                vadapter->interrupts_used = va->interrupts_used;
                memset(vadapter->reason, 0, sizeof(vadapter->reason));
                if (!mended)
                        memcpy(vadapter->reason, va->reason, sizeof(vadapter->reason));
        }
        iov_model_foreach (from, IOV_KIND_SERVER, s) {
                const struct iov_server *there = iov_model_get(to, IOV_KIND_SERVER, s->name);

                if (!there)
                        continue;
                struct iov_server copy = *there;
                copy.state = s->state;
                copy.worker_pid = s->worker_pid;
                copy.worker_restarts = s->worker_restarts;
                copy.host_state = s->host_state;
                copy.host_version = s->host_version;
                copy.host_faults = s->host_faults;
                memcpy(copy.host_reason, s->host_reason, sizeof(copy.host_reason));
                iov_model_set(to, IOV_KIND_SERVER, &copy);
        }
        iove_rules_derive(to);
        carry_faults(from, to);
        links_derive(to);
}

/* Files go last: when the state no longer names a volume, and nobody holds it. */
void control_discard_volumes(struct control *c, const struct iov_model *old) {
        struct same same = {.model = c->model};
        const struct iov_volume *v;

        iov_model_foreach (old, IOV_KIND_VOLUME, v) {
                const struct iov_volume *now = NULL;

                /* Of what is not known nothing is removed; the next start finds what is left. */
                if (same_volume(&same, v, &now) < 0 || (now && now->size >= v->size))
                        continue;
                const struct iov_adapter *adapter = iov_model_get(old, IOV_KIND_ADAPTER, v->adapter);
                const char *backend = adapter ? adapter->backend : "";
                if (!now && c->supervisor)
                        supervisor_forget_volume(c->supervisor, v->id);
                if (now && c->supervisor)
                        ram_volumes_trim(supervisor_get_memory(c->supervisor), now);
                int r = now ? volume_trim(state_get_directory(c->state), backend, now)
                            : volume_discard(state_get_directory(c->state), backend, v);
                if (r < 0)
                        journal_event(c->journal, LOG_WARNING, JOURNAL_NO_UID, v->name,
                                      "its file cannot be removed or made shorter: %s", strerror(-r));
        }
        same_free(&same);
}

void control_forget_vadapters(const struct control *c, const struct iov_model *old) {
        struct same same = {.model = c->model};
        const struct iov_vadapter *va = NULL;

        iov_model_foreach (old, IOV_KIND_VADAPTER, va) {
                const struct iov_vadapter *now = NULL;

                if (c->supervisor && same_vadapter(&same, va, &now) == 0 && !now)
                        supervisor_forget_vadapter(c->supervisor, va->id);
        }
        same_free(&same);
}

static void tell_adopted(const struct control *c) {
        const struct state_info *info = &c->info;
        unsigned long long generation = info->generation;

        switch (c->candidate_kind) {
        case COMMIT_TRANSACTION:
                journal_event(c->journal, LOG_NOTICE, info->uid, "", "generation %llu: %u change%s: %s", generation,
                              info->n_changes, info->n_changes == 1 ? "" : "s", c->candidate_event);
                if (info->confirm_s)
                        journal_event(c->journal, LOG_NOTICE, info->uid, "",
                                      "generation %llu is taken back in %u s unless it is confirmed", generation,
                                      info->confirm_s);
                break;
        case COMMIT_CONFIRM:
                journal_event(c->journal, LOG_NOTICE, c->candidate_uid, "", "generation %llu is confirmed", generation);
                break;
        case COMMIT_AMEND:
        case COMMIT_CHASSIS:
                if (*c->candidate_event)
                        journal_event(c->journal, LOG_NOTICE, c->candidate_uid, c->candidate_object, "%s", c->candidate_event);
                break;
        case COMMIT_TAKE_BACK:
                journal_event(c->journal, LOG_WARNING, info->uid, "", "generation %llu: %u changes, %llu is taken back%s",
                              generation, info->n_changes, generation - 1,
                              info->uid == IOV_UID_APPLIANCE ? ": nobody confirmed it" : "");
                break;
        }
}

/* Make the candidate what is. */
static void adopt(struct control *c) {
        struct iov_model *old = c->model;
        bool had_faults = iov_model_count(old, IOV_KIND_FAULT);

        carry_status(old, c->candidate);
        c->model = TAKE_PTR(c->candidate);
        c->last_id = c->candidate_info.last_id;
        history_forget(c->history, c->n_expired);
        history_add(c->history, &c->candidate_info);
        c->info = c->candidate_info;
        tables_publish(c->tables, c->model);
        tell_adopted(c);
        confirm_set(c);
        if (c->supervisor) {
                preallocation_give(c->preallocation, supervisor_get_memory(c->supervisor));
                if (had_faults || iov_model_count(c->model, IOV_KIND_FAULT))
                        supervisor_send_faults(c->supervisor);
                asked_tell(&c->asked, c->supervisor);
                supervisor_reconcile(c->supervisor);
        }
        if (c->candidate_kind == COMMIT_CONFIRM)
                confirm_done(c);
        else if (!c->info.confirm_s) {
                control_discard_volumes(c, old);
                control_forget_vadapters(c, old);
        }
        iov_model_unref(old);
}

static void finish(struct control *c, int result) {
        struct control_commit *commit = TAKE_PTR(c->writing);

        c->candidate = iov_model_unref(c->candidate);
        preallocation_free(TAKE_PTR(c->preallocation));
        if (commit)
                commit->done(commit, result);
        commits_next(c);
}

static void on_saved(void *userdata, int result) {
        struct control *c = userdata;

        struct iove_refusal refusal = {0};

        if (result == 0)
                adopt(c);
        else if (preallocation_refuse(c->preallocation, result, c->writing ? &c->writing->refusal : &refusal))
                result = -EBADMSG;
        else
                journal_event(c->journal, LOG_ERR, c->candidate_info.uid, "",
                              "the state cannot be saved: %s; nothing was changed", strerror(-result));
        if (result == 0 && c->writing)
                c->writing->result = (struct iov_mb_txn_result){.generation = c->candidate_info.generation,
                                                                .changed = c->candidate_info.n_changes};
        finish(c, result);
}

static void on_judged(void *userdata, int result) {
        struct control *c = userdata;

        if (result < 0 && c->writing)
                preallocation_tell(c->preallocation, &c->writing->refusal);
        finish(c, result < 0 ? -EBADMSG : 0);
}

static const struct ram_volumes *memory_of(const struct control *c) {
        return c->supervisor ? supervisor_get_memory(c->supervisor) : NULL;
}

/* A dry run: what a commit would find out while it is written. Returns 1: a thread looks. */
static int candidate_judge(struct control *c) {
        struct saver_job job = {.run = preallocation_judge};
        int r = preallocation_make(state_get_directory(c->state), memory_of(c), c->model, c->candidate, &c->preallocation);

        if (r < 0 || !c->preallocation)
                return r;
        job.userdata = c->preallocation;
        r = saver_start(c->saver, &job, on_judged, c);
        return r < 0 ? r : 1;
}

/* Give the candidate to the saver. */
static int candidate_write(struct control *c) {
        struct saver_job job = {.model = c->candidate, .info = &c->candidate_info};
        int r = history_reserve(c->history);

        if (r == 0 && c->candidate_info.generation != c->info.generation)
                r = history_expired(c->history, c->candidate_info.time_ns, &job.expired, &job.n_expired);
        c->n_expired = job.n_expired;
        if (r == 0)
                r = preallocation_make(state_get_directory(c->state), memory_of(c), c->model, c->candidate, &c->preallocation);
        if (r < 0) {
                free(job.expired);
                return r;
        }
        if (c->preallocation) {
                job.run = preallocation_run;
                job.undo = preallocation_undo;
                job.userdata = c->preallocation;
        }
        return saver_start(c->saver, &job, on_saved, c);
}

/* The chassis is a file that people read, too. */
static int chassis_write(struct control *c, struct iove_refusal *refusal) {
        struct saver_job job = {.name = "chassis.yaml"};
        char why[200];
        int r = history_reserve(c->history);

        if (r == 0)
                r = chassis_encode(c->ctx, c->candidate, &job.bytes, &job.size, why);
        if (r == -EBADMSG)
                return iove_refuse(refusal, IOV_RET_INVALID_INPUT, UINT32_MAX, "%s", why);
        c->n_expired = 0;
        return r < 0 ? r : saver_start(c->saver, &job, on_saved, c);
}

static int amendment_make(struct control *c, struct control_commit *commit) {
        int r = iov_model_clone(c->model, &c->candidate);

        if (r < 0)
                return r;
        c->candidate_info = c->info;
        *c->candidate_object = *c->candidate_event = 0;
        return commit->amend(c, commit);
}

static bool is_dry_run(const struct control_commit *commit) {
        return iove_transaction_flags(commit->transaction) & IOV_TXN_DRY_RUN;
}

/* Make the candidate of a transaction. Returns 1: there is something to write, if it is to be written. */
static int transaction_make(struct control *c, struct control_commit *commit) {
        const struct iove_limits limits = control_limits(c);
        uint64_t last_id = c->last_id;
        uint32_t changed;
        int r = iove_transaction_run(commit->transaction, c->model, &limits, &last_id, &c->candidate, &changed, &commit->refusal);

        if (r < 0)
                return r;
        uint64_t generation = iov_model_get_generation(c->model);
        commit->result = (struct iov_mb_txn_result){.generation = generation, .changed = changed};
        r = c->supervisor && !is_dry_run(commit) ? asked_collect(&c->asked, commit->transaction, c->model, c->candidate) : 0;
        if (r < 0)
                return r;
        if (!changed) {
                if (c->supervisor && !is_dry_run(commit)) {
                        asked_tell(&c->asked, c->supervisor);
                        supervisor_reconcile(c->supervisor);
                }
                return 0;
        }
        if (c->info.confirm_s)
                return confirm_refuse(c, &commit->refusal);
        if (is_dry_run(commit))
                return 1;
        commit->result.generation = generation + 1;
        iov_model_set_generation(c->candidate, generation + 1);
        c->candidate_info = (struct state_info){.generation = generation + 1,
                                                .last_id = last_id,
                                                .time_ns = control_clock_ns(CLOCK_REALTIME),
                                                .uid = commit->uid,
                                                .n_changes = changed,
                                                .confirm_s = iove_transaction_confirm_s(commit->transaction)};
        iove_transaction_describe(commit->transaction, c->model, c->candidate_event, sizeof(c->candidate_event));
        return 1;
}

/* Judge a commit; with something to write, it goes to the saver. Returns 1 then, else the result. */
static int commit_start(struct control *c, struct control_commit *commit) {
        int r = 0;

        asked_clear(&c->asked);
        switch (commit->kind) {
        case COMMIT_TRANSACTION:
                r = transaction_make(c, commit);
                if (r != 1 || is_dry_run(commit))
                        return r == 1 ? candidate_judge(c) : r;
                break;
        case COMMIT_CONFIRM:
                r = confirm_make(c, commit);
                break;
        case COMMIT_TAKE_BACK:
                r = confirm_make_take_back(c, commit);
                break;
        case COMMIT_AMEND:
        case COMMIT_CHASSIS:
                r = amendment_make(c, commit);
                break;
        }
        if (r < 0)
                return r;
        c->candidate_kind = commit->kind;
        c->candidate_uid = commit->uid;
        r = commit->kind == COMMIT_CHASSIS ? chassis_write(c, &commit->refusal) : candidate_write(c);
        return r < 0 ? r : 1;
}

static void commits_next(struct control *c) {
        while (c->commits && !c->candidate) {
                struct control_commit *commit = c->commits;

                c->commits = commit->next;
                int r = commit_start(c, commit);
                if (r == 1) {
                        c->writing = commit;
                        return;
                }
                c->candidate = iov_model_unref(c->candidate);
                preallocation_free(TAKE_PTR(c->preallocation));
                commit->done(commit, r);
        }
}

void control_commit(struct control *c, struct control_commit *commit) {
        struct control_commit **end = &c->commits;

        while (*end)
                end = &(*end)->next;
        commit->next = NULL;
        *end = commit;
        commits_next(c);
}

void control_commit_forget(struct control *c, struct control_commit *commit) {
        if (c->writing == commit)
                c->writing = NULL;
        for (struct control_commit **p = &c->commits; *p; p = &(*p)->next)
                if (*p == commit) {
                        *p = commit->next;
                        return;
                }
}
