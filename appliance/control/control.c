/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/control.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "control/store/appliance-id.h"
#include "control/mgmt/access.h"
#include "control/asked.h"
#include "control/chassis.h"
#include "control/control-private.h"
#include "control/faults.h"
#include "control/supervisor/isolation.h"
#include "control/persona.h"
#include "control/volumes/preallocation.h"
#include "control/store/run-directory.h"
#include "control/volumes/volumes.h"
#include "host/host.h"
#include "iove/faults.h"
#include "iove/identity.h"
#include "iove/links.h"
#include "iove/rules.h"
#include "model.h"
#include "util.h"
#include "vpc/function.h"

#define EXIT_NOT_PERMITTED 4   /* of all our programs */
#define LOCK_WAIT_MS 1000      /* one that was killed needs a moment to let go */
#define SIM_LOCK_WAIT_MS 10000 /* simulators of tools in a pipe take turns */

uint64_t control_clock_ns(clockid_t id) {
        struct timespec t;

        clock_gettime(id, &t);
        return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

struct loop *control_get_loop(struct control *c) {
        return c->loop;
}
struct journal *control_get_journal(struct control *c) {
        return c->journal;
}
const struct control_options *control_get_options(const struct control *c) {
        return c->options;
}
struct keeping *control_get_keeping(struct control *c) {
        return c->keeping;
}
struct tables *control_get_tables(struct control *c) {
        return c->tables;
}
const struct iov_model *control_get_model(const struct control *c) {
        return c->model;
}
const struct history *control_get_history(const struct control *c) {
        return c->history;
}
const uint8_t *control_get_id(const struct control *c) {
        return c->id;
}
bool control_is_sim(const struct control *c) {
        return !c->supervisor;
}
const char *control_get_run_directory(const struct control *c) {
        return c->options->run_directory ? c->options->run_directory : "";
}
uint64_t control_get_boot_time(const struct control *c) {
        return c->boot_time;
}
uint64_t control_get_snapshot_time(const struct control *c) {
        return c->snapshot_time;
}
bool control_is_ready(const struct control *c) {
        return !c->late;
}
uint64_t control_get_confirm_time(const struct control *c) {
        return confirm_time(c);
}
struct iove_limits control_limits(const struct control *c) {
        return (struct iove_limits){.now_ns = control_clock_ns(CLOCK_REALTIME),
                                    .run_dir_length = strlen(control_get_run_directory(c))};
}

/* ---- live data ---- */

uint64_t control_snapshot(struct control *c) {
        const struct iov_vadapter *va;

        c->snapshot_time = control_clock_ns(CLOCK_MONOTONIC);
        tables_begin(c->tables);
        iov_model_foreach (c->model, IOV_KIND_VADAPTER, va) {
                struct iov_counter counter = {0};

                if (c->supervisor)
                        supervisor_read_counters(c->supervisor, va->name, &counter);
                counter.id = va->id;
                tables_set_counter(c->tables, iov_model_row(c->model, IOV_KIND_VADAPTER, va), &counter);
        }
        tables_end(c->tables);
        return c->snapshot_time;
}

int control_read_config(struct control *c, const char *vadapter, void *ret_config) {
        const struct iov_vadapter *va = iov_model_get(c->model, IOV_KIND_VADAPTER, vadapter);
        const struct iov_volume *volumes[VPC_MEDIA_MAX];
        struct vpc_persona persona;
        void *image = NULL;

        if (!va)
                return -ENOENT;
        if (c->supervisor && supervisor_read_config(c->supervisor, vadapter, ret_config) == 0)
                return 0;
        const struct vpc_model *model = persona_make(c->model, va, &persona, volumes);
        if (!model)
                return -EOPNOTSUPP;
        if (posix_memalign(&image, 4096, vpc_image_size(model)))
                return -ENOMEM;
        memset(image, 0, vpc_image_size(model));
        int r = vpc_image_init(image, model, &persona);
        if (r == 0)
                memcpy(ret_config, image, VPC_CONFIG_SIZE);
        free(image);
        return r;
}

int control_read_isolation(struct control *c, struct iov_mb_isolation_row **ret_rows, size_t *ret_n) {
        if (c->supervisor)
                return isolation_collect(c->supervisor, c->model, ret_rows, ret_n);
        *ret_rows = NULL; /* no server can be cabled to a simulator */
        *ret_n = 0;
        return 0;
}

/* ---- what the supervisor tells ---- */

static void on_vadapter_status(void *userdata, const char *name, enum iov_vadapter_state state, uint32_t peer_pid,
                               const char *socket) {
        struct control *c = userdata;
        const struct iov_vadapter *old = iov_model_get(c->model, IOV_KIND_VADAPTER, name);

        if (!old)
                return;
        struct iov_vadapter va = *old;
        /* Where the link is down it is still in the slot. */
        bool waits = state == IOV_VADAPTER_DETACHED && !iov_vadapter_is_reachable(c->model, &va);
        va.state = !*va.at_server ? IOV_VADAPTER_DETACHED : waits ? IOV_VADAPTER_ATTACHED : state;
        va.peer_pid = peer_pid;
        field_set(va.socket, sizeof(va.socket), socket);
        if (!*socket) /* there is no device */
                va.interrupts_used = 0;
        memset(va.reason, 0, sizeof(va.reason));
        iov_model_set(c->model, IOV_KIND_VADAPTER, &va);
        tables_publish_record(c->tables, c->model, IOV_KIND_VADAPTER, old);
}

static void on_volume_status(void *userdata, const struct iov_volume *volume, uint64_t unreadable) {
        struct control *c = userdata;
        struct iov_volume copy = *volume;

        copy.unreadable = unreadable;
        iov_model_set(c->model, IOV_KIND_VOLUME, &copy);
        tables_publish_record(c->tables, c->model, IOV_KIND_VOLUME, volume);
}

static void on_server_status(void *userdata, const char *name, enum iov_server_state state, uint32_t worker_pid,
                             uint32_t restarts) {
        struct control *c = userdata;
        const struct iov_server *old = iov_model_get(c->model, IOV_KIND_SERVER, name);

        if (!old)
                return;
        struct iov_server s = *old;
        s.state = state;
        s.worker_pid = worker_pid;
        s.worker_restarts = restarts;
        iov_model_set(c->model, IOV_KIND_SERVER, &s);
        tables_publish_record(c->tables, c->model, IOV_KIND_SERVER, old);
}

static void on_vadapter_progress(void *userdata, const char *name, const struct supervisor_progress *p) {
        struct control *c = userdata;
        const struct iov_vadapter *old = iov_model_get(c->model, IOV_KIND_VADAPTER, name);

        if (!old)
                return;
        struct iov_vadapter va = *old;
        va.state = p->state;
        va.peer_pid = p->peer_pid;
        va.interrupts_used = p->interrupts;
        field_set(va.socket, sizeof(va.socket), p->socket);
        field_cut(va.reason, sizeof(va.reason), p->reason);
        if (memcmp(&va, old, sizeof(va)) == 0)
                return;
        iov_model_set(c->model, IOV_KIND_VADAPTER, &va);
        tables_publish_record(c->tables, c->model, IOV_KIND_VADAPTER, old);
}

static void on_host_status(void *userdata, const char *name, const struct host *host) {
        struct control *c = userdata;
        const struct iov_server *old = iov_model_get(c->model, IOV_KIND_SERVER, name);

        if (!old)
                return;
        struct iov_server s = *old;
        s.host_state = !host ? IOV_HOST_NONE : host_is_ready(host) ? IOV_HOST_READY : IOV_HOST_AWAY;
        s.host_version = host ? host_get_version(host) : 0;
        s.host_faults = host && host_unplug_kills(host) ? IOV_HOST_FAULT_UNPLUG_MSIX : 0;
        field_cut(s.host_reason, sizeof(s.host_reason), host ? host_get_reason(host) : "");
        iov_model_set(c->model, IOV_KIND_SERVER, &s);
        tables_publish_record(c->tables, c->model, IOV_KIND_SERVER, old);
}

static const struct iov_model *on_model(void *userdata) {
        return ((struct control *)userdata)->model;
}

static void on_struck(void *userdata, uint64_t fault, uint64_t hits) {
        faults_struck(userdata, fault, hits);
}

static const struct supervisor_events supervisor_events = {.vadapter_status = on_vadapter_status,
                                                           .vadapter_progress = on_vadapter_progress,
                                                           .server_status = on_server_status,
                                                           .volume_status = on_volume_status,
                                                           .host_status = on_host_status,
                                                           .struck = on_struck,
                                                           .model = on_model};

/* ---- life ---- */

static void on_signal(void *userdata, int signal) {
        struct control *c = userdata;

        const bool hand_over = signal == SIGHUP && c->keeping;

        journal_log(c->journal, LOG_INFO, "signal %d: %s", signal, hand_over ? "handing over" : "ending");
        loop_stop(c->loop, hand_over ? KEEPER_HAND_OVER : 0);
}

static void on_library_log(void *userdata, int level, const char *text) {
        struct control *c = userdata;

        if (c->journal)
                journal_log(c->journal, level, "%s", text);
        else
                fprintf(stderr, "iovd: %s\n", text);
}

/* What was true of servers when the state was saved is not now. */
static int forget_status(struct iov_model *m) {
        const struct iov_vadapter *va;
        const struct iov_server *s;
        const struct iov_volume *v;

        iov_model_foreach (m, IOV_KIND_VADAPTER, va) {
                struct iov_vadapter *vadapter = model_edit(m, IOV_KIND_VADAPTER, va);

                vadapter->state = IOV_VADAPTER_DETACHED;
                vadapter->peer_pid = 0;
                memset(vadapter->socket, 0, sizeof(vadapter->socket));
                vadapter->interrupts_used = 0;
                memset(vadapter->reason, 0, sizeof(vadapter->reason));
        }
        iov_model_foreach (m, IOV_KIND_SERVER, s) {
                struct iov_server copy = *s;

                copy.state = IOV_SERVER_OFF;
                copy.worker_pid = copy.worker_restarts = 0;
                copy.host_state = copy.host_version = copy.host_faults = 0;
                memset(copy.host_reason, 0, sizeof(copy.host_reason));
                iov_model_set(m, IOV_KIND_SERVER, &copy);
        }
        iov_model_foreach (m, IOV_KIND_VOLUME, v)
                if (v->unreadable)
                        ((struct iov_volume *)model_edit(m, IOV_KIND_VOLUME, v))->unreadable = 0;
        return iove_rules_derive(m);
}

/* The chassis, then what was saved, then the rules: a state that does not fit the chassis must not be served. */
static int load(struct control *c) {
        const struct iove_limits limits = control_limits(c);
        struct iove_refusal refusal = {0};
        struct state_info info;
        int r = chassis_load(c->ctx, c->options->chassis, state_get_path(c->state), &c->model);

        if (r < 0)
                return r;
        r = state_load(c->state, c->model, &info);
        if (r < 0)
                return r;
        c->info = info;
        c->last_id = info.last_id;
        r = history_new(c->state, &info, &c->history);
        if (r < 0) {
                iov_log(c->ctx, LOG_ERR, "%s/history: cannot read: %s", state_get_path(c->state), strerror(-r));
                return r;
        }
        r = identities_complete(c->model, control_clock_ns(CLOCK_REALTIME));
        if (r == 0)
                r = iov_model_derive(c->model);
        if (r == 0)
                r = iove_rules_check(c->model, &limits, NULL, &refusal);
        if (r == -EBADMSG)
                iov_log(c->ctx, LOG_ERR, "%s: the saved state does not fit this chassis: %s", state_get_path(c->state),
                        refusal.errors[0].text);
        if (r == 0)
                r = forget_status(c->model);
        if (r == 0)
                r = faults_prune(c->model);
        if (r >= 0)
                r = links_derive(c->model);
        if (r < 0)
                return r;
        /* What waits to be confirmed may have removed volumes, and still be taken back. */
        int n = info.confirm_s ? 0 : volumes_sweep(state_get_directory(c->state), c->model);
        if (n > 0)
                journal_event(c->journal, LOG_WARNING, JOURNAL_NO_UID, "",
                              "%d volume files without a volume were moved to retained/", n);
        tables_publish(c->tables, c->model);
        return 0;
}

static int serve_servers(struct control *c) {
        const char *run = c->options->run_directory;
        int r = run_directory_open(c->ctx, run, c->options->read_group != ACCESS_NO_GROUP, LOCK_WAIT_MS, &c->run_lock);

        if (r < 0)
                return r;
        r = supervisor_new(c->loop, c->journal, c->keeping, state_get_directory(c->state), run, c->options->unplug_s,
                           c->options->poll_us, c->options->cache, &supervisor_events, c, &c->supervisor);
        if (r < 0)
                return r;
        if (!c->info.confirm_s) /* as above */
                supervisor_sweep(c->supervisor);
        if (!c->late)
                supervisor_reconcile(c->supervisor);
        r = mgmt_listen(c, run, &c->mgmt);
        if (r < 0)
                iov_log(c->ctx, LOG_ERR, "%s/mgmt.sock: cannot listen: %s", run, strerror(-r));
        return r;
}

static int bring_up(struct control *c) {
        sigset_t signals;
        int r = loop_new(&c->loop, 128);

        if (r < 0) {
                iov_log(c->ctx, LOG_ERR, "there is no event loop: %s", strerror(-r));
                return r;
        }
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        if (c->options->keeper_fd >= 0)
                sigaddset(&signals, SIGHUP);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error like a full disk, not an end */
        r = loop_add_signals(c->loop, &signals, on_signal, c, &c->signals);
        if (r == 0)
                r = tables_new(&c->tables);
        if (r == 0)
                r = journal_new(c->tables, c->options->log_level, &c->journal);
        if (r == 0 && c->options->keeper_fd >= 0)
                r = keeping_open(c->options->keeper_fd, &c->keeping);
        if (r == 0)
                r = state_open(c->ctx, c->options->state_directory, c->options->run_directory ? LOCK_WAIT_MS : SIM_LOCK_WAIT_MS,
                               &c->state);
        if (r == 0)
                appliance_id_load(c->ctx, state_get_directory(c->state), c->id);
        if (r == 0)
                r = saver_new(c->loop, state_get_directory(c->state), &c->saver);
        if (r == 0)
                r = load(c);
        if (r == 0)
                r = confirm_start(c);
        if (r == 0 && c->options->run_directory)
                r = serve_servers(c);
        if (r == 0 && c->options->sim_fd >= 0)
                r = mgmt_serve(c, c->options->sim_fd, &c->mgmt);
        return r;
}

static void tear_down(struct control *c) {
        c->mgmt = mgmt_free(c->mgmt);
        c->supervisor = supervisor_free(c->supervisor);
        run_directory_close(control_get_run_directory(c), c->run_lock);
        preallocation_stop(c->preallocation);
        c->saver = saver_free(c->saver);
        preallocation_free(c->preallocation);
        loop_source_remove(c->confirm_timer);
        loop_source_remove(c->signals);
        iov_model_unref(c->candidate);
        iov_model_unref(c->model);
        asked_clear(&c->asked);
        history_free(c->history);
        state_close(c->state);
        journal_free(c->journal);
        tables_free(c->tables);
        loop_free(c->loop);
        keeping_close(c->keeping);
        c->journal = NULL;
        iov_unref(c->ctx);
}

/* The state is on disk, the links and sockets are with the keeper: leave them as they are. */
static void hand_over(struct control *c) {
        preallocation_stop(c->preallocation);
        c->saver = saver_free(c->saver);
        if (c->supervisor)
                supervisor_hand_over(c->supervisor);
        _exit(KEEPER_HAND_OVER);
}

int control_main(const struct control_options *options) {
        /* Without a keeper nobody would start another one, and two of them must not be. */
        if (options->keeper_fd >= 0)
                prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct control c = {.options = options, .run_lock = -1, .boot_time = control_clock_ns(CLOCK_REALTIME)};
        int r = iov_new(&c.ctx);

        if (r < 0)
                return EXIT_FAILURE;
        iov_set_log_fn(c.ctx, on_library_log, &c);
        r = bring_up(&c);
        if (r == 0) {
                if (options->run_directory) {
                        journal_log(c.journal, LOG_INFO, "ready: state %s, sockets %s", options->state_directory,
                                    options->run_directory);
                        if (!loop_has_ring(c.loop))
                                journal_log(
                                        c.journal, LOG_NOTICE,
                                        "io_uring is not to be had: files are read and written by threads, which is slower; it "
                                        "needs Linux 5.19 and must not be forbidden (kernel.io_uring_disabled)");
                        sd_notify(0, "READY=1");
                }
                r = loop_run(c.loop);
                if (r == KEEPER_HAND_OVER)
                        hand_over(&c);
                sd_notify(0, "STOPPING=1");
        }
        tear_down(&c);
        if (r == -EACCES || r == -EPERM)
                return EXIT_NOT_PERMITTED;
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
