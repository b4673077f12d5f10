/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The supervisor, as its own files see it. */
#ifndef IOV_CONTROL_SUPERVISOR_PRIVATE_H
#define IOV_CONTROL_SUPERVISOR_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/supervisor/lives.h"
#include "control/volumes/marks.h"
#include "control/volumes/reservations.h"
#include "control/supervisor/supervisor.h"
#include "link/channel.h"
#include "vpc/function.h"

#define SUPERVISOR_SECOND UINT64_C(1000000000)

/* What the keeper has of a link and of an instance, with descriptors: pidfd and channel; image and counters. */
#define KEPT_LINK (UINT64_C(1) << 62)
#define KEPT_INSTANCE (UINT64_C(2) << 62)

struct process {
        struct supervisor *supervisor;
        char server[IOV_NAME_SIZE];
        pid_t pid;       /* of its escrow; 0: not running, waiting for `restart` */
        pid_t worker;    /* who serves, 0: not told yet */
        uint32_t starts; /* of workers by that escrow, as last told */
        bool restarted;  /* another worker serves, which knows of no faults on demand */
        bool adopted;    /* from a control process before this one, and not yet heard of */
        bool asked;      /* the status that is being told answers a question, and so speaks of all before it */
        uint64_t key;    /* of what is kept of it */
        bool used;       /* an instance is of it: only while those without one are looked for */
        bool ending;     /* told to end; only its pidfd is still waited for, and `restart` is when it is killed */
        int pidfd, channel;
        uint64_t started;
        unsigned int restarts, failures;
        struct loop_source *pidfd_source, *channel_source, *restart;
        struct process *next;
};

/* One bringing-up of a vAdapter in a slot. */
struct instance {
        uint64_t number;
        struct process *process;
        char vadapter[IOV_NAME_SIZE], server[IOV_NAME_SIZE];
        uint32_t slot;
        char socket[108];
        struct vpc_persona persona;
        struct link_limits limits;
        bool pinned; /* its worker is told to pin the server's memory */
        void *image; /* shared with the worker; only ever copied from here */
        size_t image_size;
        struct link_shared *shared;
        struct supervisor_file image_file, shared_file, media_files[VPC_MEDIA_MAX];
        /* Reservations on its media: what the worker reads, and by medium the change that it has yet to hold to. */
        struct link_reservations *reservations; /* NULL: none of them is shared */
        int reservations_fd;
        struct supervisor_file reservations_file;
        uint64_t awaited[VPC_MEDIA_MAX];
        bool seen[VPC_MEDIA_MAX];
        uint64_t awaited_since;
        uint64_t answer_ticket; /* of an answer that could not be sent yet, 0: none */
        enum vpc_reserve_result answer;
        bool removing, connected;
        bool told;                       /* of in the status that is being told */
        bool showing;                    /* other media than before: the worker has not yet let go of those in `leaving` */
        uint64_t leaving[VPC_MEDIA_MAX]; /* volumes, by id; 0: none, as all are unless `showing` or `broken` */
        const struct vpc_model *model;
        uint64_t life_first, life_last; /* vpc_image_life_mark(): as it was plugged in, and as it was last kept; 0: not known */
        uint64_t life_kept_ns;          /* when that was */
        bool is_forgotten;              /* its vAdapter is gone for good */
        uint32_t peer_pid;
        bool forced;   /* not wanted, and the server is not asked to let go of it */
        bool plugging; /* the hypervisor has been asked and is not done */
        bool broken;   /* the worker could not bring it up */
        enum iov_interrupts interrupts;
        enum iov_vadapter_state shown;
        char reason[104];
        struct sharing *sharing; /* of an adapter that has rates of its own, else NULL */
        char missing[184];       /* what was told last of volumes that cannot be shown */
        uint64_t asks_second;    /* by its worker for connections */
        unsigned int n_asks;
        struct instance *next;
};

struct supervisor {
        struct loop *loop;
        struct journal *journal;
        struct keeping *keeping;
        int state_directory;
        char run_directory[108];
        const struct supervisor_events *events;
        void *userdata;
        struct hosts *hosts;
        struct process *processes;
        struct instance *instances;
        struct ram_volumes *ram_volumes;
        struct backends *backends;
        unsigned int poll_us, cache;
        uint64_t next_number;
        struct loop_source *removal_timer;
        struct reservations *reservations;
        struct marks *marks;
        struct lives *lives;
        struct loop_source *life_timer; /* NULL: no server has anything */
        struct loop_source *reservation_timer;
        struct ghost *ghosts;
};

/* supervisor.c: */
/* A worker has something to say. */
void process_on_channel(void *userdata, int fd, uint32_t events);

/* instances.c: */
struct instance *instance_by_number(struct supervisor *s, uint64_t number);
/* The one that is not on its way out. */
struct instance *instance_of(struct supervisor *s, const char *vadapter);
void instance_free(struct supervisor *s, struct instance *gone);
int instance_plug(struct supervisor *s, struct process *p, const struct iov_vadapter *va);
/* Tell its worker to let go of it. */
void instance_unplug(struct supervisor *s, struct instance *i);
/* `auto` of a device that has MSI-X is MSI-X, but where the device could not be unplugged any more: then it is MSI. */
enum iov_interrupts supervisor_auto_interrupts(const struct supervisor *s, const char *server);
struct supervisor_file supervisor_file_of(int fd);
/* Memory that two processes share; the first `mapped` bytes are of interest here. Sealed, so that neither can take it away under
 * the other's feet. */
int shared_memory(const char *name, size_t size, size_t mapped, void **ret_memory, int *ret_fd);
/* A worker that does not let go in time is killed. */
void supervisor_watch_removals(struct supervisor *s);

/* processes.c: */
void supervisor_report_server(struct supervisor *s, const struct process *p);
/* That of a server: it is made where there is none. NULL: no memory. */
struct process *process_of(struct supervisor *s, const char *server);
int process_start(struct supervisor *s, struct process *p);
int process_watch(struct supervisor *s, struct process *p);
void process_close_channel(struct process *p);
/* Wait for its end, a second at most. */
void process_finish(struct process *p);
void process_free(struct supervisor *s, struct process *gone);
/* End those that have nothing to serve. */
void process_end_idle(struct supervisor *s);

/* drive.c: */
/* Is it wanted where it is? */
bool instance_is_wanted(struct supervisor *s, const struct instance *i);
void instance_drive(struct supervisor *s, struct instance *i);

/* media.c: */
bool volume_is_in_memory(const struct supervisor *s, const struct iov_volume *volume);
int medium_prepare(struct supervisor *s, const struct iov_volume *volume, struct vpc_medium *medium, uint8_t *ret_kind,
                   int *ret_fd);
struct link_limits supervisor_limits_of(const struct supervisor *s, const struct iov_vadapter *va);
/* Its limits and whether the server's memory is pinned follow the model, */
void instance_set(struct supervisor *s, struct instance *i);
/* and its media: without `additions`, only what goes or grows. Says whether there is something to add. */
bool instance_follow(struct supervisor *s, struct instance *i, bool additions);
int instance_send_faults(struct supervisor *s, const struct instance *i);
/* What a vAdapter that is to be plugged must wait for. NULL: nothing. */
const struct instance *supervisor_in_the_way(struct supervisor *s, const struct iov_vadapter *va);

/* reservations.c: */
extern const struct reservations_events supervisor_reservations_events;
void instance_close_reservations(struct instance *i);
void instance_show_reservations(struct supervisor *s, struct instance *i, bool before);
/* What it has not yet answered, once more. */
void instance_tell_reservations(struct supervisor *s, struct instance *i);
void instance_on_reservations(struct supervisor *s, struct instance *i, const struct link_message *m);
void instance_forget_nameless(struct supervisor *s, const struct instance *i);
/* What was decided, to its worker. */
void instance_on_answer(void *supervisor, uint64_t instance, uint64_t ticket, enum vpc_reserve_result result);
/* A worker that will be dead in a moment. */
void supervisor_await_death(struct supervisor *s, pid_t worker);
void supervisor_free_ghosts(struct supervisor *s);
/* marks.c: */
extern const struct marks_events supervisor_marks_events;
/* They follow the model, and the model has how many there are. */
void supervisor_sync_marks(const struct supervisor *s);
/* A volume that is there still has new memory, with nothing in it. */
void supervisor_forget_marks(struct supervisor *s, uint64_t volume);
/* Those of `media` that are `fresh`, bit by bit. */
void instance_show_marks(const struct supervisor *s, struct instance *i, uint64_t fresh, const struct vpc_medium *media);
/* life.c: what a function keeps for its life; */
/* to its new image, */
void instance_give_life(struct supervisor *s, struct instance *i);
/* and from it, for the last time. */
void instance_end_life(struct supervisor *s, struct instance *i);
/* A server has it from now on, or has it no more. */
void instance_watch_life(struct supervisor *s, struct instance *i);
/* share.c: */
/* Shares follow the model, and who is plugged in. */
void supervisor_share(struct supervisor *s);
/* What it may have of its adapter now. */
void instance_read_share(const struct supervisor *s, const struct instance *i, struct iov_counter *counter);
/* NULL: it has none */
const struct supervisor_file *sharing_file(const struct sharing *sharing);
struct sharing *sharing_free(struct sharing *sharing);
/* backends.c: */
/* 0: all of its volumes are there, -EINPROGRESS: that is not known yet; else one is not. `reason` where it is not 0. */
int supervisor_look(struct supervisor *s, const struct iov_vadapter *va, char reason[104]);
/* One of its volumes was not there when it was looked for: what failed for that is tried again. */
bool supervisor_lacks_backend(struct supervisor *s, const struct iov_vadapter *va);
/* Namespaces whose volumes are not there wait. */
void instance_drop_missing(struct supervisor *s, struct instance *i, struct vpc_persona *wanted,
                           const struct iov_volume *volumes[VPC_MEDIA_MAX]);
void instance_tell_missing(struct supervisor *s, struct instance *i, const char *volume, const char *why);
/* A volume that is shown has grown: what it is on must have, too. As supervisor_look(). */
int instance_look_grown(struct supervisor *s, struct instance *i, const struct iov_volume *volume);
/* Its worker asks for a connection (MEDIUM_ASK). */
void instance_connect(struct supervisor *s, struct instance *i, const struct link_message *m);
/* Its worker tells of trouble with a medium (TROUBLE). */
void instance_on_trouble(struct supervisor *s, const struct instance *i, const struct link_message *m);
bool supervisor_has_nbd(const struct supervisor *s);

/* adopt.c: */
int process_keep(struct supervisor *s, const struct process *p);
/* `fds` NULL: they are kept, and are the same. */
int instance_keep(struct supervisor *s, const struct instance *i, const int *fds);
/* Take over what `keeping` has. */
void supervisor_adopt(struct supervisor *s);

#endif
