/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vfio-user server: what it tells of the device, its regions, memory and interrupts. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "util.h"
#include "vfio-user-peer.h"

/* ---- information ---- */

static void test_device_info(void **state) {
        struct peer *c = *state;
        uint32_t info[6] = {15};

        assert_int_equal(peer_call(c, VFIO_USER_DEVICE_GET_INFO, info, 16), -EINVAL);
        info[0] = 24; /* struct vfio_device_info of today */
        assert_int_equal(peer_call(c, VFIO_USER_DEVICE_GET_INFO, info, 24), 0);
        assert_int_equal(c->length, 16);
        memcpy(info, c->payload, 16);
        assert_int_equal(info[0], 16);
        assert_int_equal(info[1], VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
        assert_int_equal(info[2], 9);
        assert_int_equal(info[3], 5);
}

static int region_info(struct peer *c, uint32_t index, uint32_t argsz, struct vfio_region_info *info) {
        int r = 0;

        *info = (struct vfio_region_info){.argsz = argsz, .index = index};
        r = peer_call(c, VFIO_USER_DEVICE_GET_REGION_INFO, info, sizeof(*info));
        if (r == 0) {
                assert_in_range(c->length, sizeof(*info), argsz);
                memcpy(info, c->payload, sizeof(*info));
        }
        return r;
}

static void test_region_info(void **state) {
        struct peer *c = *state;
        struct vfio_region_info info;
        struct vfio_region_info_cap_sparse_mmap sparse;
        struct vfio_region_sparse_mmap_area area;
        const uint32_t rw = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;

        assert_int_equal(region_info(c, 0, 32, &info), 0);
        assert_int_equal(info.size, SAMPLE_BAR0);
        assert_int_equal(info.flags, rw);
        assert_int_equal(info.argsz, 32);
        assert_int_equal(region_info(c, 1, 32, &info), 0);
        assert_int_equal(info.size, 0);
        assert_int_equal(info.flags, 0);
        assert_int_equal(region_info(c, 7, 32, &info), 0);
        assert_int_equal(info.size, 4096);
        assert_int_equal(region_info(c, 8, 32, &info), 0);
        assert_int_equal(info.size, 0);
        assert_int_equal(region_info(c, 9, 32, &info), -EINVAL);
        assert_int_equal(region_info(c, 0, 31, &info), -EINVAL);
        /* with too little room it says how much it takes, and sends no descriptor */
        assert_int_equal(region_info(c, 2, 32, &info), 0);
        assert_int_equal(c->length, 32);
        assert_int_equal(info.argsz, 64);
        assert_int_equal(c->reply_fd, -1);
        assert_int_equal(region_info(c, 2, info.argsz, &info), 0);
        assert_int_equal(info.flags, rw | VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS);
        assert_int_equal(info.cap_offset, 32);
        assert_int_equal(c->length, 64);
        memcpy(&sparse, c->payload + 32, sizeof(sparse));
        assert_int_equal(sparse.header.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
        assert_int_equal(sparse.header.version, 1);
        assert_int_equal(sparse.header.next, 0);
        assert_int_equal(sparse.nr_areas, 1);
        memcpy(&area, c->payload + 32 + sizeof(sparse), sizeof(area));
        assert_int_equal(area.offset, SAMPLE_BAR2 / 2);
        assert_int_equal(area.size, SAMPLE_BAR2 / 2);
        assert_true(c->reply_fd >= 0);
        void *p = mmap(NULL, area.size, PROT_READ | PROT_WRITE, MAP_SHARED, c->reply_fd, (off_t)(info.offset + area.offset));
        assert_ptr_not_equal(p, MAP_FAILED);
        munmap(p, area.size);
        close(take_fd(&c->reply_fd));
}

static void test_irq_info(void **state) {
        static const uint32_t counts[] = {1, 4, SAMPLE_VECTORS, 0, 0};
        struct peer *c = *state;
        struct vfio_irq_info info;

        for (uint32_t i = 0; i < 6; i++) {
                info = (struct vfio_irq_info){.argsz = sizeof(info), .index = i};
                if (i == 5) {
                        assert_int_equal(peer_call(c, VFIO_USER_DEVICE_GET_IRQ_INFO, &info, sizeof(info)), -EINVAL);
                        break;
                }
                assert_int_equal(peer_call(c, VFIO_USER_DEVICE_GET_IRQ_INFO, &info, sizeof(info)), 0);
                memcpy(&info, c->payload, sizeof(info));
                assert_int_equal(info.count, counts[i]);
                assert_int_equal(!!(info.flags & VFIO_IRQ_INFO_EVENTFD), counts[i] > 0);
                assert_int_equal(!!(info.flags & VFIO_IRQ_INFO_AUTOMASKED), i == 0);
        }
}

/* ---- regions ---- */

static void test_regions(void **state) {
        struct peer *c = *state;
        uint8_t payload[64];

        assert_int_equal(peer_region_write(c, 0, 0x20, 0x1122334455667788, 8), 0);
        assert_int_equal(c->length, 16);
        assert_int_equal(peer_read_value(c, 0, 0x20, 8), 0x1122334455667788);
        assert_int_equal(peer_read_value(c, 0, 0x23, 2), 0x4455);
        assert_int_equal(peer_read_value(c, VFIO_PCI_CONFIG_REGION_INDEX, 0, 4), 0x10f11af4);
        assert_int_equal(c->s.counters.mmio_reads, 2); /* the configuration space does not count */
        assert_int_equal(c->s.counters.mmio_writes, 1);
        assert_int_equal(peer_region_read(c, 0, 0, 0), 0);
        assert_int_equal(peer_region_read(c, 0, 0, SAMPLE_BAR0), 0);
        assert_int_equal(c->length, 16 + SAMPLE_BAR0);
        assert_int_equal(peer_region_read(c, 0, 0, SAMPLE_BAR0 + 1), -EINVAL);
        assert_int_equal(peer_region_read(c, 0, UINT64_MAX, 4), -EINVAL);
        assert_int_equal(peer_region_read(c, 9, 0, 4), -EINVAL);
        assert_int_equal(peer_region_read(c, UINT32_MAX, 0, 4), -EINVAL);
        assert_int_equal(peer_region_read(c, 0, 0, TRANSFER + 1), -EINVAL);
        assert_int_equal(peer_region_read(c, 0, 0, UINT32_MAX), -EINVAL);
        assert_int_equal(peer_region_write(c, 0, SAMPLE_BAR0 - 1, 0, 2), -EINVAL);
        assert_int_equal(peer_region_write(c, 6, 0, 0, 2), -EINVAL);
        /* count and payload do not agree */
        peer_make_write(payload, 0, 0, "12345678", 8);
        assert_int_equal(peer_call(c, VFIO_USER_REGION_WRITE, payload, 23), -EINVAL);
        assert_int_equal(peer_call(c, VFIO_USER_REGION_WRITE, payload, 25), -EINVAL);
        /* the largest there are; a read of the configuration space never fails */
        assert_int_equal(peer_region_read(c, VFIO_PCI_CONFIG_REGION_INDEX, 0, TRANSFER), 0);
        assert_int_equal(c->length, 16 + TRANSFER);
}

/* The largest message, which the client sends while the loop runs: it does not fit into the socket at once. */
static void test_largest_write(void **state) {
        struct peer *c = *state;
        struct vfio_user_header header = {.command = VFIO_USER_REGION_WRITE, .size = 32 + TRANSFER};
        struct vfio_user_region_access a = {0, 0, TRANSFER};
        uint8_t *message = calloc(1, header.size);
        size_t sent = 0;

        memcpy(message, &header, sizeof(header));
        memcpy(message + sizeof(header), &a, sizeof(a));
        while (sent < header.size) {
                ssize_t n = send(c->fd, message + sent, header.size - sent, MSG_DONTWAIT);

                if (n > 0)
                        sent += (size_t)n;
                else
                        peer_run_a_while(c);
        }
        assert_int_equal(peer_await_reply(c), -EINVAL); /* larger than the BAR */
        assert_int_equal(peer_get_info(c), 0);
        free(message);
}

static void test_no_reply(void **state) {
        struct peer *c = *state;
        uint8_t payload[64];

        peer_post(c, VFIO_USER_REGION_WRITE, VFIO_USER_NO_REPLY, payload, peer_make_write(payload, 0, 0, "\1\2\3\4", 4), NULL, 0);
        peer_post(c, VFIO_USER_REGION_WRITE, VFIO_USER_NO_REPLY, payload, peer_make_write(payload, 0, SAMPLE_BAR0, "\1\2\3\4", 4),
                  NULL, 0);
        peer_post(c, 99, VFIO_USER_NO_REPLY, NULL, 0, NULL, 0);
        peer_post(c, VFIO_USER_DEVICE_RESET, VFIO_USER_NO_REPLY, NULL, 0, NULL, 0);
        peer_post(c, VFIO_USER_REGION_WRITE, VFIO_USER_NO_REPLY, payload, peer_make_write(payload, 0, 8, "\1\2\3\4", 4), NULL, 0);
        assert_int_equal(peer_read_value(c, 0, 8, 4), 0x04030201); /* the first reply that comes */
        assert_int_equal(peer_read_value(c, 0, 0, 4), 0);          /* after the reset */
}

static void test_write_multi(void **state) {
        struct peer *c = *state;
        struct {
                uint64_t n;
                struct {
                        uint64_t offset;
                        uint32_t region, count;
                        uint64_t data;
                } one[3];
        } multi = {3, {{0x10, 0, 4, 0x11111111}, {0x18, 0, 8, 0x2222222222222222}, {0x21, 0, 1, 0x33}}};
        uint64_t n = 0;

        assert_int_equal(peer_call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), 0);
        assert_int_equal(c->length, 8);
        memcpy(&n, c->payload, 8);
        assert_int_equal(n, 3);
        assert_int_equal(peer_read_value(c, 0, 0x10, 8), 0x11111111);
        assert_int_equal(peer_read_value(c, 0, 0x18, 8), 0x2222222222222222);
        assert_int_equal(peer_read_value(c, 0, 0x20, 4), 0x3300);
        multi.one[1].count = 9;
        assert_int_equal(peer_call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), -EINVAL);
        multi.one[1].count = 8;
        multi.one[1].region = 3;
        assert_int_equal(peer_call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), -EINVAL);
        multi.n = 4;
        assert_int_equal(peer_call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), -EINVAL);
        multi.n = (UINT64_MAX / 24) + 4; /* whose bytes wrap round */
        assert_int_equal(peer_call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, sizeof(multi)), -EINVAL);
        multi.n = 0;
        assert_int_equal(peer_call(c, VFIO_USER_REGION_WRITE_MULTI, &multi, 8), 0);
}

/* ---- memory ---- */

static void test_dma_map(void **state) {
        struct peer *c = *state;
        struct vfio_user_dma_unmap u = {.argsz = sizeof(u), .address = GUEST, .size = MEMORY};

        assert_int_equal(peer_map(c, GUEST, MEMORY, &c->memory), 0);
        assert_int_equal(peer_map(c, GUEST, MEMORY, &c->memory), -EEXIST);
        assert_int_equal(peer_map(c, GUEST + MEMORY - 4096, MEMORY, &c->memory), -EEXIST);
        assert_int_equal(peer_map(c, GUEST * 2, MEMORY + 4096, &c->memory), -EINVAL); /* beyond the file */
        assert_int_equal(peer_map(c, 0xfff00000, 4096, NULL), 0);                     /* ROM */
        peer_start_io(c, GUEST, 512);
        assert_true(sample_finish_one(&c->s, 0));
        u.size = 4096;
        assert_int_equal(peer_call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -ENOENT);
        u.size = MEMORY;
        u.flags = 1; /* the dirty bitmap of old versions */
        assert_int_equal(peer_call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -ENOTSUP);
        u.flags = 0;
        u.argsz = 8;
        assert_int_equal(peer_call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -EINVAL);
        u.argsz = sizeof(u);
        assert_int_equal(peer_call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), 0);
        assert_int_equal(c->length, sizeof(u));
        assert_memory_equal(c->payload, &u, sizeof(u));
        assert_int_equal(peer_call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -ENOENT);
        u.flags = VFIO_USER_DMA_UNMAP_ALL;
        assert_int_equal(peer_call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), -EINVAL);
        u.address = u.size = 0;
        assert_int_equal(peer_call(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u)), 0);
        assert_int_equal(peer_map(c, 0xfff00000, 4096, NULL), 0);
}

/* SPDK's client sends the window's descriptor once more. */
static void test_dma_unmap_with_descriptor(void **state) {
        struct peer *c = *state;
        struct vfio_user_dma_unmap u = {.argsz = sizeof(u), .address = GUEST, .size = MEMORY};
        int pipes[2], fds[2];

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        fds[0] = fds[1] = pipes[1];
        assert_int_equal(peer_map(c, GUEST, MEMORY, &c->memory), 0);
        assert_int_equal(peer_call_fds(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u), fds, 2), -EINVAL);
        assert_int_equal(peer_call_fds(c, VFIO_USER_DMA_UNMAP, &u, sizeof(u), fds, 1), 0);
        close(pipes[1]);
        peer_expect_dropped(pipes[0]);
        assert_int_equal(peer_map(c, GUEST, MEMORY, &c->memory), 0);
}

/* With I/O under way each of these waits for it, and so does what was sent behind it. */
static void test_waits_for_io(void **state) {
        struct peer *c = *state;
        struct vfio_user_dma_unmap u = {.argsz = sizeof(u), .address = GUEST, .size = MEMORY};
        uint8_t flr[64];
        uint16_t devctl = PCI_EXP_DEVCTL_BCR_FLR;
        size_t flr_length = peer_make_write(flr, VFIO_PCI_CONFIG_REGION_INDEX, 0x6c + PCI_EXP_DEVCTL, &devctl, 2);
        const struct {
                unsigned int command;
                const void *payload;
                size_t length;
        } waits[] = {{VFIO_USER_DMA_UNMAP, &u, sizeof(u)},
                     {VFIO_USER_DEVICE_RESET, NULL, 0},
                     {VFIO_USER_REGION_WRITE, flr, flr_length}};

        for (size_t i = 0; i < ARRAY_LENGTH(waits); i++) {
                struct pollfd p = {.fd = c->fd, .events = POLLIN};
                int r = peer_map(c, GUEST, MEMORY, &c->memory);

                assert_true(r == 0 || r == -EEXIST);
                peer_start_io(c, GUEST, MEMORY);
                peer_start_io(c, GUEST, 512);
                assert_int_equal(c->s.n_submitted, 2);
                peer_post(c, waits[i].command, 0, waits[i].payload, waits[i].length, NULL, 0);
                peer_post(c, 99, 0, NULL, 0, NULL, 0);
                peer_run_a_while(c);
                assert_int_equal(poll(&p, 1, 0), 0);
                assert_true(sample_finish_one(&c->s, 0));
                peer_run_a_while(c);
                assert_int_equal(poll(&p, 1, 0), 0);
                assert_true(sample_finish_one(&c->s, 0));
                assert_int_equal(peer_await_reply(c), 0);
                assert_int_equal(c->header.command, waits[i].command);
                assert_int_equal(peer_await_reply(c), -ENOTSUP);
        }
}

/* ---- interrupts ---- */

static int set_irqs(struct peer *c, uint32_t flags, uint32_t index, uint32_t start, uint32_t n, const char *data, const int *fds,
                    unsigned int n_fds) {
        uint8_t payload[64];
        size_t data_length = data ? n : 0;
        struct vfio_irq_set set = {
                .argsz = (uint32_t)(sizeof(set) + data_length), .flags = flags, .index = index, .start = start, .count = n};

        memcpy(payload, &set, sizeof(set));
        if (data_length)
                memcpy(payload + sizeof(set), data, data_length);
        return peer_call_fds(c, VFIO_USER_DEVICE_SET_IRQS, payload, sizeof(set) + data_length, fds, n_fds);
}

static unsigned int signals(int fd) {
        uint64_t n = 0;

        return read(fd, &n, sizeof(n)) == sizeof(n) ? (unsigned int)n : 0;
}

static void test_set_irqs(void **state) {
        enum {
                NONE = VFIO_IRQ_SET_DATA_NONE,
                BOOL = VFIO_IRQ_SET_DATA_BOOL,
                EVENTFD = VFIO_IRQ_SET_DATA_EVENTFD,
                MASK = VFIO_IRQ_SET_ACTION_MASK,
                UNMASK = VFIO_IRQ_SET_ACTION_UNMASK,
                TRIGGER = VFIO_IRQ_SET_ACTION_TRIGGER,
        };
        struct peer *c = *state;
        int fds[3];

        for (int i = 0; i < 3; i++)
                fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_int_equal(set_irqs(c, EVENTFD | TRIGGER, 2, 0, 1, NULL, NULL, 0), 0); /* as QEMU does at first */
        assert_int_equal(set_irqs(c, EVENTFD | TRIGGER, 2, 4, 3, NULL, fds, 3), 0);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 4, 2, NULL, NULL, 0), 0);
        assert_int_equal(signals(fds[0]), 1);
        assert_int_equal(signals(fds[1]), 1);
        assert_int_equal(set_irqs(c, BOOL | TRIGGER, 2, 4, 3, "\0\1\1", NULL, 0), 0);
        assert_int_equal(signals(fds[0]), 0);
        assert_int_equal(signals(fds[1]), 1);
        assert_int_equal(signals(fds[2]), 1);
        assert_int_equal(set_irqs(c, NONE | MASK, 2, 0, SAMPLE_VECTORS, NULL, NULL, 0), 0);
        assert_int_equal(set_irqs(c, BOOL | UNMASK, 2, 5, 2, "\0\1", NULL, 0), 0);
        assert_int_equal(set_irqs(c, EVENTFD | TRIGGER, 2, 5, 1, NULL, NULL, 0), 0); /* taken away */
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 4, 3, NULL, NULL, 0), 0);
        assert_int_equal(signals(fds[0]), 1);
        assert_int_equal(signals(fds[1]), 0);
        assert_int_equal(signals(fds[2]), 1);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 0, 0, NULL, NULL, 0), 0); /* all off */
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 4, 3, NULL, NULL, 0), 0);
        assert_int_equal(signals(fds[0]), 0);
        /* nonsense */
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 1, 0, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | MASK, 2, 0, 0, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 0, SAMPLE_VECTORS + 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, UINT32_MAX, 2, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 1, UINT32_MAX, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 3, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 5, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | BOOL | TRIGGER, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | MASK | TRIGGER, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, TRIGGER, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER | 1u << 6, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, BOOL | TRIGGER, 2, 0, 1, NULL, NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, NONE | TRIGGER, 2, 0, 1, "x", NULL, 0), -EINVAL);
        assert_int_equal(set_irqs(c, EVENTFD | UNMASK, 0, 0, 1, NULL, fds, 1), -ENOTSUP);
        for (int i = 0; i < 3; i++)
                close(fds[i]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_device_info, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_region_info, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_irq_info, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_regions, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_largest_write, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_no_reply, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_write_multi, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_dma_map, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_dma_unmap_with_descriptor, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_waits_for_io, peer_setup_open, peer_teardown),
                cmocka_unit_test_setup_teardown(test_set_irqs, peer_setup_open, peer_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
