/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/mgmt/mgmt.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "control/mgmt/access.h"
#include "control/mgmt/mailbox.h"
#include "util.h"
#include "vpc/function.h"
#include "vpc/server.h"

#define CONNECTIONS_MAX 64
#define REFUSED_MAX 16 /* are told so; more are closed without a word, for they would take all descriptors */
#define REGION_BAR0 0
#define REGION_BAR2 2

enum vector { VECTOR_MAILBOX, VECTOR_EVENTS, N_VECTORS };

struct client {
        struct mgmt *mgmt;
        struct control *control;
        const struct vpc_host *host;
        struct mailbox *mailbox;
        void *image;
        struct iov_counter counters;
        struct vpc_function *function;
        struct vpc_connection *connection;
        struct client *next;
};

struct mgmt {
        struct control *control;
        int listener;
        struct loop_source *source;
        char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
        struct client *clients;
        unsigned int n_clients, n_refused;
        bool stop_when_closed;
};

/* ---- the device model ---- */

/* The image of a management function is private to this process and lives as long as its connection, so that it may carry a
 * pointer, which no image of a vAdapter may. */
struct mgmt_state {
        struct client *client;
};

static int model_init(void *state, const struct vpc_persona *persona) {
        return 0;
}

static void on_command_completed(void *userdata) {
        struct client *c = userdata;

        if (c->host && mailbox_wants_interrupt(c->mailbox))
                c->host->irq_raise(c->host->context, VECTOR_MAILBOX);
}

static int model_attach(void *state, const struct vpc_host *host, struct iov_counter *counters, void **ret_device) {
        struct client *c = ((struct mgmt_state *)state)->client;

        c->host = host;
        *ret_device = c;
        return 0;
}

static void model_detach(void *device) {
        ((struct client *)device)->host = NULL;
}

static uint64_t identity_register(struct client *c, uint64_t offset) {
        const struct iov_model *model = control_get_model(c->control);

        switch (offset) {
        case IOV_REG_MAGIC: /* and VERSION */
                return IOV_MAGIC | (uint64_t)IOV_VERSION_MAJOR << 48 | (uint64_t)IOV_VERSION_MINOR << 32;
        case IOV_REG_CAPS:
                return UINT64_C(1) << IOV_CAPS_TRANSACTIONS_SHIFT | UINT64_C(1) << IOV_CAPS_COUNTERS_SHIFT |
                       UINT64_C(1) << IOV_CAPS_EVENTS_SHIFT | UINT64_C(1) << IOV_CAPS_HISTORY_SHIFT |
                       UINT64_C(1) << IOV_CAPS_CONFIRM_SHIFT | UINT64_C(1) << IOV_CAPS_FAULTS_SHIFT |
                       UINT64_C(1) << IOV_CAPS_REASONS_SHIFT;
        case IOV_REG_GENERATION:
                return iov_model_get_generation(model);
        case IOV_REG_STATUS: /* and PID */
                return (uint64_t)control_is_ready(c->control) << IOV_STATUS_READY_SHIFT |
                       (uint64_t)control_is_sim(c->control) << IOV_STATUS_SIM_SHIFT | (uint64_t)getpid() << 32;
        case IOV_REG_LINKS: /* and SLOTS */
                return iov_model_get_links(model) | (uint64_t)iov_model_get_slots(model) << 32;
        case IOV_REG_TELEMETRY_TIME:
                return control_get_snapshot_time(c->control);
        case IOV_REG_EVENT_HEAD:
                return tables_get_event_head(control_get_tables(c->control));
        case IOV_REG_CONFIRM_TIME:
                return control_get_confirm_time(c->control);
        default:
                return 0;
        }
}

static uint64_t cut(uint64_t value, uint64_t offset, unsigned int length) {
        value >>= 8 * (offset & 7);
        return length == 8 ? value : value & ((UINT64_C(1) << (8 * length)) - 1);
}

static uint64_t model_bar_read(void *device, unsigned int bar, uint64_t offset, unsigned int length) {
        struct client *c = device;
        uint64_t value = 0;

        if (bar == REGION_BAR0 && offset >= IOV_REG_MB_CAPS)
                return mailbox_read(c->mailbox, offset - IOV_REG_MB_CAPS, length);
        if (bar == REGION_BAR0)
                return cut(identity_register(c, offset & ~UINT64_C(7)), offset, length);
        if (bar == REGION_BAR2 && offset + length <= IOV_BAR2_SIZE)
                memcpy(&value, (const char *)tables_get_memory(control_get_tables(c->control)) + offset, length);
        return value;
}

static void model_bar_write(void *device, unsigned int bar, uint64_t offset, unsigned int length, uint64_t value) {
        struct client *c = device;

        if (bar != REGION_BAR0)
                return;
        if (offset >= IOV_REG_MB_CAPS)
                mailbox_write(c->mailbox, offset - IOV_REG_MB_CAPS, length, value);
        else if (offset == IOV_REG_TELEMETRY_SNAPSHOT)
                control_snapshot(c->control);
}

static bool model_bar_bulk(void *device, unsigned int bar, uint64_t offset, void *buffer, size_t length, bool is_write) {
        struct client *c = device;

        if (bar == REGION_BAR0 && offset >= IOV_REG_MB_PAYLOAD) {
                unsigned char *payload = mailbox_payload(c->mailbox, offset - IOV_REG_MB_CAPS, length, is_write);

                if (!payload)
                        return false;
                memcpy(is_write ? payload : buffer, is_write ? buffer : payload, length);
                return true;
        }
        if (bar != REGION_BAR2 || is_write || offset > IOV_BAR2_SIZE || length > IOV_BAR2_SIZE - offset)
                return false;
        memcpy(buffer, (const char *)tables_get_memory(control_get_tables(c->control)) + offset, length);
        return true;
}

static bool model_area(void *device, unsigned int bar, struct vpc_area *ret_area) {
        const struct client *c = device;

        if (bar != REGION_BAR2)
                return false;
        *ret_area =
                (struct vpc_area){.size = IOV_BAR2_SIZE, .fd = tables_get_fd(control_get_tables(c->control)), .read_only = true};
        return true;
}

static void model_reset(void *device, enum vpc_reset scope) {
        mailbox_reset(((struct client *)device)->mailbox);
}

static const struct vpc_description description = {
        .vendor_id = IOV_MGMT_VENDOR_ID,
        .device_id = IOV_MGMT_DEVICE_ID,
        .subsystem_vendor_id = IOV_MGMT_VENDOR_ID,
        .subsystem_id = IOV_MGMT_DEVICE_ID,
        .revision = IOV_VERSION_MAJOR,
        .class_code = IOV_MGMT_CLASS,
        .interrupt_pin = 1,
        .bars = {[REGION_BAR0] = {.size = IOV_BAR0_SIZE, .is_64bit = true},
                 [REGION_BAR2] = {.size = IOV_BAR2_SIZE, .is_64bit = true, .is_prefetchable = true},
                 [4] = {.size = 4096, .is_64bit = true}},
        .msix_vectors = N_VECTORS,
        .msix_bar = 4,
        .msix_table_offset = 0,
        .msix_pba_offset = 2048,
        .link_width = 1,
        .link_speed = 1,
        .has_aer = true,
        .has_dsn = true,
};

static const struct vpc_model mgmt_model = {.name = "mgmt",
                                            .description = &description,
                                            .no_dma = true,
                                            .state_version = 1,
                                            .state_size = sizeof(struct mgmt_state),
                                            .init = model_init,
                                            .attach = model_attach,
                                            .detach = model_detach,
                                            .bar_read = model_bar_read,
                                            .bar_write = model_bar_write,
                                            .reset = model_reset,
                                            .area = model_area,
                                            .bar_bulk = model_bar_bulk};

/* ---- connections ---- */

static void client_free(struct client *c) {
        for (struct client **p = &c->mgmt->clients; *p; p = &(*p)->next)
                if (*p == c) {
                        *p = c->next;
                        c->mgmt->n_clients--;
                        break;
                }
        vpc_function_free(c->function);
        mailbox_free(c->mailbox);
        free(c->image);
        free(c);
}

static void on_closed(void *userdata, const char *reason) {
        struct client *c = userdata;
        struct mgmt *mgmt = c->mgmt;

        c->connection = NULL;
        client_free(c);
        if (mgmt->stop_when_closed)
                loop_stop(control_get_loop(mgmt->control), 0);
}

static void no_io(void *context, unsigned int medium, struct vpc_io *io) {
        io->private.finish(io, -ENXIO);
}

static void client_log(void *context, int level, const char *text) {
        const struct client *c = context;

        journal_log(control_get_journal(c->control), level, "management: %s", text);
}

static const struct vpc_connection_events connection_events = {.closed = on_closed};

static int client_bring_up(struct client *c, int *fd, uint32_t uid, bool may_change) {
        const struct vpc_environment environment = {.context = c, .io_submit = no_io, .log = client_log};
        struct vpc_persona persona = {.name = "management", .unique_id = 0};
        size_t size = vpc_image_size(&mgmt_model);
        int r = mailbox_new(c->control, uid, may_change, on_command_completed, c, &c->mailbox);

        if (r < 0)
                return r;
        if (posix_memalign(&c->image, 4096, size))
                return -ENOMEM;
        memset(c->image, 0, size);
        r = vpc_image_init(c->image, &mgmt_model, &persona);
        if (r < 0)
                return r;
        ((struct mgmt_state *)(void *)((char *)c->image + VPC_IMAGE_MODEL_OFFSET))->client = c;
        r = vpc_function_new(control_get_loop(c->control), &mgmt_model, c->image, &c->counters, &environment, &c->function);
        if (r < 0)
                return r;
        return vpc_connection_new(control_get_loop(c->control), take_fd(fd), c->function, &connection_events, c, &c->connection);
}

static int client_new(struct mgmt *mgmt, int fd, uid_t uid, bool may_change) {
        CLEANUP_CLOSE int socket = fd;
        struct client *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        c->mgmt = mgmt;
        c->control = mgmt->control;
        c->next = mgmt->clients;
        mgmt->clients = c;
        mgmt->n_clients++;
        int r = client_bring_up(c, &socket, uid, may_change);
        if (r < 0)
                client_free(c);
        return r;
}

static void on_refused_closed(void *userdata, const char *reason) {
        ((struct mgmt *)userdata)->n_refused--;
}

static const struct vpc_connection_events too_many = {.closed = on_refused_closed},
                                          not_permitted = {.closed = on_refused_closed, .refusal = EACCES};

static void on_listener(void *userdata, int fd, uint32_t events) {
        struct mgmt *mgmt = userdata;
        struct vpc_connection *ignored;
        uid_t uid;
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client < 0)
                return;
        enum access access = access_of_peer(client, control_get_options(mgmt->control)->read_group, &uid);
        if (access == ACCESS_NONE || mgmt->n_clients >= CONNECTIONS_MAX) {
                const struct vpc_connection_events *refused = access == ACCESS_NONE ? &not_permitted : &too_many;

                if (mgmt->n_refused >= REFUSED_MAX)
                        close(client);
                else if (vpc_connection_new(control_get_loop(mgmt->control), client, NULL, refused, mgmt, &ignored) >= 0)
                        mgmt->n_refused++;
                return;
        }
        int r = client_new(mgmt, client, uid, access == ACCESS_CHANGE);
        if (r < 0)
                journal_log(control_get_journal(mgmt->control), LOG_ERR, "management: a connection cannot be served: %s",
                            strerror(-r));
}

static void on_event(void *userdata) {
        const struct mgmt *m = userdata;

        for (const struct client *c = m->clients; c; c = c->next)
                if (c->host)
                        c->host->irq_raise(c->host->context, VECTOR_EVENTS);
}

static int mgmt_new(struct control *control, struct mgmt **ret_mgmt) {
        struct mgmt *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        m->control = control;
        m->listener = -1;
        tables_on_event(control_get_tables(control), on_event, m);
        *ret_mgmt = m;
        return 0;
}

#define KEPT_KEY 1 /* with the keeper; the supervisor's keys have higher bits */

static int socket_path(const char *run_directory, struct sockaddr_un *address) {
        int n = snprintf(address->sun_path, sizeof(address->sun_path), "%s/mgmt.sock", run_directory);

        return n < 0 || (size_t)n >= sizeof(address->sun_path) ? -ENAMETOOLONG : 0;
}

/* The socket that a control process before this one has listened on: who connects meanwhile is served by us. Not one whose name
 * is gone, or another: a service manager that has it in its store may have removed the directory, or start us with other options.
 */
static bool take_listener(struct mgmt *m, const char *run_directory) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct keeping_record *r;
        struct stat st;

        if (socket_path(run_directory, &address) < 0 || lstat(address.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
                return false;
        for (size_t i = 0; (r = keeping_get(control_get_keeping(m->control), i)); i++)
                if (r->key == KEPT_KEY && r->n_fds == 1 && r->size == sizeof(m->path) && r->fds[0] >= 0 &&
                    strncmp(address.sun_path, r->note, sizeof(m->path)) == 0) {
                        memcpy(m->path, r->note, sizeof(m->path));
                        m->listener = take_fd(&r->fds[0]);
                        return true;
                }
        return false;
}

static int open_listener(struct mgmt *m, const char *run_directory) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int r = socket_path(run_directory, &address);

        if (r < 0)
                return r;
        m->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (m->listener < 0)
                return -errno;
        if (unlink(address.sun_path) < 0 && errno != ENOENT)
                return -errno;
        /* Who may look must be able to connect; access_of_peer() tells who is who. */
        mode_t old = umask(control_get_options(m->control)->read_group != ACCESS_NO_GROUP ? 0111 : 0117);
        r = bind(m->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
        umask(old);
        if (r < 0)
                return r;
        memcpy(m->path, address.sun_path, sizeof(m->path));
        if (listen(m->listener, 16) < 0)
                return -errno;
        return keeping_store(control_get_keeping(m->control), KEPT_KEY, m->path, sizeof(m->path), &m->listener, 1);
}

int mgmt_listen(struct control *control, const char *run_directory, struct mgmt **ret_mgmt) {
        struct mgmt *m = NULL;
        int r = mgmt_new(control, &m);

        if (r == 0 && !take_listener(m, run_directory))
                r = open_listener(m, run_directory);
        if (r == 0)
                r = loop_add_fd(control_get_loop(control), m->listener, POLLIN, on_listener, m, &m->source);
        if (r < 0) {
                mgmt_free(m);
                return r;
        }
        *ret_mgmt = m;
        return 0;
}

int mgmt_serve(struct control *control, int fd, struct mgmt **ret_mgmt) {
        struct mgmt *m = NULL;
        int r = mgmt_new(control, &m);

        if (r < 0) {
                close(fd);
                return r;
        }
        m->stop_when_closed = true;
        r = client_new(m, fd, geteuid(), true);
        if (r < 0) {
                mgmt_free(m);
                return r;
        }
        *ret_mgmt = m;
        return 0;
}

struct mgmt *mgmt_free(struct mgmt *m) {
        if (!m)
                return NULL;
        m->stop_when_closed = false;
        tables_on_event(control_get_tables(m->control), NULL, NULL);
        loop_source_remove(m->source);
        close_fd(&m->listener);
        if (*m->path) {
                unlink(m->path);
                keeping_remove(control_get_keeping(m->control), KEPT_KEY);
        }
        /* Nothing is ever under way for a management function, so that closing is done at once. */
        while (m->clients) {
                struct client *c = m->clients;

                if (c->connection)
                        vpc_connection_close(c->connection, "iovd ends");
                if (m->clients == c)
                        client_free(c);
        }
        free(m);
        return NULL;
}
