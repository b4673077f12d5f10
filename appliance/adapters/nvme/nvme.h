/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The NVMe controller model, internal interface. Control flow: an event (register write, medium done, timer) changes the image,
 * then nvme_event_end() fetches what may be fetched, finishes state changes that waited and raises interrupts.
 */
#ifndef IOV_NVME_H
#define IOV_NVME_H

#include <stdbool.h>
#include <stdint.h>

#include "adapters/nvme/image.h"
#include "vpc/model.h"

/* Worst case: every page apart, and data that starts within a page. */
#define NVME_IOV_MAX ((1u << NVME_MDTS) + 1)
#define NVME_NONE UINT16_MAX
/* Compare and Verify go through what they look at in pieces of this size. */
#define NVME_SCRATCH 16384u
/* And the self-test in pieces of this one. */
#define NVME_SELF_TEST_PIECE 65536u

/* Copy gathers what it reads in pieces of this size, and in smaller ones where more than so many copies are under way. */
#define NVME_COPY_PIECE 65536u
#define NVME_COPY_BUFFERS (NVME_IO_SLOTS / 16u)
#define NVME_COPY_RANGES 128u

struct nvme_device;

/* Run-time part of a slot, so that an I/O allocates nothing. */
struct nvme_command {
        struct vpc_io io;
        struct nvme_device *device;
        uint16_t index; /* of the slot */
        uint16_t next;  /* in a list of slots: free, held for a completion queue, or ended; NVME_NONE: last */
        int error;      /* of a request that ended within its submission */
        uint32_t n_ranges;
        bool is_fenced;      /* its request was under way when the reservations of its medium changed */
        uint8_t copy_buffer; /* + 1, of a copy; 0: it has a small one */
        uint64_t waited_ns;  /* its requests before they went to the medium */
        uint64_t progress;   /* of a command of many requests: bytes, or ranges, that are done */
        uint64_t clears;     /* the marks that go with what it writes, up to this change; 0: none */
        struct iovec scratch;
};

struct nvme_list {
        uint16_t first, last;
};

/* Host addresses of what the host and the device share, doorbell.c; NULL: not known, or not reachable in one piece. */
struct nvme_memory {
        uint64_t generation; /* of *host->dma_generation */
        uint32_t *shadow, *events;
        const struct nvme_sqe *sqs[NVME_QUEUES];
        uint64_t *cqs[NVME_QUEUES]; /* two words an entry */
        uint64_t sqs_tried, cqs_tried;
};

/* What the device knows of a doorbell in memory. */
struct nvme_seen {
        uint32_t value;  /* as it was last looked at */
        uint32_t behind; /* and as it was when EventIdx was last left behind */
};

/* What the host may do to a namespace, as far as it is known of the reservations with that number. */
struct nvme_rights {
        uint64_t current; /* 0: not known */
        uint32_t rights;
};

struct nvme_device {
        struct nvme_image *image;
        const struct vpc_host *host;
        struct iov_counter *counters;

        struct nvme_list free_io, free_admin;
        struct nvme_list ended; /* requests that ended within their submission */
        struct nvme_list done;  /* completions that go together at the end of the event */
        unsigned int n_done;
        bool is_fetching;
        struct nvme_list held[NVME_QUEUES]; /* completions that wait for room in a queue, oldest first */
        uint64_t pending;                   /* submission queues that may have commands */
        uint64_t cq_held;                   /* completion queues with completions that wait */
        struct nvme_memory memory;
        struct nvme_seen sq_seen[NVME_QUEUES], cq_seen[NVME_QUEUES];
        uint64_t sqs;                      /* submission queues that there are */
        bool is_polling;                   /* the host is told by EventIdx not to ring */
        bool has_more;                     /* commands that could be fetched, but not in this event */
        bool has_ended;                    /* requests within their submission, whose time is not counted yet */
        uint64_t fetch_start;              /* clock, of the first command in this event; 0: none yet */
        uint64_t irq_pending;              /* vectors to raise at the end of the event */
        uint64_t irq_held;                 /* vectors whose interrupts are coalesced */
        uint64_t irq_due;                  /* clock, at which those are raised at the latest */
        uint16_t irq_counts[NVME_VECTORS]; /* completions since the last one */
        uint64_t timer_due;                /* clock, for which the timer is set; 0: it is not */
        uint64_t now;                      /* clock, as last read */
        uint64_t cq_nonempty;              /* completion queues with interrupts enabled that the host has to read */
        uint64_t busy_since;               /* clock, when n_inflight left 0 */
        unsigned int n_inflight;           /* I/O commands under way */
        unsigned int n_media;              /* requests at media */
        unsigned int last_sq;              /* round robin */
        bool irq_level;                    /* as last told to the host, */
        bool irq_level_told;               /* if it was */
        bool needs_resume;                 /* the image had commands under way, */
        bool is_resuming;                  /* and they are being taken over */
        bool is_flushing;                  /* shutdown_io is under way, for a shutdown that is still wanted */
        struct vpc_io shutdown_io;
        uint64_t fenced_ticket;      /* of marks that were being asked for when the reservations of their medium changed */
        uint64_t fences;             /* media whose requests are waited for, of the changes below */
        uint16_t format_waits;       /* slot + 1 of a format that waits for other commands, 0: none does */
        bool is_testing, is_stopped; /* self_test_io is under way; there will be no other */
        uint32_t self_test_nsid;
        struct vpc_io self_test_io;
        struct iovec self_test_iov;

        /* Identify data and log pages on their way out: NVME_DATA_SIZE bytes, for one call, of all controllers of the process. */
        unsigned char *data;
        /* Several MiB, so that no I/O allocates. What is not touched costs no memory: most of it while idle, slots that were
         * never used. */
        struct nvme_command commands[NVME_SLOTS];
        struct iovec iov[NVME_SLOTS][NVME_IOV_MAX];
        unsigned char scratch[NVME_SLOTS][NVME_SCRATCH]; /* what a command brings from a medium to look at it */
        unsigned char self_test_data[NVME_SELF_TEST_PIECE];
        uint16_t copy_owners[NVME_COPY_BUFFERS]; /* slots + 1 that had them last */
        unsigned char copies[(NVME_COPY_BUFFERS * NVME_COPY_PIECE) + NVME_PAGE_SIZE];
        struct nvme_rights rights[NVME_NAMESPACES];
        uint64_t fence_changes[NVME_NAMESPACES]; /* by medium */
};

/* An outcome: 0 for success, else a status and the byte of the command that is at fault [5.14.1.1]. */
#define NVME_ERROR(status, location) ((uint32_t)(location) << 16 | (uint32_t)(status))
#define NVME_NOWHERE 0xffffu
#define NVME_INVALID_FIELD(location) NVME_ERROR(NVME_SC_INVALID_FIELD | NVME_DNR, (location))
/* [4.6.1] The status field of a completion: of each error there is more in the error log. */
static inline uint16_t nvme_status(uint32_t outcome) {
        return (uint16_t)((outcome & 0x7fff) | (outcome ? NVME_MORE : 0));
}
/* Not an outcome: the command is completed later. */
#define NVME_LATER UINT32_MAX

/* The place of a count in a queue. Most sizes are powers of two, and a division is what takes longest in fetching a command. */
static inline uint64_t nvme_place(uint64_t n, uint32_t size) {
        return size & (size - 1) ? n % size : n & (size - 1);
}

/* The phase tag of the entry with that number [4.6]: 1 in the first round. */
static inline bool nvme_phase(uint64_t n, uint32_t size) {
        return size & (size - 1) ? n / size % 2 == 0 : !(n & size);
}

/* The first slot from `i` on that has ever been in use, NVME_SLOTS: there is none. */
static inline unsigned int nvme_slot_next(const struct nvme_image *image, unsigned int i) {
        if (i < NVME_ADMIN_SLOTS)
                i = i < image->n_admin_slots ? i : NVME_ADMIN_SLOTS;
        return i < NVME_ADMIN_SLOTS || i < NVME_ADMIN_SLOTS + image->n_io_slots ? i : NVME_SLOTS;
}

static inline struct nvme_slot *nvme_slot(const struct nvme_command *command) {
        return &command->device->image->slots[command->index];
}

static inline struct iovec *nvme_iov(const struct nvme_command *command) {
        return command->device->iov[command->index];
}

/* One writer, readers in other processes. */
static inline void nvme_count(uint64_t *counter, uint64_t n) {
        __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* controller.c: registers, enable, disable, shutdown */
uint64_t nvme_register_read(struct nvme_device *device, uint64_t offset, unsigned int length);
void nvme_register_write(struct nvme_device *device, uint64_t offset, unsigned int length, uint64_t value);
bool nvme_is_ready(const struct nvme_device *device);
/* State changes that wait until no medium is busy. */
void nvme_settle(struct nvme_device *device);
/* [9.5] nothing more can be done until the host resets the controller; `why` for the log. */
void nvme_fatal(struct nvme_device *device, const char *why, int error);
void nvme_reset(struct nvme_device *device, enum vpc_reset scope);
void nvme_power_lost(struct nvme_device *device);

/* device.c: run-time object */
void nvme_event_end(struct nvme_device *device);
/* Reads the clock into device->now, too. */
uint64_t nvme_clock(struct nvme_device *device);
/* Be called again at that time at the latest. */
void nvme_timer_need(struct nvme_device *device, uint64_t due);
/* As nvme_event_end(), but once for all events of a turn of the event loop. */
void nvme_event_later(struct nvme_device *device);
/* Bring life.busy_ns up to date. */
void nvme_life_update(struct nvme_device *device);

/* life.c: what outlives the image, see struct vpc_model; and power, which is on when a host does something */
void nvme_power_on(struct nvme_device *device);
/* Power that goes now was not told of [5.14.1.2]. */
bool nvme_is_unsafe(const struct nvme_image *image);
uint64_t nvme_powered_hours(const struct nvme_image *image, uint64_t now);
size_t nvme_life_take(const void *state, uint64_t now, void *life);
int nvme_life_give(void *state, const void *life, size_t size);
uint64_t nvme_life_mark(const void *state, uint64_t now);

/* slot.c: slots, completion, medium requests */
void nvme_list_append(struct nvme_device *device, struct nvme_list *list, struct nvme_command *command);
struct nvme_command *nvme_list_take(struct nvme_device *device, struct nvme_list *list);
struct nvme_command *nvme_slot_take(struct nvme_device *device, unsigned int sq_id);
void nvme_slot_free(struct nvme_command *command);
void nvme_complete(struct nvme_command *command, uint32_t outcome, uint32_t result);
/* Send the request that was set up in command->io to a medium. */
void nvme_media_submit(struct nvme_command *command, unsigned int medium);
/* Forget all commands; those at media become orphans. */
void nvme_slots_drop(struct nvme_device *device);

/* Go on with the commands whose requests ended within their submission. */
void nvme_media_ended(struct nvme_device *device);

/* doorbell.c: doorbells in registers and in memory */
void nvme_doorbell(struct nvme_device *device, uint64_t offset, uint32_t value);
uint32_t nvme_doorbell_buffer(struct nvme_command *command);
/* The doorbells of a queue that was made, or that this process finds. */
void nvme_doorbells_init(struct nvme_device *device, unsigned int q, bool is_cq);
/* The same for a queue that another process has made. */
void nvme_doorbells_resume(struct nvme_device *device, unsigned int q, bool is_cq);
/* No queue is left. */
void nvme_doorbells_clear(struct nvme_device *device);
/* Look at doorbells in memory, and do what they tell; false: nothing new. */
bool nvme_poll(struct nvme_device *device);
/* Make the host ring from now on; false: there is something new, or the host never rings. */
bool nvme_poll_stop(struct nvme_device *device);
/* Something has happened: more is likely to come. */
void nvme_poll_start(struct nvme_device *device);
/* The host may have read completions without telling. */
void nvme_cq_look(struct nvme_device *device, unsigned int q);
/* Entries of a queue, all of them; NULL: only one by one, by the host interface. */
const struct nvme_sqe *nvme_sq_memory(struct nvme_device *device, unsigned int q);
uint64_t *nvme_cq_memory(struct nvme_device *device, unsigned int q);
/* Every event begins with it: what changed since the last one makes addresses invalid. */
void nvme_memory_check(struct nvme_device *device);

/* interrupt.c: which completions interrupt, and when */
void nvme_irq_note(struct nvme_device *device, unsigned int cq_id, bool is_error);
void nvme_irq_update(struct nvme_device *device);

/* queue.c */
/* Fetch commands of all queues in turn, up to a bound. */
void nvme_fetch(struct nvme_device *device);
/* Post what waits for room, or for Bus Master Enable. */
void nvme_post_held(struct nvme_device *device);
void nvme_post(struct nvme_command *command);
void nvme_sq_init(struct nvme_sq *sq, uint64_t base, uint32_t size, uint16_t cq_id);
void nvme_cq_init(struct nvme_cq *cq, uint64_t base, uint32_t size, uint16_t vector, bool interrupts);
uint32_t nvme_create_cq(struct nvme_command *command);
uint32_t nvme_create_sq(struct nvme_command *command);
uint32_t nvme_delete_cq(struct nvme_command *command);
uint32_t nvme_delete_sq(struct nvme_command *command);
/* Forget the completions of a submission queue that wait. */
void nvme_held_drop(struct nvme_device *device, unsigned int sq_id);
/* A queue that is being deleted is gone once its commands have ended. */
void nvme_delete_sq_finish(struct nvme_device *device, unsigned int sq_id);

/* data.c, prp.c, sgl.c */
/* Map the data of a command into its scatter list, nvme_iov(); *ret_n pieces. An outcome. */
uint32_t nvme_data_map(struct nvme_command *command, uint32_t length, enum vpc_direction direction, unsigned int *ret_n);
/* Send `length` bytes to the host: `size` bytes of `data`, then zeroes. */
uint32_t nvme_data_send(struct nvme_command *command, const void *data, size_t size, uint32_t length);
/* Fetch `length` bytes from the host, once. */
uint32_t nvme_data_receive(struct nvme_command *command, void *data, uint32_t length);

/* admin.c, identify.c, features.c, logs.c, events.c, io.c */
void nvme_admin_execute(struct nvme_command *command);
void nvme_io_execute(struct nvme_command *command);
/* Tell the host what the command, which is not checked yet, is likely to need. */
void nvme_io_expect(const struct nvme_command *command);
/* A request of the command has ended. */
void nvme_io_advance(struct nvme_command *command, int error);
static inline uint64_t nvme_first_block(const struct nvme_sqe *sqe) {
        return sqe->cdw10 | (uint64_t)sqe->cdw11 << 32;
}
static inline uint32_t nvme_block_count(const struct nvme_sqe *sqe) {
        return (sqe->cdw12 & 0xffff) + 1;
}
/* What all commands on a range of blocks check: a namespace, which may be written to, with these blocks. NULL and the outcome. */
#define NVME_TARGET_WRITE 1u    /* changes the blocks */
#define NVME_TARGET_TRANSFER 2u /* has data, which MDTS limits [5.15.2.2] */
const struct nvme_namespace *nvme_io_target(struct nvme_command *command, unsigned int how, uint32_t *ret_outcome);
void nvme_io_flush(struct nvme_command *command, unsigned int medium);
/* Flush all namespaces, and the next one behind that in `progress`. */
uint32_t nvme_flush_all(struct nvme_command *command);
uint32_t nvme_flush_next(struct nvme_command *command);
/* compare.c: Compare and Verify, in pieces */
uint32_t nvme_compare_start(struct nvme_command *command);
uint32_t nvme_compare_next(struct nvme_command *command);
/* ranges.c: Write Zeroes, Dataset Management */
uint32_t nvme_write_zeroes_start(struct nvme_command *command);
uint32_t nvme_dataset_start(struct nvme_command *command);
uint32_t nvme_dataset_next(struct nvme_command *command);
/* The range whose turn it is. */
void nvme_dataset_range(const struct nvme_command *command, uint64_t *ret_first, uint64_t *ret_count);
/* copy.c */
uint32_t nvme_copy_start(struct nvme_command *command);
uint32_t nvme_copy_next(struct nvme_command *command);
/* What is being written. */
void nvme_copy_piece(const struct nvme_command *command, uint64_t *ret_first, uint64_t *ret_count);
/* Of one that has failed: the lowest source range that was not copied, and the block that the error is of. */
uint32_t nvme_copy_ranges_done(const struct nvme_command *command);
uint64_t nvme_copy_failed_block(const struct nvme_command *command);
/* MSSRL and MCL: as much as other commands transfer, so that it takes not much longer than they do. */
static inline uint32_t nvme_copy_blocks(const struct nvme_namespace *ns) {
        return NVME_TRANSFER_MAX >> ns->block_shift;
}
/* marks.c: blocks that were made unreadable [6.16] */
uint32_t nvme_write_uncorrectable(struct nvme_command *command);
/* The path of an I/O: false where nothing of the medium is marked. */
static inline bool nvme_has_marks(const struct nvme_device *device, const struct nvme_namespace *ns) {
        return device->host->marks && vpc_marks_current(device->host->marks, ns->medium % VPC_MARKED_MEDIA);
}
struct nvme_marked {
        uint64_t block;  /* the first that cannot be read */
        uint64_t change; /* the last that there was when it was looked for */
};
/* false: all of them can be read. */
bool nvme_marks_find(const struct nvme_device *device, const struct nvme_namespace *ns, uint64_t first, uint64_t count,
                     struct nvme_marked *ret_marked);
/* Ranges, of all namespaces. */
unsigned int nvme_marks_count(const struct nvme_device *device);
/* The command is about to write these blocks: which marks go with that. */
void nvme_marks_note(struct nvme_command *command, const struct nvme_namespace *ns, uint64_t first, uint64_t count);
/* It has, and they are on the medium: ask for that. Of a format: of its namespace. */
uint32_t nvme_marks_clear(struct nvme_command *command);
/* Where it waits for the appliance it does so about marks. */
bool nvme_is_marking(const struct nvme_slot *slot);
/* It is with its medium, or between two requests to it, about marks. */
static inline bool nvme_is_under_way(const struct nvme_slot *slot) {
        return slot->state == NVME_SLOT_MEDIA || (slot->state == NVME_SLOT_RESERVE && nvme_is_marking(slot));
}
/* Another process does not wait on for the answer, but executes it again. */
bool nvme_marks_resumes(const struct nvme_slot *slot);
/* For reserve.c: the namespace, what is asked (an outcome: it is not), and what the answer means. */
uint32_t nvme_marks_target(const struct nvme_command *command);
uint32_t nvme_marks_request(struct nvme_command *command, struct vpc_reserve_request *ret_request);
uint32_t nvme_marks_outcome(const struct nvme_slot *slot, enum vpc_reserve_result result);
/* A namespace that can be used; NULL and the outcome where it cannot. */
const struct nvme_namespace *nvme_namespace_get(const struct nvme_image *image, uint32_t nsid, uint32_t *ret_outcome);
/* A request of an admin command has ended. */
void nvme_admin_advance(struct nvme_command *command, int error);
/* [4.6.1] the outcome of a request to a medium that failed: of a command that reads, or of another */
uint32_t nvme_media_error(struct nvme_device *device, bool is_reading, int error);
/* End what is under way on a namespace with `outcome`, as soon as it comes back. */
void nvme_io_end_all(struct nvme_device *device, uint32_t nsid, uint32_t outcome);
/* show.c: the namespaces of a persona, in zeroed memory: what is not there is not touched, and so costs none; and those of a new
 * one while the controller runs */
int nvme_namespaces_make(const struct vpc_persona *persona, struct nvme_namespace *namespaces);
/* The highest identifier among them. */
uint32_t nvme_namespaces_count(const struct vpc_persona *persona);
int nvme_show(struct nvme_device *device, const struct vpc_persona *persona);
/* Those that others may write to, a bit each. */
uint64_t nvme_namespaces_shared(const struct vpc_persona *persona);
void nvme_namespace_ids(struct nvme_namespace *ns, uint64_t unique_id);
uint32_t nvme_identify(struct nvme_command *command);
void nvme_identify_init(struct nvme_image *image, const struct vpc_persona *persona);
uint32_t nvme_get_log(struct nvme_command *command);
void nvme_log_error(struct nvme_device *device, const struct nvme_error_entry *entry);
uint32_t nvme_get_features(struct nvme_command *command, uint32_t *ret_result);
uint32_t nvme_set_features(struct nvme_command *command, uint32_t *ret_result);
/* A flush of a write cache that is turned off has ended. */
uint32_t nvme_write_cache_next(struct nvme_command *command, int error);
void nvme_features_reset(struct nvme_image *image);
/* feature-data.c: those with a data structure */
bool nvme_feature_has_data(uint32_t id);
uint32_t nvme_feature_data_get(struct nvme_command *command, uint32_t id, bool current, uint32_t *ret_result);
uint32_t nvme_feature_data_set(struct nvme_command *command, uint32_t id);
/* format.c */
uint32_t nvme_format_start(struct nvme_command *command);
uint32_t nvme_format_next(struct nvme_command *command, int error);
/* Erase what waited for the commands on it, if they have ended. */
void nvme_format_step(struct nvme_device *device);
/* A request of a format that was forgotten has ended: what is on the medium is so nevertheless. */
void nvme_format_orphan(struct nvme_command *command, int error);
/* self-test.c */
uint32_t nvme_self_test_start(struct nvme_command *command);
void nvme_self_test_step(struct nvme_device *device);
/* Something that a test that runs does not survive: of a namespace, or all of them. */
void nvme_self_test_end(struct nvme_device *device, uint32_t nsid, unsigned int result);
/* Go on with an extended test, which power off does not end [5.8]; at what comes next where that place is not there any more. */
struct nvme_self_test_result nvme_self_test_result(unsigned int result, unsigned int code, uint64_t powered_hours);
void nvme_self_test_resume(struct nvme_image *image, uint32_t nsid, uint32_t at, uint64_t position);
size_t nvme_self_test_log(const struct nvme_image *image, unsigned char *data);
/* telemetry.c: collect it anew in the image */
void nvme_telemetry_create(struct nvme_device *device);
size_t nvme_telemetry_header(unsigned char *data, unsigned int page, unsigned int last_block);
extern const uint8_t nvme_oui[3];
uint32_t nvme_event_request(struct nvme_command *command);
void nvme_event_raise(struct nvme_device *device, unsigned int type, unsigned int information);
void nvme_event_clear(struct nvme_device *device, unsigned int type);
void nvme_events_report(struct nvme_device *device);
/* [5.14.1.2] critical warning of the SMART log. */
uint8_t nvme_critical_warning(const struct nvme_image *image);

/* What all commands have in common [4.2]: no fused operations [6.2], and SGLs for I/O only [4.4]. */
static inline uint32_t nvme_check_flags(const struct nvme_sqe *sqe, bool is_admin) {
        const uint8_t psdt = sqe->flags & NVME_SQE_FLAGS_PSDT;

        return sqe->flags & NVME_SQE_FLAGS_FUSE || psdt == NVME_SQE_FLAGS_PSDT_NONE || (is_admin && psdt) ? NVME_INVALID_FIELD(1)
                                                                                                          : 0;
}

/* reservation.c: what reservations let the host do [8.8]. 0, or the outcome of a command that they forbid. */
uint32_t nvme_reservation_check(const struct nvme_command *command);
uint32_t nvme_reservation_allows(struct nvme_device *device, uint32_t nsid, unsigned int rights);
/* A namespace is under reservations as of now: end what is under way there in several requests and may not go on. */
void nvme_reservation_judge(struct nvme_device *device, uint32_t nsid);
/* The reservations of a medium have changed; see vpc_model.fence. */
void nvme_fence(struct nvme_device *device, unsigned int medium, uint64_t change);
/* Tell of what has come to its end. */
void nvme_fences_settle(struct nvme_device *device);
/* The namespace is another one, or the host is. */
void nvme_rights_forget(struct nvme_device *device, uint32_t nsid);
/* A copy of the reservations of a namespace; false: they are not known. */
bool nvme_reservation_read(struct nvme_device *device, uint32_t nsid, struct vpc_reservation *ret_reservation);
struct vpc_initiator nvme_initiator(const struct nvme_image *image);
/* [5.15.2.2] CNTLID of a vAdapter */
uint16_t nvme_controller_id(uint64_t owner);
/* reserve.c: reservation commands, and feature 83h */
uint32_t nvme_reserve_start(struct nvme_command *command);
uint32_t nvme_reserve_report(struct nvme_command *command);
void nvme_reserved(struct nvme_device *device, uint64_t ticket, enum vpc_reserve_result result);
/* Ask for what is next, if nothing is being asked for. */
void nvme_reserve_next(struct nvme_device *device);
/* The controller is reset; `is_asked`: what the image says is being asked for this process has asked for. */
void nvme_reserve_reset(struct nvme_device *device, bool is_asked);
/* Another process takes over: before anything else, and when its commands are known. */
void nvme_reserve_check(struct nvme_image *image);
void nvme_reserve_resume(struct nvme_device *device);
/* reservation-log.c: the reservation notification log [5.14.1.16.1] */
void nvme_notice_add(struct nvme_device *device, uint32_t nsid, unsigned int type);
size_t nvme_notice_log(const struct nvme_image *image, unsigned char *data);
/* The host has read it. */
void nvme_notice_done(struct nvme_device *device);

/* resume.c: go on with the commands of an image that another process left. */
void nvme_resume(struct nvme_device *device);

/* for adapters/registry.c and tests */
extern const struct vpc_model nvme_model;
extern const struct vpc_description nvme_description;

#endif
