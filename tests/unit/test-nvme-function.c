/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All of the data path without a guest: registers through the VPC, guest memory in DMA windows, MSI-X by eventfd, a medium in a
 * file, the real event loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapters/nvme/spec.h"
#include "media/file.h"
#include "util.h"
#include "vpc/function.h"
#include "vpc/image.h"

#define MEMORY_BASE UINT64_C(0x80000000)
#define MEMORY_SIZE (1u << 20)
#define MEDIUM_SIZE (16u << 20)
#define COMMAND 0x04 /* PCI Express Base 5.0, section 7.5.1.1.3 */
#define BUS_MASTER 0x06
#define REGION_CONFIG 7
#define IRQ_MSI 1
#define IRQ_MSIX 2
#define CAP_MSI 0x05 /* PCI Express Base 5.0, sections 7.7.1 and 7.7.2 */
#define CAP_MSIX 0x11

/* guest memory */
#define ASQ MEMORY_BASE
#define ACQ (MEMORY_BASE + 0x1000)
#define SQ (MEMORY_BASE + 0x2000)
#define CQ (MEMORY_BASE + 0x3000)
#define DATA (MEMORY_BASE + 0x10000)

struct test {
        struct loop *loop;
        void *image;
        struct iov_counter counters;
        struct vpc_function *function;
        struct media_file *media;
        unsigned char *memory;
        int medium, memory_fd, events[2];
        struct loop_source *event_source;
        unsigned int tail[2], head[2];
};

static void io_submit(void *context, unsigned int medium, struct vpc_io *io) {
        struct test *t = context;

        assert_int_equal(medium, 0);
        media_file_submit(t->media, io);
}

static void log_text(void *context, int level, const char *text) {
}

/* An interrupt of the I/O queue ends the loop. */
static void on_event(void *userdata, int fd, uint32_t events) {
        struct test *t = userdata;
        uint64_t value;

        assert_int_equal(read(fd, &value, sizeof(value)), sizeof(value));
        loop_stop(t->loop, (int)value);
}

static void config_write(struct test *t, uint64_t offset, const void *value, size_t length) {
        assert_int_equal(vpc_function_region_write(t->function, REGION_CONFIG, offset, value, length), 0);
}

static void register_write(struct test *t, uint64_t offset, uint32_t value) {
        assert_int_equal(vpc_function_region_write(t->function, 0, offset, &value, sizeof(value)), 0);
}

static uint32_t register_read(struct test *t, uint64_t offset) {
        uint32_t value = 0;

        assert_int_equal(vpc_function_region_read(t->function, 0, offset, &value, sizeof(value)), 0);
        return value;
}

/* 0: the chain has none. */
static uint8_t find_capability(struct test *t, uint8_t id) {
        unsigned char config[256];
        uint8_t at = 0;

        assert_int_equal(vpc_function_region_read(t->function, REGION_CONFIG, 0, config, sizeof(config)), 0);
        for (at = config[0x34]; at && config[at] != id; at = config[at + 1])
                ;
        return at;
}

/* Hand over the eventfds as a client does, then set the enable bit; of MSI with two messages (section 7.7.1.2). */
static void enable_vectors(struct test *t) {
        const bool msi = find_capability(t, CAP_MSI) != 0;
        const uint16_t control = msi ? 1 | 1 << 4 : 0x8000;
        const uint8_t at = find_capability(t, msi ? CAP_MSI : CAP_MSIX);

        assert_int_not_equal(at, 0);
        for (unsigned int i = 0; i < 2; i++) {
                int fd = dup(t->events[i]);

                assert_int_equal(vpc_function_irq_set(t->function, msi ? IRQ_MSI : IRQ_MSIX, i, &fd, 1), 0);
        }
        config_write(t, at + 2u, &control, sizeof(control));
}

static void enable(struct test *t) {
        const uint16_t command = BUS_MASTER;

        config_write(t, COMMAND, &command, sizeof(command));
        enable_vectors(t);
        register_write(t, NVME_REG_AQA, 31 << 16 | 31);
        register_write(t, NVME_REG_ASQ, (uint32_t)ASQ);
        register_write(t, NVME_REG_ASQ + 4, (uint32_t)(ASQ >> 32));
        register_write(t, NVME_REG_ACQ, (uint32_t)ACQ);
        register_write(t, NVME_REG_ACQ + 4, (uint32_t)(ACQ >> 32));
        register_write(t, NVME_REG_CC, 0x00460001);
        assert_int_equal(register_read(t, NVME_REG_CSTS), NVME_CSTS_RDY);
}

static void push(struct test *t, unsigned int q, struct nvme_sqe sqe) {
        sqe.cid = (uint16_t)t->tail[q];
        memcpy(t->memory + (q ? SQ : ASQ) - MEMORY_BASE + t->tail[q] % 32 * sizeof(sqe), &sqe, sizeof(sqe));
        t->tail[q]++;
}

static void ring(struct test *t, unsigned int q) {
        register_write(t, NVME_REG_DOORBELLS + q * 8, t->tail[q] % 32);
}

/* The next completion, which must be there. */
static struct nvme_cqe pop(struct test *t, unsigned int q) {
        struct nvme_cqe cqe;

        memcpy(&cqe, t->memory + (q ? CQ : ACQ) - MEMORY_BASE + t->head[q] % 32 * sizeof(cqe), sizeof(cqe));
        assert_int_equal(cqe.status & 1, t->head[q] / 32 % 2 == 0);
        t->head[q]++;
        register_write(t, NVME_REG_DOORBELLS + q * 8 + 4, t->head[q] % 32);
        return cqe;
}

static void admin(struct test *t, struct nvme_sqe sqe) {
        uint64_t value = 0;

        push(t, 0, sqe);
        ring(t, 0);
        assert_int_equal(pop(t, 0).status >> 1, 0);
        assert_int_equal(read(t->events[0], &value, sizeof(value)), sizeof(value));
}

static void create_queues(struct test *t) {
        admin(t, (struct nvme_sqe){.opcode = NVME_ADMIN_CREATE_CQ, .prp1 = CQ, .cdw10 = 31 << 16 | 1, .cdw11 = 1 << 16 | 3});
        admin(t, (struct nvme_sqe){.opcode = NVME_ADMIN_CREATE_SQ, .prp1 = SQ, .cdw10 = 31 << 16 | 1, .cdw11 = 1 << 16 | 1});
}

static int setup_with(void **state, uint32_t interrupts) {
        const struct vpc_model *model = vpc_model_for_adapter(IOV_ADAPTER_SSD);
        struct test *t = calloc(1, sizeof(*t));
        const struct vpc_environment environment = {.context = t, .io_submit = io_submit, .log = log_text};
        const struct vpc_persona persona = {.name = "d",
                                            .serial = "S",
                                            .unique_id = 1,
                                            .n_media = 1,
                                            .interrupts = interrupts,
                                            .media = {{.id = 1, .block_size = 512, .size = MEDIUM_SIZE, .unique_id = 1}}};
        int fd = memfd_create("medium", MFD_CLOEXEC);

        assert_non_null(t);
        assert_int_equal(loop_new(&t->loop, 64), 0);
        t->image = mmap(NULL, vpc_image_size(model), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(t->image, MAP_FAILED);
        t->medium = dup(fd);
        assert_int_equal(media_file_new(t->loop, fd, MEDIUM_SIZE, &t->media), 0);
        assert_int_equal(vpc_image_init(t->image, model, &persona), 0);
        assert_int_equal(vpc_function_new(t->loop, model, t->image, &t->counters, &environment, &t->function), 0);
        t->memory_fd = memfd_create("memory", MFD_CLOEXEC);
        assert_int_equal(ftruncate(t->memory_fd, MEMORY_SIZE), 0);
        t->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, t->memory_fd, 0);
        assert_ptr_not_equal(t->memory, MAP_FAILED);
        assert_int_equal(vpc_function_dma_map(t->function, MEMORY_BASE, MEMORY_SIZE, dup(t->memory_fd), 0,
                                              VPC_DMA_READABLE | VPC_DMA_WRITEABLE),
                         0);
        for (unsigned int i = 0; i < 2; i++)
                t->events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_int_equal(loop_add_fd(t->loop, t->events[1], 1 /* POLLIN */, on_event, t, &t->event_source), 0);
        *state = t;
        return 0;
}

static int setup(void **state) {
        return setup_with(state, IOV_INTERRUPTS_AUTO);
}

static int setup_msi(void **state) {
        return setup_with(state, IOV_INTERRUPTS_MSI);
}

static int setup_intx(void **state) {
        return setup_with(state, IOV_INTERRUPTS_INTX);
}

static int teardown(void **state) {
        struct test *t = *state;

        loop_source_remove(t->event_source);
        vpc_function_free(t->function);
        media_file_free(t->media);
        loop_free(t->loop);
        munmap(t->image, vpc_image_size(vpc_model_for_adapter(IOV_ADAPTER_SSD)));
        munmap(t->memory, MEMORY_SIZE);
        close(t->memory_fd);
        close(t->medium);
        close(t->events[0]);
        close(t->events[1]);
        free(t);
        return 0;
}

static void test_class(void **state) {
        struct test *t = *state;
        unsigned char config[64];

        assert_int_equal(vpc_function_region_read(t->function, REGION_CONFIG, 0, config, sizeof(config)), 0);
        assert_memory_equal(config, "\xf4\x1a\xf1\x10", 4);
        assert_memory_equal(config + 9, "\x02\x08\x01", 3);
        assert_int_equal(vpc_function_region_size(t->function, 0), 0x4000);
}

/* What the persona asks for is all that the function offers, and its MSI has as many messages as there can be. */
static void test_interrupts(void **state) {
        struct test *t = *state;
        const bool msi = find_capability(t, CAP_MSI) != 0, msix = find_capability(t, CAP_MSIX) != 0;
        uint16_t control = 0;

        switch (((const struct vpc_image *)(void *)((char *)t->image + VPC_CONFIG_SIZE))->persona.interrupts) {
        case IOV_INTERRUPTS_MSI:
                assert_true(msi && !msix);
                assert_int_equal(vpc_function_irq_count(t->function, IRQ_MSI), 32);
                assert_int_equal(vpc_function_irq_count(t->function, IRQ_MSIX), 0);
                assert_int_equal(
                        vpc_function_region_read(t->function, REGION_CONFIG, find_capability(t, CAP_MSI) + 2u, &control, 2), 0);
                assert_int_equal(control >> 1 & 7, 5); /* Multiple Message Capable: 32 */
                break;
        case IOV_INTERRUPTS_INTX:
                assert_true(!msi && !msix);
                assert_int_equal(vpc_function_irq_count(t->function, IRQ_MSI), 0);
                assert_int_equal(vpc_function_irq_count(t->function, IRQ_MSIX), 0);
                break;
        default:
                assert_true(!msi && msix);
        }
        assert_int_equal(vpc_function_irq_count(t->function, 0), 1);
}

/* The image is another process's work: an unknown choice is refused. */
static void test_bad_interrupts(void **state) {
        struct test *t = *state;
        const struct vpc_model *model = vpc_model_for_adapter(IOV_ADAPTER_SSD);

        ((struct vpc_image *)(void *)((char *)t->image + VPC_CONFIG_SIZE))->persona.interrupts = IOV_INTERRUPTS_INTX + 1;
        assert_int_equal(vpc_image_check(t->image, vpc_image_size(model), model), -EBADMSG);
}

/* Without Bus Master Enable nothing is fetched. */
static void test_bus_master(void **state) {
        struct test *t = *state;
        const uint16_t command = 2;

        enable(t);
        config_write(t, COMMAND, &command, sizeof(command));
        push(t, 0, (struct nvme_sqe){.opcode = NVME_ADMIN_IDENTIFY, .prp1 = DATA, .cdw10 = 1});
        ring(t, 0);
        assert_int_equal(t->memory[ACQ - MEMORY_BASE + 14], 0);
        assert_int_equal(register_read(t, NVME_REG_CSTS), NVME_CSTS_RDY);
}

static void test_data(void **state) {
        struct test *t = *state;
        unsigned char *data = t->memory + (DATA - MEMORY_BASE), back[4096];
        struct nvme_sqe sqe = {.opcode = NVME_IO_WRITE, .nsid = 1, .prp1 = DATA, .cdw12 = 7};

        enable(t);
        create_queues(t);
        for (unsigned int round = 0; round < 20; round++) {
                for (unsigned int i = 0; i < 4096; i++)
                        data[i] = (unsigned char)((i + round) * 2654435761u >> 15);
                sqe.opcode = NVME_IO_WRITE;
                sqe.prp1 = DATA;
                sqe.cdw10 = round * 8;
                push(t, 1, sqe);
                ring(t, 1);
                assert_true(loop_run(t->loop) > 0);
                assert_int_equal(pop(t, 1).status >> 1, 0);
                assert_int_equal(pread(t->medium, back, sizeof(back), round * 4096), sizeof(back));
                assert_memory_equal(back, data, sizeof(back));
                sqe.opcode = NVME_IO_READ;
                sqe.prp1 = DATA + 0x8000;
                push(t, 1, sqe);
                ring(t, 1);
                assert_true(loop_run(t->loop) > 0);
                assert_int_equal(pop(t, 1).status >> 1, 0);
                assert_memory_equal(data + 0x8000, data, 4096);
        }
        push(t, 1, (struct nvme_sqe){.opcode = NVME_IO_FLUSH, .nsid = 1});
        ring(t, 1);
        assert_true(loop_run(t->loop) > 0);
        assert_int_equal(pop(t, 1).status >> 1, 0);
        assert_int_equal(t->counters.read_bytes, 20 * 4096);
        assert_int_equal(t->counters.write_bytes, 20 * 4096);
        assert_int_equal(t->counters.inflight, 0);
        assert_int_equal(t->counters.errors, 0);
        assert_int_equal(t->counters.interrupts, 43);
}

/* A file that cannot be written: the guest is told, the controller goes on. */
static void test_medium_refuses(void **state) {
        struct test *t = *state;
        char path[64];
        struct media_file *read_only = NULL, *media = t->media;
        struct nvme_sqe sqe = {.opcode = NVME_IO_WRITE, .nsid = 1, .prp1 = DATA, .cdw12 = 7};

        snprintf(path, sizeof(path), "/proc/self/fd/%d", t->medium);
        assert_int_equal(media_file_new(t->loop, open(path, O_RDONLY | O_CLOEXEC), MEDIUM_SIZE, &read_only), 0);
        enable(t);
        create_queues(t);
        t->media = read_only;
        push(t, 1, sqe);
        ring(t, 1);
        assert_true(loop_run(t->loop) > 0);
        assert_int_not_equal(pop(t, 1).status >> 1, 0);
        t->media = media;
        media_file_free(read_only);
        push(t, 1, sqe);
        ring(t, 1);
        assert_true(loop_run(t->loop) > 0);
        assert_int_equal(pop(t, 1).status >> 1, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_class, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bus_master, setup, teardown),
                cmocka_unit_test_setup_teardown(test_data, setup, teardown),
                cmocka_unit_test_setup_teardown(test_medium_refuses, setup, teardown),
                cmocka_unit_test_setup_teardown(test_data, setup_msi, teardown),
                cmocka_unit_test_setup_teardown(test_interrupts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_interrupts, setup_msi, teardown),
                cmocka_unit_test_setup_teardown(test_interrupts, setup_intx, teardown),
                cmocka_unit_test_setup_teardown(test_bad_interrupts, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
