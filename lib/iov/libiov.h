/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libiov: talk to an iov appliance.
 *
 * Functions return 0 (or a count) on success and a negative errno on failure; out-parameters are named ret_, are untouched on
 * failure and always set on success. Messages go to the context's log callback, never to a stream. Objects are
 * reference-counted with _ref and _unref; _unref takes NULL and returns NULL. A context and what was made from it may be used by
 * one thread at a time. Records (struct iov_volume, ...) are those of the register map, see iov/registers.h.
 */
#ifndef IOV_LIBIOV_H
#define IOV_LIBIOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "iov/registers.h"

#ifdef __cplusplus
extern "C" {
#endif

struct iov_ctx;
struct iov_appliance;
struct iov_model;
struct iov_plan;
struct iov_diagnostics;

/* ---- context ---- */

/* `level` is a syslog level; `text` is one line without a newline and belongs to the library. */
typedef void (*iov_log_fn)(void *userdata, int level, const char *text);

int iov_new(struct iov_ctx **ret_ctx);
struct iov_ctx *iov_ref(struct iov_ctx *ctx);
struct iov_ctx *iov_unref(struct iov_ctx *ctx);
void iov_set_log_fn(struct iov_ctx *ctx, iov_log_fn fn, void *userdata);

/* ---- the appliance: transports and registers ---- */

/*
 * Open an appliance. `address` is `unix:PATH` (the vfio-user socket of a running iovd), `pci:BDF` (a PCI function of
 * this machine, mapped from sysfs; `pci:` alone is the only one), `sim:DIR` (a private iovd over the state in DIR, started from
 * $IOVD or the installed one; `sim:` alone is a fresh state that is thrown away), or NULL for $IOV_APPLIANCE, else
 * unix:/run/iov/mgmt.sock. Errors: -ENODEV nothing answers there (the log says what to do), -EINVAL a malformed address or one
 * that several PCI functions fit, -EPROTO it is no appliance or of another major version, -EACCES not permitted, -EBUSY another
 * program has the PCI function open. $IOV_TIMEOUT: seconds that a mailbox command may take, 1 to 3600, instead of a minute.
 */
int iov_open(struct iov_ctx *ctx, const char *address, struct iov_appliance **ret_appliance);
/* Close it; takes NULL. */
void iov_close(struct iov_appliance *appliance);

/* Aligned register access, 4 or 8 bytes; `bar` is 0 or 2. */
int iov_read32(struct iov_appliance *appliance, unsigned int bar, uint64_t offset, uint32_t *ret_value);
int iov_read64(struct iov_appliance *appliance, unsigned int bar, uint64_t offset, uint64_t *ret_value);
int iov_write32(struct iov_appliance *appliance, unsigned int bar, uint64_t offset, uint32_t value);
int iov_write64(struct iov_appliance *appliance, unsigned int bar, uint64_t offset, uint64_t value);
/* Any number of bytes within one BAR. */
int iov_read(struct iov_appliance *appliance, unsigned int bar, uint64_t offset, void *buffer, size_t size);
int iov_write(struct iov_appliance *appliance, unsigned int bar, uint64_t offset, const void *buffer, size_t size);
/* The read-only mapping of BAR2, valid until iov_close(); IOV_BAR2_SIZE bytes. -EOPNOTSUPP where the transport cannot map. */
int iov_map_tables(struct iov_appliance *appliance, const void **ret_tables);

/*
 * Run one mailbox command. On a failure reported by the appliance returns the negative errno of its return code and, where
 * `ret_error` is not NULL, fills it with the appliance's own words; where it is NULL they are logged. Any other failure leaves
 * its text empty, and is in the log. A reply longer than `reply_size` is cut.
 */
int iov_command(struct iov_appliance *appliance, enum iov_opcode opcode, const void *request, size_t request_size, void *reply,
                size_t reply_size, size_t *ret_reply_length, struct iov_mb_error *ret_error);
/*
 * All that the last command was refused for, the first being the one that iov_command() tells; returns how many there are, of
 * which
 * `*ret_n` are told, IOV_MB_ERRORS_MAX at most. 0: it was not refused by the appliance. Valid until the next command.
 */
size_t iov_reasons_get(const struct iov_appliance *appliance, const struct iov_mb_error **ret_reasons, size_t *ret_n);
int iov_identify(struct iov_appliance *appliance, struct iov_mb_identify *ret_identify);
/* The configuration space of a vAdapter, 4096 bytes. */
int iov_config_read(struct iov_appliance *appliance, const char *vadapter, void *ret_config);
/*
 * Who can reach what: for each slot in use a REQUESTER and after it what is its own; the caller frees the rows, whose strings
 * end. -EOPNOTSUPP: the appliance does not tell.
 */
int iov_isolation_read(struct iov_appliance *appliance, struct iov_mb_isolation_row **ret_rows, size_t *ret_n);
/*
 * Who has registered with shared volumes, volume by volume; the caller frees the rows, whose strings end. A volume with nobody
 * has one row without a host. -EOPNOTSUPP: the appliance does not tell.
 */
int iov_reservations_read(struct iov_appliance *appliance, struct iov_mb_reservation_row **ret_rows, size_t *ret_n);
/* End all registrations with a shared volume, and its reservation, such as those of a server that is dead. */
int iov_reservation_clear(struct iov_appliance *appliance, const char *volume, struct iov_mb_error *ret_error);
/* The appliance's log text that it still has; the caller frees it. */
int iov_log_read(struct iov_appliance *appliance, char **ret_text, size_t *ret_length);
/*
 * Copy all live counters of vAdapters into `ret_counters` (an array of `n`, filled from row 0), rows beyond are dropped;
 * `ret_time_ns` is CLOCK_MONOTONIC of the appliance.
 */
int iov_counters_read(struct iov_appliance *appliance, struct iov_counter *ret_counters, size_t n, size_t *ret_n,
                      uint64_t *ret_time_ns);

/* ---- the model: every object there is, or is wanted ---- */

int iov_model_new(struct iov_ctx *ctx, struct iov_model **ret_model);
struct iov_model *iov_model_ref(struct iov_model *model);
struct iov_model *iov_model_unref(struct iov_model *model);
/* A consistent copy of the appliance's tables. */
int iov_model_load(struct iov_appliance *appliance, struct iov_model **ret_model);
/* A deep copy; rows keep their numbers. */
int iov_model_clone(const struct iov_model *model, struct iov_model **ret_model);
/* Name of the topology or chassis, "" where it has none. */
const char *iov_model_get_name(const struct iov_model *model);
int iov_model_set_name(struct iov_model *model, const char *name);
uint64_t iov_model_get_generation(const struct iov_model *model);
void iov_model_set_generation(struct iov_model *model, uint64_t generation);
/* Chassis facts; 0 where the model is not that of an appliance or chassis. */
unsigned int iov_model_get_links(const struct iov_model *model);
unsigned int iov_model_get_slots(const struct iov_model *model);
void iov_model_set_links(struct iov_model *model, unsigned int links, unsigned int slots);

/* Kinds that a model keeps; those of them that transactions change, topologies have and the state saves: the config kinds. */
bool iov_kind_is_object(enum iov_kind kind);
bool iov_kind_is_config(enum iov_kind kind);
/* All config kinds, what others stand on first; returns how many. */
size_t iov_config_kinds(const enum iov_kind **ret_kinds);

/*
 * Objects by kind, for those of iov_kind_is_object(). Records belong to the model and are valid until it changes.
 * `iov_model_set` creates or replaces the one of the record's name and keeps the row number of a replaced one;
 * -EINVAL: empty or unterminated name or unknown kind, -E2BIG: table full. `iov_model_remove`: -ENOENT.
 */
size_t iov_model_count(const struct iov_model *model, enum iov_kind kind);
const void *iov_model_get(const struct iov_model *model, enum iov_kind kind, const char *name);
int iov_model_set(struct iov_model *model, enum iov_kind kind, const void *record);
int iov_model_remove(struct iov_model *model, enum iov_kind kind, const char *name);
/* In row order. */
const void *iov_model_get_first(const struct iov_model *model, enum iov_kind kind);
const void *iov_model_get_next(const struct iov_model *model, enum iov_kind kind, const void *record);
/* All records of a kind ordered by name (namespaces: by vAdapter, then number); the caller frees the array. Returns how many. */
int iov_model_sorted(const struct iov_model *model, enum iov_kind kind, const void ***ret_records);
/* Row of a record of this model; the record in a row or NULL; one more than the last row in use. */
unsigned int iov_model_row(const struct iov_model *model, enum iov_kind kind, const void *record);
const void *iov_model_at(const struct iov_model *model, enum iov_kind kind, unsigned int row);
unsigned int iov_model_rows(const struct iov_model *model, enum iov_kind kind);

#define iov_model_foreach(model, kind, record)                                                                                   \
        for ((record) = iov_model_get_first((model), (kind)); (record); (record) = iov_model_get_next((model), (kind), (record)))

/* True where both records agree in every CONFIG field. */
bool iov_record_same_config(enum iov_kind kind, const void *a, const void *b);
/*
 * Members: NAMESPACE, LUN and DRIVE are numbered volumes of a vAdapter, PROFILE_SLOT numbered vAdapters of a profile. Their
 * records have one shape, and their names are PARENT/NUMBER.
 */
struct iov_member {
        char name[IOV_NAME_SIZE], parent[IOV_NAME_SIZE], target[IOV_NAME_SIZE];
        uint32_t number;
        uint32_t read_only; /* of namespaces; 0 in others */
        uint8_t reserved[8];
};
struct iov_member_info {
        enum iov_kind kind, parent, target;
        uint32_t min, max; /* numbers */
};
/* NULL: no kind of member. */
const struct iov_member_info *iov_member_info(enum iov_kind kind);
/* The kind of member that shows volumes on vAdapters of an adapter of that kind; IOV_KIND_TABLE: none. */
enum iov_kind iov_member_kind_of_adapter(uint32_t adapter_kind);
/* Fills in parent, number and name. -ENAMETOOLONG where they do not fit. */
int iov_member_init(struct iov_member *member, const char *parent, uint32_t number);
const struct iov_member *iov_member_get(const struct iov_model *model, enum iov_kind kind, const char *parent, uint32_t number);
/*
 * Fill in what follows from attachments and profiles: `server` of profiles, `at_server`, `at_slot` and `profile` of vAdapters.
 * The appliance's tables have it; a model that was read or changed needs it before it is asked where a vAdapter is.
 */
int iov_model_derive(struct iov_model *model);
/* A namespace of a vAdapter, NULL: there is none of that number. */
const struct iov_namespace *iov_namespace_get(const struct iov_model *model, const char *vadapter, uint32_t nsid);
/* Fills in vadapter, nsid and name. -ENAMETOOLONG where they do not fit. */
int iov_namespace_init(struct iov_namespace *ns, const char *vadapter, uint32_t nsid);
/* The vAdapter that is in a slot of a server, NULL: free. */
const struct iov_vadapter *iov_vadapter_in_slot(const struct iov_model *model, const char *server, uint32_t slot);
/* Whether the server that a vAdapter is in can see it: the link is up, and no fault on demand has pulled it. Of a model without
 * links, such as one from YAML: true. */
bool iov_vadapter_is_reachable(const struct iov_model *model, const struct iov_vadapter *vadapter);
/* Letters, digits, '.', '_' and '-', starting with a letter or digit, at most IOV_NAME_MAX. */
bool iov_name_is_valid(const char *name);

/* Words for enumerations, as in YAML; NULL for an unknown value. The reverse gives -EINVAL for an unknown word. */
const char *iov_adapter_kind_to_string(uint32_t kind);
int iov_adapter_kind_from_string(const char *s, uint32_t *ret_kind);
const char *iov_on_remove_to_string(uint32_t v);
int iov_on_remove_from_string(const char *s, uint32_t *ret_v);
const char *iov_provisioning_to_string(uint32_t v);
int iov_provisioning_from_string(const char *s, uint32_t *ret_v);
/* Bytes, 0 for an unknown value. The words are the same numbers, 512 and 4096. */
uint32_t iov_block_size_bytes(uint32_t v);
int iov_block_size_from_string(const char *s, uint32_t *ret_v);
const char *iov_vlan_mode_to_string(uint32_t v);
int iov_vlan_mode_from_string(const char *s, uint32_t *ret_v);
const char *iov_interrupts_to_string(uint32_t v);
int iov_interrupts_from_string(const char *s, uint32_t *ret_v);
const char *iov_memory_to_string(uint32_t v);
int iov_memory_from_string(const char *s, uint32_t *ret_v);
/* Why not all is pinned that is to be; NULL also for IOV_UNPINNED_NOTHING. */
const char *iov_unpinned_to_string(uint32_t v);
const char *iov_polling_to_string(uint32_t v);
int iov_polling_from_string(const char *s, uint32_t *ret_v);
const char *iov_media_to_string(uint32_t v);
int iov_media_from_string(const char *s, uint32_t *ret_v);
const char *iov_identity_type_to_string(uint32_t v);
int iov_identity_type_from_string(const char *s, uint32_t *ret_v);
const char *iov_fault_type_to_string(uint32_t v);
int iov_fault_type_from_string(const char *s, uint32_t *ret_v);
const char *iov_link_state_to_string(uint32_t state);
const char *iov_server_state_to_string(uint32_t state);
const char *iov_vadapter_state_to_string(uint32_t state);
const char *iov_host_state_to_string(uint32_t state);

/*
 * Give an object of a config kind (no member, no pool) another name, at once and everywhere: what refers to it follows, its data,
 * identities and counters stay. `flags`: IOV_TXN_*. Errors as of iov_plan_apply().
 */
int iov_object_rename(struct iov_appliance *appliance, enum iov_kind kind, const char *name, const char *new_name,
                      unsigned int flags, struct iov_mb_txn_result *ret_result, struct iov_mb_error *ret_error);

/*
 * Ask again for what is wanted of a vAdapter already: plugging or unplugging that failed is tried again; with IOV_TXN_FORCE a
 * server that should have let go of it loses it at once. Changes nothing. -ESTALE: the appliance is not as in `model` any more,
 * -ENOENT: the model has no such vAdapter; else as iov_plan_apply().
 */
int iov_vadapter_retry(struct iov_appliance *appliance, const struct iov_model *model, const char *name, unsigned int flags,
                       struct iov_mb_error *ret_error);

/* ---- history ---- */

/*
 * The generations that the appliance keeps, the oldest first, the present one last; the caller frees the array. -EOPNOTSUPP: the
 * appliance keeps none. -EPROTO: what it said makes no sense.
 */
int iov_history_list(struct iov_appliance *appliance, struct iov_mb_history_entry **ret_entries, size_t *ret_n);
/*
 * What the appliance had in a generation: servers, volumes, vAdapters and namespaces with the identities they had then; no
 * adapters. Fit for iov_topology_write(), and for iov_plan_new() with IOV_PLAN_PRUNE to go back to. -ENOENT: it is not kept (any
 * more), -EPROTO: it was damaged on the way or makes no sense; both are logged.
 */
int iov_history_load(struct iov_appliance *appliance, uint64_t generation, struct iov_model **ret_model);

/* ---- confirming ---- */

/* CLOCK_REALTIME in ns when the present generation is taken back unless it is confirmed; 0: nothing waits. */
int iov_confirm_get_time(struct iov_appliance *appliance, uint64_t *ret_time_ns);
/* Keep what waits. -ENOENT: nothing does (any more). `ret_error` as of iov_command(). */
int iov_confirm_keep(struct iov_appliance *appliance, struct iov_mb_error *ret_error);
/*
 * Go back from what waits now: one transaction that makes every object what it was in the generation before, ids, identities and
 * data included, also where a running server loses a device by it. -ENOENT: nothing waits.
 */
int iov_confirm_take_back(struct iov_appliance *appliance, struct iov_mb_txn_result *ret_result, struct iov_mb_error *ret_error);

/* ---- events ---- */

/* The number that the next event will have; they count up from 0, the start of iovd. */
int iov_events_get_head(struct iov_appliance *appliance, uint64_t *ret_number);
/*
 * Copy events from *number on, at most `max`; those that the appliance has no more are left out. *number moves to the one behind
 * the last, so that the next call goes on there: where it does not move, that was all. An event's number is its `sequence` less
 * one.
 */
int iov_events_read(struct iov_appliance *appliance, uint64_t *number, struct iov_event *ret_events, size_t max, size_t *ret_n);
/* Wait until there is an event `number`: 1, or 0 after the time. Over pci: it looks for it ten times a second. */
int iov_events_wait(struct iov_appliance *appliance, uint64_t number, int timeout_ms);
/*
 * A descriptor for poll(2), the appliance's until close: readable when there may be another event, or the appliance is gone;
 * iov_events_wait() with a time of 0 looks, and makes it wait for the next. Events that came before the first call are not told.
 * -EOPNOTSUPP: there is none, over pci:.
 */
int iov_events_get_fd(struct iov_appliance *appliance);

/* ---- links, adapters, faults on demand: `ret_error` as of iov_command() ---- */

/* Bring a link up or down, or retrain it. Durable, but no generation. -ENOENT, -EINVAL. */
int iov_link_control(struct iov_appliance *appliance, uint32_t link, enum iov_link_action action, struct iov_mb_error *ret_error);
/* Put an adapter into a software chassis (CONFIG fields), or take one out. -EEXIST, -ENOENT, -EBUSY: something is on it,
 * -EOPNOTSUPP: the chassis is a file of the operator's. */
int iov_adapter_insert(struct iov_appliance *appliance, const struct iov_adapter *adapter, struct iov_mb_error *ret_error);
int iov_adapter_remove(struct iov_appliance *appliance, const char *name, struct iov_mb_error *ret_error);
/* A fault on demand: type, object, first, count and value of `fault`; *ret_fault is what it was made, with its number as name. */
int iov_fault_inject(struct iov_appliance *appliance, const struct iov_fault *fault, struct iov_fault *ret_fault,
                     struct iov_mb_error *ret_error);
/* End one, NULL: all. */
int iov_fault_clear(struct iov_appliance *appliance, const char *name, struct iov_mb_error *ret_error);

/* ---- sizes and rates ---- */

/* `64GiB`, `512MiB`, `1TiB`, `4096B`: a unit is mandatory. -EINVAL: malformed, -ERANGE: does not fit. */
int iov_size_parse(const char *s, uint64_t *ret_bytes);
/* `10Gbit`, `100Mbit`: bits per second. */
int iov_rate_parse(const char *s, uint64_t *ret_bits);
/* `200k`, `1M`, plain digits: a count. */
int iov_count_parse(const char *s, uint64_t *ret_count);
/* `30s`, `10m`, `1h`, `7d`: seconds. */
int iov_duration_parse(const char *s, uint64_t *ret_seconds);
/* The shortest text that parses back to the same number; `s` has room for 32 bytes. Return s. */
char *iov_size_format(uint64_t bytes, char s[32]);
char *iov_rate_format(uint64_t bits, char s[32]);
char *iov_count_format(uint64_t count, char s[32]);
char *iov_duration_format(uint64_t seconds, char s[32]);

/* ---- VLANs: the sets in a network's `vlans`, bit n of byte n / 8 for id n ---- */

#define IOV_VLANS_SIZE 512
/* Add a range. -ERANGE: not within 1 to IOV_VLAN_MAX, or the wrong way round. */
int iov_vlans_add(uint8_t vlans[IOV_VLANS_SIZE], uint32_t first, uint32_t last);
/* `10,20,100-199`; empty is none. -EINVAL, -ERANGE. */
int iov_vlans_parse(const char *s, uint8_t ret_vlans[IOV_VLANS_SIZE]);
/* The first run of ids at or after `from`; false: there is none. */
bool iov_vlans_next(const uint8_t vlans[IOV_VLANS_SIZE], uint32_t from, uint32_t *ret_first, uint32_t *ret_last);
/* As iov_vlans_parse() takes it; the caller frees it. */
int iov_vlans_format(const uint8_t vlans[IOV_VLANS_SIZE], char **ret_text);

/* ---- YAML ---- */

enum iov_severity { IOV_ERROR, IOV_WARNING };
/* One finding. Lines and columns count from 1, columns in characters; 0: no position. Strings belong to the list. */
struct iov_diagnostic {
        enum iov_severity severity;
        const char *file; /* "<stdin>" for standard input */
        unsigned int line, column, length;
        const char *text;   /* one line: what is wrong, and what to do */
        const char *source; /* the source line for a terminal (of a long one the part at issue), NULL: not known */
        /* A second place that has to do with it, which the text names too: of what was there first, of what an alias stands for.
         */
        const char *related_text; /* "first here", "defined here", NULL: none */
        const char *related_file;
        unsigned int related_line, related_column, related_length;
};
int iov_diagnostics_new(struct iov_diagnostics **ret_diagnostics);
struct iov_diagnostics *iov_diagnostics_unref(struct iov_diagnostics *diagnostics);
/* Of more than a hundred findings the rest is counted: a last one, an error where one of them was, then says how many. */
size_t iov_diagnostics_count(const struct iov_diagnostics *diagnostics, enum iov_severity severity);
const struct iov_diagnostic *iov_diagnostics_get(const struct iov_diagnostics *diagnostics, size_t i);
/* `file:line:col: error: text`, the source line, a caret line, each with a newline. */
int iov_diagnostics_print(const struct iov_diagnostics *diagnostics, FILE *stream);

/*
 * Read one document of `kind: topology` or `kind: chassis`; `file` is its name for messages. Adds to `model`, so that several
 * files make one; a name defined twice is refused with both places. Aliases stand for what was anchored, merge keys are refused.
 * All findings go to `diagnostics`. -EBADMSG: there were errors; the model is then incomplete. Only what can be seen without an
 * appliance is checked.
 */
int iov_topology_read(struct iov_model *model, const char *file, const char *text, size_t length,
                      struct iov_diagnostics *diagnostics);
int iov_chassis_read(struct iov_model *model, const char *file, const char *text, size_t length,
                     struct iov_diagnostics *diagnostics);
/* Where in the files read an object was defined; -ENOENT. So that a refusal by the appliance can point at it. */
int iov_diagnostics_locate(const struct iov_diagnostics *diagnostics, enum iov_kind kind, const char *name,
                           struct iov_diagnostic *ret_place);
/*
 * When all files are read: look for each name that they refer to and do not define. Where `have`, the model of the appliance,
 * does not have it either, that is an error, with what may have been meant, and -EBADMSG is returned. Without it (NULL) a name
 * that is much like one defined is a warning, and no error, since the appliance may have what the files do not.
 */
int iov_diagnostics_check_references(struct iov_diagnostics *diagnostics, const struct iov_model *have);
/* Add a finding at the place where an object was defined (or without a place). */
int iov_diagnostics_add_object(struct iov_diagnostics *diagnostics, enum iov_severity severity, enum iov_kind kind,
                               const char *name, const char *text);
/* Write the model as a topology or as a chassis, minimal and in a fixed order. */
int iov_topology_write(const struct iov_model *model, FILE *stream);
int iov_chassis_write(const struct iov_model *model, FILE *stream);
/* The chassis that iovd has when it is given none; the same as examples/chassis.yaml. Adds to `model`. */
int iov_chassis_builtin(struct iov_model *model);

/* ---- the plan ---- */

/* One difference: `have` NULL: create, `want` NULL: remove. Both point into the models, which the plan holds. */
struct iov_plan_step {
        enum iov_kind kind;
        const void *have, *want;
};
enum iov_plan_flags { IOV_PLAN_PRUNE = 1 /* also remove what is not wanted */ };
/*
 * The steps that turn `have` into `want`, in an order in which they can be applied: removals of what depends first. A wanted
 * serial that is empty (auto) is satisfied by any.
 */
int iov_plan_new(struct iov_model *have, struct iov_model *want, unsigned int flags, struct iov_plan **ret_plan);
struct iov_plan *iov_plan_unref(struct iov_plan *plan);
size_t iov_plan_count(const struct iov_plan *plan);
const struct iov_plan_step *iov_plan_get(const struct iov_plan *plan, size_t i);

/* What a change does to the server that drives a vAdapter; more is worse. */
enum iov_disturbance {
        IOV_DISTURB_NONE,   /* it notices nothing */
        IOV_DISTURB_LIVE,   /* limits, network, VLAN or namespaces change under it; the device stays, nothing is reset */
        IOV_DISTURB_REPLUG, /* it loses the device and finds it anew, reset: in another slot, or with other identities */
        IOV_DISTURB_UNPLUG, /* it loses the device */
};
/* "none", "live", "replug", "unplug"; NULL: unknown. */
const char *iov_disturbance_to_string(enum iov_disturbance disturbance);
/*
 * What going from `have` to `want` does to the server that the vAdapter is in, if it runs with it. Both are whole states of an
 * appliance, or derived, see iov_model_derive().
 */
enum iov_disturbance iov_vadapter_disturbance(const struct iov_model *have, const struct iov_model *want, const char *vadapter);
/* A step that disturbs a server: the one that runs with the vAdapter, which is that of the plan's `have`. */
struct iov_disturbed {
        size_t step;
        enum iov_disturbance disturbance;
        const struct iov_vadapter *vadapter;
};
/*
 * All that the plan disturbs, in the order of the steps; the caller frees the array. Only vAdapters that are connected count:
 * nobody else would notice. A vAdapter is listed with every step that has a part in it.
 */
int iov_plan_disturbed(const struct iov_plan *plan, struct iov_disturbed **ret_disturbed, size_t *ret_n);
/* Let the plan be taken back by the appliance that many seconds after it was applied, unless it is confirmed; 0: it stays. */
void iov_plan_set_confirm(struct iov_plan *plan, uint32_t seconds);
/*
 * A plan that was saved: `kind: plan`, with the generation and the appliance that it was made for, and what each step takes to be
 * there. Reading needs no appliance; all findings go to `diagnostics`, -EBADMSG: there were errors.
 */
struct iov_saved_plan;
int iov_saved_plan_read(struct iov_ctx *ctx, const char *file, const char *text, size_t length,
                        struct iov_diagnostics *diagnostics, struct iov_saved_plan **ret_saved);
struct iov_saved_plan *iov_saved_plan_unref(struct iov_saved_plan *saved);
uint64_t iov_saved_plan_get_generation(const struct iov_saved_plan *saved);
/* The id of the appliance, 32 hexadecimal digits; see struct iov_mb_identify. */
const char *iov_saved_plan_get_appliance(const struct iov_saved_plan *saved);
/*
 * What `have` will be with it; iov_plan_new() with IOV_PLAN_PRUNE then makes the plan anew. -ESTALE: what the plan takes to be
 * there is not, each place is in `diagnostics`.
 */
int iov_saved_plan_bind(const struct iov_saved_plan *saved, const struct iov_model *have, struct iov_diagnostics *diagnostics,
                        struct iov_model **ret_want);
/*
 * Send the plan as one transaction, refused with -ESTALE where the appliance has moved on since `have` was loaded. `flags`:
 * IOV_TXN_*. `ret_error->op_index` is the index of the step at fault; all reasons of a refusal are iov_reasons_get()'s. With
 * IOV_TXN_DRY_RUN it is judged and nothing changes: where CAPS.REASONS is set it is refused for all that it would be without.
 */
int iov_plan_apply(const struct iov_plan *plan, struct iov_appliance *appliance, unsigned int flags,
                   struct iov_mb_txn_result *ret_result, struct iov_mb_error *ret_error);

#ifdef __cplusplus
}
#endif
#endif
