/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions: what one process leaves, at whatever point it dies, another one goes on with. Each life is a process of its own, with
 * our table of descriptors, as a worker and its escrow have it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sample-model.h"
#include "util.h"
#include "vfio-user/protocol.h"
#include "vpc/server.h"
#include "vpc/session.h"

#define GUEST 0x100000
#define MEMORY 0x4000
#define RW (VPC_DMA_READABLE | VPC_DMA_WRITEABLE)
#define KILLS 256
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX

struct fixture {
        struct vpc_session *session;
        int client, server, memory, event;
};

/* ---- a life ---- */

struct life {
        struct fixture *f;
        struct sample s;
        struct vpc_connection *connection;
        struct loop_source *timer;
        uint64_t until; /* messages that are to be done */
        bool closed;
};

static void on_closed(void *userdata, const char *reason) {
        struct life *life = userdata;

        life->closed = true;
        /* As a slot that is removed does: nothing of the connection may need it any more. */
        munmap(life->f->session, sizeof(*life->f->session));
        loop_stop(life->s.loop, 0);
}

/* The last reply has gone, whether that is in the state or still in the call's result. */
static bool has_replied(const struct vpc_session *session) {
        const struct vpc_session_state *state = vpc_session_state(session);
        const struct vpc_session_call *call = &session->send;

        return state->out_length == state->out_sent + (vpc_session_has_result(call, state->sent) ? call->header.msg_len : 0);
}

static void on_timer(void *userdata) {
        struct life *life = userdata;

        if (vpc_session_state(life->f->session)->message >= life->until && has_replied(life->f->session))
                loop_stop(life->s.loop, 0);
        else
                loop_timer_set(life->timer, 1000000);
}

static int copy_word(struct life *life, uint64_t from, uint64_t to) {
        sample_write(&life->s, 0, SAMPLE_ADDRESS, 8, from);
        sample_write(&life->s, 0, SAMPLE_COPY, 8, to);
        return (int)sample_read(&life->s, 0, SAMPLE_RESULT, 8);
}

/* Exit status: 0, the connection has closed: 1, the memory is not there: 2; from 10 on it could not begin. */
static int live(struct life *life, bool is_first) {
        static const struct vpc_connection_events events = {.closed = on_closed};
        struct fixture *f = life->f;

        if (sample_new(&life->s, NULL) < 0)
                return 10;
        sample_write(&life->s, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        if (vpc_function_keep(life->s.function, f->session) != 0)
                return 11;
        int r = is_first ? vpc_connection_new(life->s.loop, f->server, life->s.function, &events, life, &life->connection)
                         : vpc_connection_resume(life->s.loop, life->s.function, &events, life, &life->connection);
        if (r < 0 || loop_add_timer(life->s.loop, 0, on_timer, life, &life->timer) < 0)
                return 12;
        if (loop_run(life->s.loop) < 0)
                return 13;
        if (life->closed)
                return 1;
        vpc_function_irq_trigger(life->s.function, MSIX, 3, 1);
        return f->session->windows[0].state == VPC_WINDOW_LIVE && copy_word(life, GUEST, GUEST + 8) != 0 ? 2 : 0;
}

static pid_t life_begin(struct fixture *f, bool is_first, uint64_t until) {
        pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);

        if (pid == 0) {
                static struct life l;

                l = (struct life){.f = f, .until = until};
                _exit(live(&l, is_first));
        }
        assert_true(pid > 0);
        return pid;
}

/* Live until so many messages of all ever sent are done, and die. */
static int life(struct fixture *f, bool is_first, uint64_t until) {
        siginfo_t info = {0};
        pid_t pid = life_begin(f, is_first, until);

        assert_return_code(waitid(P_PID, (id_t)pid, &info, WEXITED), errno);
        assert_int_equal(info.si_code, CLD_EXITED);
        return info.si_status;
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        int pair[2];

        assert_non_null(f);
        f->session = mmap(NULL, sizeof(*f->session), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(f->session != MAP_FAILED);
        assert_int_equal(vpc_session_check(f->session), -EBADMSG);
        vpc_session_init(f->session);
        assert_int_equal(vpc_session_check(f->session), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        f->client = pair[0];
        f->server = pair[1];
        f->memory = memfd_create("test-session", MFD_CLOEXEC);
        assert_int_equal(ftruncate(f->memory, MEMORY), 0);
        f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;
        int fds[64];
        size_t n = vpc_session_descriptors(f->session, fds, ARRAY_LENGTH(fds));

        for (size_t i = 0; i < n && i < ARRAY_LENGTH(fds); i++)
                close(fds[i]);
        close(f->client);
        close(f->memory);
        close(f->event);
        munmap(f->session, sizeof(*f->session));
        free(f);
        return 0;
}

/* ---- the client ---- */

struct message {
        struct vfio_user_header header;
        uint8_t payload[64];
};

static struct message make(unsigned int command, const void *payload, size_t length) {
        static uint16_t id;
        struct message m = {.header = {.id = id, .command = (uint16_t)command, .size = (uint32_t)(sizeof(m.header) + length)}};

        id++;
        memcpy(m.payload, payload, length);
        return m;
}

static void post(const struct fixture *f, const struct message *m, size_t from, size_t length, int fd) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec iov = {(char *)(uintptr_t)m + from, length};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

        if (fd >= 0) {
                msg.msg_control = &control;
                msg.msg_controllen = sizeof(control);
                CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
                CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
                CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
        }
        assert_int_equal(sendmsg(f->client, &msg, MSG_NOSIGNAL), (ssize_t)length);
}

static void post_all(const struct fixture *f, const struct message *m, int fd) {
        post(f, m, 0, m->header.size, fd);
}

static struct message version(void) {
        static const struct vfio_user_version v = {VFIO_USER_MAJOR, VFIO_USER_MINOR};

        return make(VFIO_USER_VERSION, &v, sizeof(v));
}

static struct message dma_map(void) {
        static const struct vfio_user_dma_map map = {.argsz = sizeof(map), .flags = RW, .address = GUEST, .size = MEMORY};

        return make(VFIO_USER_DMA_MAP, &map, sizeof(map));
}

static struct message dma_unmap(void) {
        static const struct vfio_user_dma_unmap unmap = {.argsz = sizeof(unmap), .address = GUEST, .size = MEMORY};

        return make(VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap));
}

static struct message set_irq(void) {
        static const struct vfio_irq_set set = {.argsz = sizeof(set),
                                                .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
                                                .index = MSIX,
                                                .start = 3,
                                                .count = 1};

        return make(VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set));
}

static struct message region_read(void) {
        static const struct vfio_user_region_access access = {.region = 0, .offset = 0, .count = 8};

        return make(VFIO_USER_REGION_READ, &access, sizeof(access));
}

/* The reply to a message, its errno; nothing else is there but it. */
static unsigned int reply_to(const struct fixture *f, const struct message *m) {
        struct vfio_user_header header = {0};
        char rest[4096];

        assert_int_equal(recv(f->client, &header, sizeof(header), MSG_WAITALL), sizeof(header));
        assert_int_equal(header.id, m->header.id);
        assert_true(header.size >= sizeof(header) && header.size <= sizeof(rest));
        size_t length = header.size - sizeof(header);
        assert_true(!length || recv(f->client, rest, length, MSG_WAITALL) == (ssize_t)length);
        return header.flags & VFIO_USER_ERROR ? header.error : 0;
}

static bool is_silent(const struct fixture *f) {
        struct pollfd p = {.fd = f->client, .events = POLLIN};

        return poll(&p, 1, 0) == 0;
}

/* ---- tests ---- */

static void begin(struct fixture *f) {
        const struct message messages[] = {version(), dma_map(), set_irq()};

        post_all(f, &messages[0], -1);
        post_all(f, &messages[1], f->memory);
        post_all(f, &messages[2], f->event);
        assert_int_equal(life(f, true, 3), 0);
        for (unsigned int i = 0; i < ARRAY_LENGTH(messages); i++)
                assert_int_equal(reply_to(f, &messages[i]), 0);
}

static uint64_t events(const struct fixture *f) {
        uint64_t n = 0;

        return read(f->event, &n, sizeof(n)) == (ssize_t)sizeof(n) ? n : 0;
}

static void test_life_goes_on(void **state) {
        struct fixture *f = *state;
        const uint64_t word = UINT64_C(0x1122334455667788);
        uint64_t back = 0;

        begin(f);
        assert_int_equal(events(f), 1);
        assert_int_equal(pwrite(f->memory, &word, 8, 0), 8);
        /* half a message before the death, half after it */
        const struct message m = region_read();
        post(f, &m, 0, 20, -1);
        assert_int_equal(life(f, false, 3), 0);
        assert_int_equal(events(f), 1);
        assert_int_equal(pread(f->memory, &back, 8, 8), 8);
        assert_true(back == word);
        post(f, &m, 20, m.header.size - 20, -1);
        assert_int_equal(life(f, false, 4), 0);
        assert_int_equal(reply_to(f, &m), 0);
        assert_true(is_silent(f));
}

/* As if the process had died before it could say that the message is done. */
static void take_back(struct fixture *f, const struct message *m, uint64_t number, int fd) {
        struct vpc_session_state s = *vpc_session_state(f->session);

        memcpy(f->session->in[s.in & 1], m, m->header.size);
        s.in_start = 0;
        s.in_end = s.fds_end = m->header.size;
        s.n_fds = fd >= 0;
        s.fds[0] = fd;
        s.message = number;
        vpc_session_commit(f->session, &s);
}

static void test_map_twice(void **state) {
        struct fixture *f = *state;
        const struct message again = dma_map();

        begin(f);
        assert_int_equal(f->session->windows[0].message, 1);
        take_back(f, &again, 1, f->session->windows[0].fd);
        assert_int_equal(life(f, false, 2), 0);
        assert_int_equal(reply_to(f, &again), 0);
        assert_int_equal(f->session->n_windows, 1);
        /* but another message may not map what is mapped */
        take_back(f, &again, 7, fcntl(f->memory, F_DUPFD_CLOEXEC, 0));
        assert_int_equal(life(f, false, 8), 0);
        assert_int_equal(reply_to(f, &again), EEXIST);
}

static void test_unmap_twice(void **state) {
        struct fixture *f = *state;
        const struct message unmap = dma_unmap();

        begin(f);
        f->session->windows[0].state = VPC_WINDOW_GONE;
        f->session->windows[0].message = 3;
        take_back(f, &unmap, 3, -1);
        assert_int_equal(life(f, false, 4), 0);
        assert_int_equal(reply_to(f, &unmap), 0);
        assert_int_equal(f->session->windows[0].state, VPC_WINDOW_FREE);
        take_back(f, &unmap, 4, -1);
        assert_int_equal(life(f, false, 5), 0);
        assert_int_equal(reply_to(f, &unmap), ENOENT);
}

static void test_irq_twice(void **state) {
        struct fixture *f = *state;
        const struct message again = set_irq();

        begin(f);
        events(f);
        take_back(f, &again, 2, f->session->lines[1 + 32 + 3].fd);
        assert_int_equal(life(f, false, 3), 0);
        assert_int_equal(reply_to(f, &again), 0);
        assert_int_equal(events(f), 1);
}

/* The kernel has sent a part of the reply, and nobody has noted it. */
static void test_sent(void **state) {
        struct fixture *f = *state;
        char back[32] = "";

        begin(f);
        struct vpc_session_state s = *vpc_session_state(f->session);
        memcpy(f->session->out, "0123456789", 10);
        s.out_length = 10;
        vpc_session_commit(f->session, &s);
        f->session->send.number = s.sent + 1;
        f->session->send.header.msg_len = 4;
        assert_int_equal(life(f, false, 3), 0);
        assert_int_equal(recv(f->client, back, sizeof(back), MSG_DONTWAIT), 6);
        assert_string_equal(back, "456789");
        /* and where it had not begun */
        s = *vpc_session_state(f->session);
        s.out_length = 10;
        s.out_sent = 0;
        vpc_session_commit(f->session, &s);
        f->session->send.number = s.sent + 1;
        f->session->send.header.msg_len = VPC_SESSION_NOT_DONE;
        assert_int_equal(life(f, false, 3), 0);
        assert_int_equal(recv(f->client, back, sizeof(back), MSG_DONTWAIT), 10);
}

/* The kernel has received a message with a descriptor, and nobody has noted it. */
static void test_received(void **state) {
        struct fixture *f = *state;
        const struct message unmap = dma_unmap(), map = dma_map();
        struct vpc_session_call *call = &f->session->receive;
        int fds[16];

        begin(f);
        post_all(f, &unmap, -1);
        assert_int_equal(life(f, false, 4), 0);
        assert_int_equal(reply_to(f, &unmap), 0);
        const struct vpc_session_state *s = vpc_session_state(f->session);
        size_t before = vpc_session_descriptors(f->session, fds, ARRAY_LENGTH(fds));
        post_all(f, &map, f->memory);
        call->iov = (struct iovec){f->session->in[s->in & 1] + s->in_end, 4096};
        call->header = (struct mmsghdr){.msg_hdr = {.msg_iov = &call->iov,
                                                    .msg_iovlen = 1,
                                                    .msg_control = call->control,
                                                    .msg_controllen = sizeof(call->control)},
                                        .msg_len = VPC_SESSION_NOT_DONE};
        call->number = s->received + 1;
        assert_int_equal(recvmmsg(f->server, &call->header, 1, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL), 1);
        assert_int_equal(vpc_session_descriptors(f->session, fds, ARRAY_LENGTH(fds)), before + 1);
        assert_int_equal(life(f, false, 5), 0);
        assert_int_equal(reply_to(f, &map), 0);
        assert_int_equal(f->session->windows[0].state, VPC_WINDOW_LIVE);
        assert_int_equal(vpc_session_descriptors(f->session, fds, ARRAY_LENGTH(fds)), before + 1);
}

/* Killed wherever it is: every message is answered once. */
static void test_killed(void **state) {
        struct fixture *f = *state;
        siginfo_t info = {0};

        begin(f);
        for (unsigned int round = 0; round < KILLS; round++) {
                const pid_t pid = life_begin(f, false, UINT64_MAX);

                for (unsigned int i = 0; i < 3; i++) {
                        const struct message m = region_read();

                        post_all(f, &m, -1);
                        assert_int_equal(reply_to(f, &m), 0);
                }
                const struct message last = region_read();
                post_all(f, &last, -1);
                for (unsigned int i = 0; i < round % 64 * 100; i++) /* the next one a little later */
                        __asm__ volatile("" ::: "memory");
                assert_return_code(kill(pid, SIGKILL), errno);
                assert_return_code(waitid(P_PID, (id_t)pid, &info, WEXITED), errno);
                assert_int_equal(info.si_code, CLD_KILLED);
                assert_int_equal(life(f, false, 3 + 4 * (round + 1)), 0);
                assert_int_equal(reply_to(f, &last), 0);
                assert_true(is_silent(f));
        }
}

static void test_hang_up(void **state) {
        struct fixture *f = *state;

        begin(f);
        shutdown(f->client, SHUT_RDWR);
        assert_int_equal(life(f, false, 4), 1);
        assert_int_equal(vpc_session_state(f->session)->socket, -1);
        /* nothing is left of it, nor would the next connection find its end */
        assert_false(vpc_session_has_result(&f->session->receive, vpc_session_state(f->session)->received));
        assert_int_equal(vpc_session_descriptors(f->session, NULL, 0), 0);
        assert_int_equal(life(f, false, 4), 12);
}

static void test_versions(void **state) {
        struct fixture *f = *state;

        f->session->version++;
        assert_int_equal(vpc_session_check(f->session), -EPROTONOSUPPORT);
        f->session->version--;
        f->session->size--;
        assert_int_equal(vpc_session_check(f->session), -EPROTONOSUPPORT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_life_goes_on, setup, teardown),
                cmocka_unit_test_setup_teardown(test_map_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unmap_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(test_irq_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sent, setup, teardown),
                cmocka_unit_test_setup_teardown(test_received, setup, teardown),
                cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hang_up, setup, teardown),
                cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
