/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/mgmt/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "config.h"
#include "control/amend.h"
#include "control/faults.h"
#include "iove/rules.h"
#include "util.h"
#include "vpc/model.h"

#define OFFSET(register) (IOV_REG_MB_##register - IOV_REG_MB_CAPS)
#define PAYLOAD_OFFSET OFFSET(PAYLOAD)

struct mailbox {
        struct control *control;
        uint32_t uid;
        bool may_change;
        void (*completed)(void *userdata);
        void *userdata;
        uint32_t mb_control;
        uint64_t command, status;
        struct iove_transaction *transaction;
        struct control_commit commit;
        bool committing;
        struct iov_mb_isolation_row *isolation; /* the last look, read in parts */
        size_t n_isolation;
        _Alignas(uint64_t) unsigned char payload[IOV_MB_PAYLOAD_BYTES];
};

int mailbox_new(struct control *control, uint32_t uid, bool may_change, void (*completed)(void *userdata), void *userdata,
                struct mailbox **ret_mailbox) {
        struct mailbox *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        m->control = control;
        m->uid = uid;
        m->may_change = may_change;
        m->completed = completed;
        m->userdata = userdata;
        *ret_mailbox = m;
        return 0;
}

void mailbox_reset(struct mailbox *m) {
        if (m->committing)
                control_commit_forget(m->control, &m->commit);
        m->committing = false;
        m->transaction = iove_transaction_free(m->transaction);
        free(TAKE_PTR(m->isolation));
        m->n_isolation = 0;
        m->mb_control = 0;
        m->command = m->status = 0;
        memset(m->payload, 0, sizeof(m->payload));
}

struct mailbox *mailbox_free(struct mailbox *m) {
        if (m) {
                mailbox_reset(m);
                free(m);
        }
        return NULL;
}

/* ---- completion ---- */

static void complete(struct mailbox *m, enum iov_retcode code, size_t length) {
        m->status = (uint64_t)code << IOV_MB_STATUS_RETURN_CODE_SHIFT;
        m->command = (m->command & 0xffff) | ((uint64_t)length << IOV_MB_COMMAND_LENGTH_SHIFT);
        m->mb_control &= ~UINT32_C(1);
        m->completed(m->userdata);
}

static void complete_with(struct mailbox *m, const void *reply, size_t length) {
        memcpy(m->payload, reply, length);
        complete(m, IOV_RET_SUCCESS, length);
}

static void complete_refused(struct mailbox *m, const struct iove_refusal *refusal) {
        const size_t n = refusal->n < IOV_MB_ERRORS_MAX ? refusal->n : IOV_MB_ERRORS_MAX;

        memcpy(m->payload, refusal->errors, n * sizeof(*refusal->errors));
        memcpy(m->payload + offsetof(struct iov_mb_error, reasons), &refusal->n, sizeof(refusal->n));
        complete(m, refusal->code, n * sizeof(*refusal->errors));
}

static void complete_error(struct mailbox *m, enum iov_retcode code, const char *text) {
        struct iove_refusal refusal;

        iove_refuse(&refusal, code, UINT32_MAX, "%s", text);
        complete_refused(m, &refusal);
}

static void complete_errno(struct mailbox *m, int error, const char *what) {
        char text[256];

        snprintf(text, sizeof(text), "%s: %s", what, strerror(error));
        complete_error(m, iov_retcode_from_errno(error), text);
}

/* ---- commands ---- */

static void command_identify(struct mailbox *m) {
        struct iov_mb_identify id = {.boot_time_ns = control_get_boot_time(m->control)};

        field_set(id.chassis, sizeof(id.chassis), iov_model_get_name(control_get_model(m->control)));
        memcpy(id.id, control_get_id(m->control), sizeof(id.id));
        field_set(id.version, sizeof(id.version), PACKAGE_VERSION);
        field_set(id.run_dir, sizeof(id.run_dir), control_get_run_directory(m->control));
        complete_with(m, &id, sizeof(id));
}

static void command_txn_begin(struct mailbox *m, size_t length) {
        struct iov_mb_txn_begin begin;

        if (length != sizeof(begin)) {
                complete_error(m, IOV_RET_INVALID_INPUT, "TXN_BEGIN: wrong payload length");
                return;
        }
        memcpy(&begin, m->payload, sizeof(begin));
        if (begin.flags & ~(IOV_TXN_DRY_RUN | IOV_TXN_FORCE | IOV_TXN_SCRUB | IOV_TXN_SHRINK)) {
                complete_error(m, IOV_RET_UNSUPPORTED, "TXN_BEGIN: unknown flags");
                return;
        }
        if (begin.confirm_s > IOV_CONFIRM_MAX) {
                complete_error(m, IOV_RET_INVALID_INPUT, "TXN_BEGIN: a confirm time of more than a day");
                return;
        }
        m->transaction = iove_transaction_free(m->transaction);
        int r = iove_transaction_new(&begin, &m->transaction);
        if (r < 0)
                complete_errno(m, -r, "TXN_BEGIN");
        else
                complete(m, IOV_RET_SUCCESS, 0);
}

/* A refused operation ends the transaction: what came before must not be committed without it. */
static void command_txn_append(struct mailbox *m, size_t length) {
        struct iove_refusal refusal;

        if (!m->transaction) {
                complete_error(m, IOV_RET_INVALID_INPUT, "TXN_APPEND: no transaction was begun");
                return;
        }
        int r = iove_transaction_append(m->transaction, m->payload, length, &refusal);
        if (r == 0) {
                complete(m, IOV_RET_SUCCESS, 0);
                return;
        }
        m->transaction = iove_transaction_free(m->transaction);
        if (r == -EBADMSG)
                complete_refused(m, &refusal);
        else
                complete_errno(m, -r, "TXN_APPEND");
}

static void on_committed(struct control_commit *commit, int result) {
        struct mailbox *m = (struct mailbox *)(void *)((char *)commit - offsetof(struct mailbox, commit));

        m->committing = false;
        if (commit->kind == COMMIT_TRANSACTION)
                m->transaction = iove_transaction_free(m->transaction);
        if (result == 0 && commit->amend == amend_fault_inject)
                complete_with(m, &commit->request.fault, sizeof(commit->request.fault));
        else if (result == 0 && (commit->kind == COMMIT_CONFIRM || commit->amend))
                complete(m, IOV_RET_SUCCESS, 0);
        else if (result == 0)
                complete_with(m, &commit->result, sizeof(commit->result));
        else if (result == -EBADMSG)
                complete_refused(m, &commit->refusal);
        else
                complete_errno(m, -result, "the state cannot be saved, nothing was changed");
}

static void start_commit(struct mailbox *m, enum control_commit_kind kind) {
        m->commit.kind = kind;
        m->commit.transaction = kind == COMMIT_TRANSACTION ? m->transaction : NULL;
        m->commit.uid = m->uid;
        m->commit.done = on_committed;
        m->committing = true;
        control_commit(m->control, &m->commit);
}

/* Looking is not touching: whoever may only look may still ask what would be. */
static bool is_permitted(struct mailbox *m, unsigned int opcode) {
        switch (opcode) {
        case IOV_OP_TXN_COMMIT:
                return m->may_change || !m->transaction || iove_transaction_flags(m->transaction) & IOV_TXN_DRY_RUN;
        case IOV_OP_IDENTIFY:
        case IOV_OP_TXN_BEGIN:
        case IOV_OP_TXN_APPEND:
        case IOV_OP_CONFIG_READ:
        case IOV_OP_LOG_READ:
        case IOV_OP_ISOLATION_READ:
        case IOV_OP_RESERVATION_READ:
        case IOV_OP_HISTORY_LIST:
        case IOV_OP_HISTORY_READ:
                return true;
        default: /* whatever else there is, or will be */
                return m->may_change;
        }
}

static void refuse(struct mailbox *m) {
        char text[128];

        journal_event(control_get_journal(m->control), LOG_WARNING, m->uid, "", "a change was refused: user %u may only look",
                      m->uid);
        m->transaction = iove_transaction_free(m->transaction);
        snprintf(text, sizeof(text),
                 "you may look, but not change anything: that is for root and for the user and group of iovd");
        complete_error(m, IOV_RET_NOT_PERMITTED, text);
}

static void command_txn_commit(struct mailbox *m, size_t length) {
        if (!m->transaction || length != 0) {
                complete_error(m, IOV_RET_INVALID_INPUT,
                               m->transaction ? "TXN_COMMIT: wrong payload length" : "TXN_COMMIT: no transaction was begun");
                return;
        }
        memset(&m->commit, 0, sizeof(m->commit));
        start_commit(m, COMMIT_TRANSACTION);
}

static void command_confirm(struct mailbox *m, size_t length, enum control_commit_kind kind) {
        if (length != 0) {
                complete_error(m, IOV_RET_INVALID_INPUT, "CONFIRM, TAKE_BACK: wrong payload length");
                return;
        }
        memset(&m->commit, 0, sizeof(m->commit));
        start_commit(m, kind);
}

static void command_amend(struct mailbox *m, size_t length, size_t wanted, enum control_commit_kind kind,
                          control_amend_fn amend) {
        if (length != wanted) {
                complete_error(m, IOV_RET_INVALID_INPUT, "wrong payload length");
                return;
        }
        memset(&m->commit, 0, sizeof(m->commit));
        memcpy(&m->commit.request, m->payload, wanted);
        if (wanted == IOV_NAME_SIZE && !memchr(m->commit.request.name, 0, IOV_NAME_SIZE)) {
                complete_error(m, IOV_RET_INVALID_INPUT, "the name does not end");
                return;
        }
        m->commit.amend = amend;
        start_commit(m, kind);
}

/* Links, adapters and faults; false: none of these. */
static bool run_amendment(struct mailbox *m, unsigned int opcode, size_t length) {
        switch (opcode) {
        case IOV_OP_LINK_CONTROL:
                command_amend(m, length, sizeof(struct iov_mb_link_control), COMMIT_AMEND, amend_link);
                return true;
        case IOV_OP_ADAPTER_INSERT:
                command_amend(m, length, sizeof(struct iov_adapter), COMMIT_CHASSIS, amend_adapter_insert);
                return true;
        case IOV_OP_ADAPTER_REMOVE:
                command_amend(m, length, IOV_NAME_SIZE, COMMIT_CHASSIS, amend_adapter_remove);
                return true;
        case IOV_OP_RESERVATION_CLEAR:
                command_amend(m, length, IOV_NAME_SIZE, COMMIT_AMEND, amend_reservation_clear);
                return true;
        case IOV_OP_FAULT_INJECT:
                command_amend(m, length, sizeof(struct iov_fault), COMMIT_AMEND, amend_fault_inject);
                return true;
        case IOV_OP_FAULT_CLEAR:
                command_amend(m, length, IOV_NAME_SIZE, COMMIT_AMEND, amend_fault_clear);
                return true;
        default:
                return false;
        }
}

static void command_config_read(struct mailbox *m, size_t length) {
        char name[IOV_NAME_SIZE];

        if (length != sizeof(name) || !memchr(m->payload, 0, sizeof(name))) {
                complete_error(m, IOV_RET_INVALID_INPUT, "CONFIG_READ: the payload must be a name of 80 bytes");
                return;
        }
        memcpy(name, m->payload, sizeof(name));
        int r = control_read_config(m->control, name, m->payload);
        if (r < 0)
                complete_errno(m, -r, name);
        else
                complete(m, IOV_RET_SUCCESS, VPC_CONFIG_SIZE);
}

static void command_log_read(struct mailbox *m, size_t length) {
        uint64_t offset, first;

        if (length != sizeof(offset)) {
                complete_error(m, IOV_RET_INVALID_INPUT, "LOG_READ: wrong payload length");
                return;
        }
        memcpy(&offset, m->payload, sizeof(offset));
        size_t n = journal_read(control_get_journal(m->control), offset, m->payload + sizeof(first),
                                sizeof(m->payload) - sizeof(first), &first);
        memcpy(m->payload, &first, sizeof(first));
        complete(m, IOV_RET_SUCCESS, sizeof(first) + n);
}

static void command_history_list(struct mailbox *m, size_t length) {
        struct iov_mb_history_entry *entries = (struct iov_mb_history_entry *)(void *)m->payload;

        if (length != 0) {
                complete_error(m, IOV_RET_INVALID_INPUT, "HISTORY_LIST: wrong payload length");
                return;
        }
        size_t n = history_list(control_get_history(m->control), entries, sizeof(m->payload) / sizeof(*entries));
        complete(m, IOV_RET_SUCCESS, n * sizeof(*entries));
}

static void command_history_read(struct mailbox *m, size_t length) {
        struct iov_mb_history_read request;
        struct iov_mb_history_part part;
        char text[128];

        if (length != sizeof(request)) {
                complete_error(m, IOV_RET_INVALID_INPUT, "HISTORY_READ: wrong payload length");
                return;
        }
        memcpy(&request, m->payload, sizeof(request));
        ssize_t n = history_read(control_get_history(m->control), request.generation, request.offset, m->payload + sizeof(part),
                                 sizeof(m->payload) - sizeof(part), &part);
        if (n >= 0) {
                memcpy(m->payload, &part, sizeof(part));
                complete(m, IOV_RET_SUCCESS, sizeof(part) + (size_t)n);
                return;
        }
        snprintf(text, sizeof(text), "generation %llu: %s", (unsigned long long)request.generation,
                 n == -ENOENT    ? "it is not in the history"
                 : n == -EBADMSG ? "its file is damaged"
                 : n == -ERANGE  ? "it has no bytes at that offset"
                                 : strerror((int)-n));
        complete_error(m, n == -ERANGE ? IOV_RET_INVALID_INPUT : iov_retcode_from_errno((int)-n), text);
}

static void command_isolation_read(struct mailbox *m, size_t length) {
        struct iov_mb_isolation_read request;
        const size_t room = (sizeof(m->payload) - sizeof(struct iov_mb_isolation_part)) / sizeof(struct iov_mb_isolation_row);
        int r = 0;

        if (length != sizeof(request)) {
                complete_error(m, IOV_RET_INVALID_INPUT, "ISOLATION_READ: wrong payload length");
                return;
        }
        memcpy(&request, m->payload, sizeof(request));
        if (request.first == 0) {
                free(TAKE_PTR(m->isolation));
                m->n_isolation = 0;
                r = control_read_isolation(m->control, &m->isolation, &m->n_isolation);
        }
        if (r < 0 || request.first > m->n_isolation) {
                complete_errno(m, r < 0 ? -r : EINVAL, "ISOLATION_READ");
                return;
        }
        const struct iov_mb_isolation_part part = {request.first, m->n_isolation};
        const size_t left = m->n_isolation - (size_t)request.first, n = left < room ? left : room;
        memcpy(m->payload, &part, sizeof(part));
        if (n)
                memcpy(m->payload + sizeof(part), m->isolation + request.first, n * sizeof(*m->isolation));
        complete(m, IOV_RET_SUCCESS, sizeof(part) + n * sizeof(*m->isolation));
}

/* There are few: each part is of a look of its own. */
static void command_reservation_read(struct mailbox *m, size_t length) {
        CLEANUP_FREE struct iov_mb_reservation_row *rows = NULL;
        struct iov_mb_isolation_read request;
        const size_t room = (sizeof(m->payload) - sizeof(struct iov_mb_isolation_part)) / sizeof(*rows);
        size_t n = 0;

        if (length != sizeof(request)) {
                complete_error(m, IOV_RET_INVALID_INPUT, "RESERVATION_READ: wrong payload length");
                return;
        }
        memcpy(&request, m->payload, sizeof(request));
        int r = control_read_reservations(m->control, &rows, &n);
        if (r < 0 || request.first > n) {
                complete_errno(m, r < 0 ? -r : EINVAL, "RESERVATION_READ");
                return;
        }
        const struct iov_mb_isolation_part part = {request.first, n};
        const size_t left = n - (size_t)request.first, sent = left < room ? left : room;
        memcpy(m->payload, &part, sizeof(part));
        memcpy(m->payload + sizeof(part), rows + request.first, sent * sizeof(*rows));
        complete(m, IOV_RET_SUCCESS, sizeof(part) + sent * sizeof(*rows));
}

static void run(struct mailbox *m) {
        unsigned int opcode = m->command & 0xffff;
        size_t length = (m->command >> IOV_MB_COMMAND_LENGTH_SHIFT) & ((1u << IOV_MB_COMMAND_LENGTH_WIDTH) - 1);

        if (length > sizeof(m->payload)) {
                complete_error(m, IOV_RET_INVALID_INPUT, "the payload is longer than the payload area");
                return;
        }
        if (!is_permitted(m, opcode)) {
                refuse(m);
                return;
        }
        /* The way out is always open. */
        if (opcode != IOV_OP_FAULT_INJECT && opcode != IOV_OP_FAULT_CLEAR && faults_swallow(m->control))
                return;
        if (run_amendment(m, opcode, length))
                return;
        switch (opcode) {
        case IOV_OP_IDENTIFY:
                command_identify(m);
                break;
        case IOV_OP_TXN_BEGIN:
                command_txn_begin(m, length);
                break;
        case IOV_OP_TXN_APPEND:
                command_txn_append(m, length);
                break;
        case IOV_OP_TXN_COMMIT:
                command_txn_commit(m, length);
                break;
        case IOV_OP_CONFIRM:
                command_confirm(m, length, COMMIT_CONFIRM);
                break;
        case IOV_OP_TAKE_BACK:
                command_confirm(m, length, COMMIT_TAKE_BACK);
                break;
        case IOV_OP_CONFIG_READ:
                command_config_read(m, length);
                break;
        case IOV_OP_LOG_READ:
                command_log_read(m, length);
                break;
        case IOV_OP_ISOLATION_READ:
                command_isolation_read(m, length);
                break;
        case IOV_OP_RESERVATION_READ:
                command_reservation_read(m, length);
                break;
        case IOV_OP_HISTORY_LIST:
                command_history_list(m, length);
                break;
        case IOV_OP_HISTORY_READ:
                command_history_read(m, length);
                break;
        default:
                complete_error(m, IOV_RET_UNSUPPORTED, "unknown mailbox command");
        }
}

/* ---- registers ---- */

static uint64_t register_at(const struct mailbox *m, uint64_t offset) {
        switch (offset) {
        case OFFSET(CAPS): /* CAPS and CONTROL */
                return (IOV_MB_PAYLOAD_SHIFT | UINT64_C(1) << IOV_MB_CAPS_DOORBELL_IRQ_SHIFT) | (uint64_t)m->mb_control << 32;
        case OFFSET(COMMAND):
                return m->command;
        case OFFSET(STATUS):
                return m->status;
        default:
                return 0;
        }
}

uint64_t mailbox_read(const struct mailbox *m, uint64_t offset, unsigned int length) {
        uint64_t value = register_at(m, offset & ~UINT64_C(7)) >> (8 * (offset & 7));

        return length == 8 ? value : value & ((UINT64_C(1) << (8 * length)) - 1);
}

void mailbox_write(struct mailbox *m, uint64_t offset, unsigned int length, uint64_t value) {
        /* CXL 3.0 section 8.2.8.4.4: while the doorbell is set, writes are ignored. */
        if (m->mb_control & 1)
                return;
        if (offset == OFFSET(COMMAND) && length == 8)
                m->command = value;
        else if (offset == OFFSET(COMMAND) && length == 4)
                m->command = (m->command & ~UINT64_C(0xffffffff)) | (uint32_t)value;
        else if (offset == OFFSET(COMMAND) + 4 && length == 4)
                m->command = (m->command & UINT64_C(0xffffffff)) | value << 32;
        else if (offset == OFFSET(CONTROL) && length == 4) {
                m->mb_control = (uint32_t)value & 3;
                if (m->mb_control & 1)
                        run(m);
        }
}

unsigned char *mailbox_payload(struct mailbox *m, uint64_t offset, size_t length, bool is_write) {
        if (offset < PAYLOAD_OFFSET || offset - PAYLOAD_OFFSET > sizeof(m->payload) ||
            length > sizeof(m->payload) - (offset - PAYLOAD_OFFSET) || (is_write && (m->mb_control & 1)))
                return NULL;
        return m->payload + (offset - PAYLOAD_OFFSET);
}

bool mailbox_wants_interrupt(const struct mailbox *m) {
        return m->mb_control & 2;
}
