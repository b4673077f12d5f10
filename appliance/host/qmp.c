/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/qmp.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "util.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define RETRY_FIRST (100 * MS)
#define RETRY_DOUBLINGS 5 /* to 3.2 s: so late we may be for a QEMU that has just been started */
#define GREETING_TIME (5 * SECOND)
#define REPLY_TIME (10 * SECOND) /* device_add has a time-out of 5 s of its own within */
#define FORGIVEN (10 * SECOND)
#define MESSAGE_MAX (1u << 20)
#define DEPTH_MAX 32
#define WAITING_MAX 512
#define SUBJECT_SIZE 128

struct command {
        uint64_t id;
        char *text; /* as sent */
        size_t length, sent;
        char subject[SUBJECT_SIZE];
        qmp_reply_fn fn;
        struct command *next;
};

enum state { STATE_WAITING, STATE_GREETING, STATE_NEGOTIATING, STATE_UP };

struct qmp {
        struct loop *loop;
        struct sockaddr_un address;
        const struct qmp_events *events;
        void *userdata;
        enum state state;
        int fd;
        struct loop_source *source, *timer; /* the timer: next try, or the end of patience */
        unsigned int failures;
        uint64_t up_since;
        struct json_tokener *tokener;
        size_t message_length;
        uint64_t last_id;
        struct command *commands; /* the first one is under way, one at a time */
        unsigned int n_commands;
};

static void on_timer(void *userdata);
static void send_first(struct qmp *q);

/* ---- the connection ---- */

static void command_free(struct command *c) {
        free(c->text);
        free(c);
}

static void close_connection(struct qmp *q) {
        q->source = loop_source_remove(q->source);
        /* close() alone would not do: the loop's poll keeps the file until the ring's next round. */
        if (q->fd >= 0)
                shutdown(q->fd, SHUT_RDWR);
        close_fd(&q->fd);
        q->fd = -1;
        while (q->commands) {
                struct command *c = q->commands;

                q->commands = c->next;
                command_free(c);
        }
        q->n_commands = 0;
        q->message_length = 0;
        json_tokener_reset(q->tokener);
}

/* Every end of a connection, or of a try, comes through here. */
static void fail(struct qmp *q, const char *reason) {
        /* One that greets and goes, again and again, is waited for like one that is not there. */
        if (q->state == STATE_UP && monotonic_ns() - q->up_since > FORGIVEN)
                q->failures = 0;
        unsigned int doublings = q->failures < RETRY_DOUBLINGS ? q->failures : RETRY_DOUBLINGS;

        close_connection(q);
        q->state = STATE_WAITING;
        q->failures++;
        loop_timer_set(q->timer, RETRY_FIRST << doublings);
        q->events->down(q->userdata, reason);
}

static void fail_errno(struct qmp *q, int error) {
        char reason[96];

        snprintf(reason, sizeof(reason), "%s", strerror(error));
        fail(q, reason);
}

/* ---- what comes in ---- */

/* Text of the peer's for a message of ours: printable ASCII, cut. */
static const char *printable(struct json_object *value, char *buffer, size_t size) {
        const char *s = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
        size_t n = 0;

        for (; s[n] && n + 1 < size; n++)
                buffer[n] = s[n] >= ' ' && s[n] <= '~' ? s[n] : '?';
        buffer[n] = 0;
        return buffer;
}

static void handle_greeting(struct qmp *q, struct json_object *message) {
        struct json_object *qmp = NULL;

        if (!json_object_object_get_ex(message, "QMP", &qmp) || !json_object_is_type(qmp, json_type_object)) {
                fail(q, "what is there does not greet as QMP does");
                return;
        }
        q->state = STATE_NEGOTIATING;
        if (qmp_execute(q, "qmp_capabilities", NULL, "", NULL) < 0)
                fail(q, "out of memory");
}

static void handle_reply(struct qmp *q, struct json_object *message, struct json_object *error) {
        struct json_object *id = NULL, *class = NULL, *text = NULL;
        char class_text[64], text_text[192];
        struct command *c = q->commands;
        struct qmp_reply reply = {0};

        json_object_object_get_ex(message, "id", &id);
        if (!c || c->sent < c->length || !json_object_is_type(id, json_type_int) || json_object_get_uint64(id) != c->id) {
                fail(q, "it answers what was not asked");
                return;
        }
        q->commands = c->next;
        q->n_commands--;
        if (error) {
                json_object_object_get_ex(error, "class", &class);
                json_object_object_get_ex(error, "desc", &text);
                reply.error_class = printable(class, class_text, sizeof(class_text));
                reply.text = printable(text, text_text, sizeof(text_text));
        } else {
                json_object_object_get_ex(message, "return", &reply.value);
        }
        if (q->state == STATE_NEGOTIATING && error) {
                fail(q, "it refuses to take commands");
        } else if (q->state == STATE_NEGOTIATING) {
                q->state = STATE_UP;
                q->up_since = monotonic_ns();
                loop_timer_set(q->timer, UINT64_MAX);
                q->events->up(q->userdata);
        } else {
                /* Set first: the callback may queue the next, and starts it then. */
                loop_timer_set(q->timer, UINT64_MAX);
                if (q->commands)
                        send_first(q);
                if (c->fn)
                        c->fn(q->userdata, c->subject, &reply);
        }
        command_free(c);
}

/* false: it is no message that QMP has. */
static bool handle_message(struct qmp *q, struct json_object *message) {
        struct json_object *value = NULL, *data = NULL;

        if (!json_object_is_type(message, json_type_object))
                return false;
        if (q->state == STATE_GREETING) {
                handle_greeting(q, message);
        } else if (json_object_object_get_ex(message, "event", &value)) {
                json_object_object_get_ex(message, "data", &data);
                if (!json_object_is_type(value, json_type_string))
                        return false;
                if (q->state == STATE_UP)
                        q->events->event(q->userdata, json_object_get_string(value),
                                         json_object_is_type(data, json_type_object) ? data : NULL);
        } else if (json_object_object_get_ex(message, "error", &value)) {
                if (!json_object_is_type(value, json_type_object))
                        return false;
                handle_reply(q, message, value);
        } else if (json_object_object_get_ex(message, "return", NULL)) {
                handle_reply(q, message, NULL);
        } else {
                return false;
        }
        return true;
}

/* Messages follow each other in the stream; the tokener says where one ends. */
static void parse(struct qmp *q, const char *bytes, size_t length) {
        while (length > 0 && q->fd >= 0) {
                struct json_object *message = json_tokener_parse_ex(q->tokener, bytes, (int)length);
                enum json_tokener_error error = json_tokener_get_error(q->tokener);
                size_t used = message ? json_tokener_get_parse_end(q->tokener) : length;

                q->message_length += used;
                if (q->message_length > MESSAGE_MAX) {
                        json_object_put(message);
                        fail(q, "it sends a message of more than 1 MiB");
                        return;
                }
                if (!message && error == json_tokener_continue)
                        return;
                if (!message) { /* no JSON, or a lone null */
                        fail(q, "what is there does not speak JSON");
                        return;
                }
                q->message_length = 0;
                if (!handle_message(q, message))
                        fail(q, "what is there does not speak QMP");
                json_object_put(message);
                bytes += used;
                length -= used;
        }
}

static void on_readable(struct qmp *q) {
        char buffer[16384];
        ssize_t n = recv(q->fd, buffer, sizeof(buffer), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0)
                fail_errno(q, errno);
        else if (n == 0)
                fail(q, q->state == STATE_UP ? "it has closed the connection" : "it closes the connection at once");
        else
                parse(q, buffer, (size_t)n);
}

/* ---- what goes out ---- */

static void write_out(struct qmp *q) {
        struct command *c = q->commands;

        while (c && c->sent < c->length) {
                ssize_t n = send(q->fd, c->text + c->sent, c->length - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN) {
                        loop_source_set_events(q->source, POLLIN | POLLOUT);
                        return;
                }
                if (n < 0) {
                        /* Whatever it said last is still to be read; the end is seen by the reader. */
                        shutdown(q->fd, SHUT_WR);
                        break;
                }
                c->sent += (size_t)n;
        }
        loop_source_set_events(q->source, POLLIN);
}

static void send_first(struct qmp *q) {
        if (q->state == STATE_UP)
                loop_timer_set(q->timer, REPLY_TIME);
        write_out(q);
}

static void on_socket(void *userdata, int fd, uint32_t events) {
        struct qmp *q = userdata;

        if (events & POLLOUT)
                write_out(q);
        if (events & (POLLIN | POLLHUP | POLLERR))
                on_readable(q);
}

int qmp_execute(struct qmp *q, const char *command, struct json_object *arguments, const char *subject, qmp_reply_fn fn) {
        struct json_object *message = NULL;
        struct command *c = NULL, **end = &q->commands;
        int r = -ENOMEM;

        if (q->fd < 0 || (q->state != STATE_UP && q->state != STATE_NEGOTIATING) || q->n_commands >= WAITING_MAX) {
                json_object_put(arguments);
                return q->n_commands >= WAITING_MAX ? -E2BIG : -ENOTCONN;
        }
        message = json_object_new_object();
        c = calloc(1, sizeof(*c));
        if (message && c) {
                c->id = ++q->last_id;
                c->fn = fn;
                snprintf(c->subject, sizeof(c->subject), "%s", subject);
                json_object_object_add(message, "execute", json_object_new_string(command));
                if (arguments)
                        json_object_object_add(message, "arguments", json_object_get(arguments));
                json_object_object_add(message, "id", json_object_new_uint64(c->id));
                int n = asprintf(
                        &c->text, "%s\n",
                        json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
                c->length = n > 0 ? (size_t)n : 0;
                r = n > 0 ? 0 : -ENOMEM;
        }
        json_object_put(message);
        json_object_put(arguments);
        if (r < 0) {
                free(c);
                return r;
        }
        while (*end)
                end = &(*end)->next;
        *end = c;
        q->n_commands++;
        if (q->commands == c)
                send_first(q);
        return 0;
}

/* ---- tries ---- */

static void try_to_connect(struct qmp *q) {
        q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        /* A unix socket connects at once or not at all; EAGAIN is a full queue of those who wait to be accepted. */
        if (q->fd < 0 || connect(q->fd, (const struct sockaddr *)&q->address, sizeof(q->address)) < 0) {
                fail_errno(q, errno);
                return;
        }
        int r = loop_add_fd(q->loop, q->fd, POLLIN, on_socket, q, &q->source);
        if (r < 0) {
                fail_errno(q, -r);
                return;
        }
        q->state = STATE_GREETING;
        loop_timer_set(q->timer, GREETING_TIME);
}

static void on_timer(void *userdata) {
        struct qmp *q = userdata;

        switch (q->state) {
        case STATE_WAITING:
                try_to_connect(q);
                break;
        case STATE_GREETING: /* QEMU greets one client at a time, others wait in its queue */
                fail(q, "it does not greet within 5 s: it hangs, is no QMP, or serves another client");
                break;
        case STATE_NEGOTIATING:
        case STATE_UP:
                fail(q, "it does not answer within 10 s");
                break;
        }
}

void qmp_kick(struct qmp *q) {
        if (q->state == STATE_WAITING) {
                q->failures = 0;
                loop_timer_set(q->timer, RETRY_FIRST);
        }
}

int qmp_new(struct loop *loop, const char *path, const struct qmp_events *events, void *userdata, struct qmp **ret_qmp) {
        struct qmp *q = calloc(1, sizeof(*q));
        int r = -ENOMEM;

        if (!q)
                return -ENOMEM;
        q->loop = loop;
        q->events = events;
        q->userdata = userdata;
        q->fd = -1;
        q->address.sun_family = AF_UNIX;
        q->tokener = json_tokener_new_ex(DEPTH_MAX);
        if (q->tokener)
                r = field_set(q->address.sun_path, sizeof(q->address.sun_path), path) < 0 ? -ENAMETOOLONG : 0;
        if (r == 0)
                r = loop_add_timer(loop, 0, on_timer, q, &q->timer);
        if (r < 0) {
                qmp_free(q);
                return r;
        }
        json_tokener_set_flags(q->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 | JSON_TOKENER_ALLOW_TRAILING_CHARS);
        *ret_qmp = q;
        return 0;
}

struct qmp *qmp_free(struct qmp *q) {
        if (!q)
                return NULL;
        if (q->tokener) {
                close_connection(q);
                json_tokener_free(q->tokener);
        }
        loop_source_remove(q->timer);
        free(q);
        return NULL;
}
