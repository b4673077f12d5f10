/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "sample-model.h"
#include "util.h"
#include "vpc/bytes.h"
#include "vpc/image.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
#define PM_CTRL (0x40 + PCI_PM_CTRL)
#define RW (VPC_DMA_READABLE | VPC_DMA_WRITEABLE)
#define GUEST 0x100000 /* where the guest's memory is */
#define MEMORY 0x4000

struct fixture {
        struct sample s;
        int memory;
        unsigned int quiesced;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_int_equal(sample_new(&f->s, NULL), 0);
        f->memory = memfd_create("test-function", MFD_CLOEXEC);
        assert_int_equal(ftruncate(f->memory, MEMORY), 0);
        assert_int_equal(vpc_function_dma_map(f->s.function, GUEST, MEMORY, dup(f->memory), 0, RW), 0);
        sample_write(&f->s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        sample_free(&f->s);
        close(f->memory);
        free(f);
        return 0;
}

static void on_quiesced(void *userdata) {
        struct fixture *f = userdata;

        f->quiesced++;
}

static void start_read(struct fixture *f, uint64_t address, uint64_t length) {
        sample_write(&f->s, 0, SAMPLE_ADDRESS, 8, address);
        sample_write(&f->s, 0, SAMPLE_LENGTH, 8, length);
        sample_write(&f->s, 0, SAMPLE_READ, 4, 1);
}

static int result(struct fixture *f) {
        return (int)sample_read(&f->s, 0, SAMPLE_RESULT, 8);
}

/* Any range of a BAR, in pieces that the model can take. */
static void test_pieces(void **state) {
        struct fixture *f = *state;
        uint8_t data[64], back[64];

        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(i + 1);
        for (size_t offset = 0; offset < 9; offset++)
                for (size_t length = 0; length < 40; length++) {
                        assert_int_equal(vpc_function_region_write(f->s.function, 0, offset, data, length), 0);
                        memset(back, 0xee, sizeof(back));
                        assert_int_equal(vpc_function_region_read(f->s.function, 0, offset, back, length), 0);
                        assert_memory_equal(data, back, length);
                        assert_int_equal(back[length], 0xee);
                }
        /* over the edge of the MSI-X table into what the model has behind it */
        assert_int_equal(vpc_function_region_read(f->s.function, 0, SAMPLE_MSIX + SAMPLE_VECTORS * 16 - 4, back, 8), 0);
        assert_memory_equal(back, "\1\0\0\0\0\0\0\0", 8);
        /* bulk */
        assert_int_equal(vpc_function_region_write(f->s.function, 2, 3, data, 61), 0);
        assert_int_equal(vpc_function_region_read(f->s.function, 2, 3, back, 61), 0);
        assert_memory_equal(data, back, 61);
}

static void test_ranges(void **state) {
        struct fixture *f = *state;
        uint8_t b[16];

        assert_int_equal(vpc_function_region_size(f->s.function, 0), SAMPLE_BAR0);
        assert_int_equal(vpc_function_region_size(f->s.function, 1), 0);
        assert_int_equal(vpc_function_region_size(f->s.function, CONFIG), VPC_CONFIG_SIZE);
        assert_int_equal(vpc_function_region_size(f->s.function, UINT32_MAX), 0);
        assert_int_equal(vpc_function_region_read(f->s.function, 0, SAMPLE_BAR0 - 4, b, 8), -EINVAL);
        assert_int_equal(vpc_function_region_read(f->s.function, 0, UINT64_MAX, b, 8), -EINVAL);
        assert_int_equal(vpc_function_region_read(f->s.function, 1, 0, b, 4), -EINVAL);
        assert_int_equal(vpc_function_region_read(f->s.function, 6, 0, b, 4), -EINVAL);
        assert_int_equal(vpc_function_region_read(f->s.function, 9, 0, b, 4), -EINVAL);
        assert_int_equal(vpc_function_region_write(f->s.function, 0, SAMPLE_BAR0, b, 1), -EINVAL);
        assert_int_equal(vpc_function_region_write(f->s.function, CONFIG, VPC_CONFIG_SIZE - 2, b, 4), -EINVAL);
        /* reading the configuration space never fails */
        memset(b, 0xff, sizeof(b));
        assert_int_equal(vpc_function_region_read(f->s.function, CONFIG, VPC_CONFIG_SIZE - 2, b, 4), 0);
        assert_memory_equal(b, "\0\0\0\0", 4);
        assert_int_equal(vpc_function_region_read(f->s.function, CONFIG, UINT64_MAX, b, 16), 0);
        assert_int_equal(b[15], 0);
}

static void test_dma(void **state) {
        struct fixture *f = *state;
        uint64_t value = 0x1122334455667788;

        assert_int_equal(pwrite(f->memory, &value, 8, 0x100), 8);
        sample_write(&f->s, 0, SAMPLE_ADDRESS, 8, GUEST + 0x100);
        sample_write(&f->s, 0, SAMPLE_COPY, 8, GUEST + 0x200);
        assert_int_equal(result(f), 0);
        value = 0;
        assert_int_equal(pread(f->memory, &value, 8, 0x200), 8);
        assert_int_equal(value, 0x1122334455667788);
        assert_int_equal(f->s.counters.dma_faults, 0);
        /* half outside: nothing is written */
        sample_write(&f->s, 0, SAMPLE_COPY, 8, GUEST + MEMORY - 4);
        assert_int_equal(result(f), -EFAULT);
        assert_int_equal(f->s.counters.dma_faults, 1);
        assert_non_null(strstr(f->s.log, "sample0: DMA write of 8 bytes at 0x103ffc refused"));
        value = 0;
        assert_int_equal(pread(f->memory, &value, 4, MEMORY - 4), 4);
        assert_int_equal(value, 0);
        /* without Bus Master Enable; in D3hot */
        sample_write(&f->s, CONFIG, PCI_COMMAND, 2, 0);
        sample_write(&f->s, 0, SAMPLE_COPY, 8, GUEST);
        assert_int_equal(result(f), -EPERM);
        assert_int_equal(f->s.counters.dma_faults, 2);
        sample_write(&f->s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        sample_write(&f->s, 0, SAMPLE_COPY, 8, GUEST);
        assert_int_equal(result(f), 0);
}

/* A function in D3hot answers to nothing but its configuration space; the way back is a reset. */
static void test_d3(void **state) {
        struct fixture *f = *state;

        sample_write(&f->s, 0, 0x10, 4, 0x12345678);
        sample_write(&f->s, CONFIG, PCI_INTERRUPT_LINE, 1, 11);
        assert_int_equal(sample_write(&f->s, CONFIG, PM_CTRL, 2, 3), VPC_QUIESCE_FIRST);
        assert_int_equal(sample_read(&f->s, 0, 0x10, 4), UINT32_MAX);
        assert_int_equal(sample_read(&f->s, 0, SAMPLE_MSIX + 12, 4), UINT32_MAX);
        assert_int_equal(sample_read(&f->s, 2, 0, 8), UINT64_MAX);
        sample_write(&f->s, 0, 0x10, 4, 1);
        assert_int_equal(sample_read(&f->s, CONFIG, PCI_INTERRUPT_LINE, 1), 11);
        assert_int_equal(f->s.counters.resets, 0);
        assert_int_equal(get32((const uint8_t *)vpc_image_state(f->s.image) + 0x10), 0x12345678); /* not written, not lost yet */
        assert_int_equal(sample_write(&f->s, CONFIG, PM_CTRL, 2, 0), VPC_QUIESCE_FIRST);
        assert_int_equal(f->s.counters.resets, 1);
        assert_int_equal(sample_read(&f->s, 0, 0x10, 4), 0);
        assert_int_equal(sample_read(&f->s, 0, SAMPLE_RESETS, 4), 1);
        assert_int_equal(sample_read(&f->s, CONFIG, PCI_COMMAND, 2), 0);
        assert_int_equal(sample_read(&f->s, CONFIG, PCI_INTERRUPT_LINE, 1), 0);
        assert_int_equal(sample_write(&f->s, CONFIG, PM_CTRL, 2, 0), 0); /* in D0 already */
        /* with Initiate Function Level Reset in the same write: one reset */
        sample_write(&f->s, CONFIG, PM_CTRL, 2, 3);
        assert_int_equal(sample_write(&f->s, CONFIG, 0x6c + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR), VPC_QUIESCE_FIRST);
        assert_int_equal(f->s.counters.resets, 2);
        assert_int_equal(sample_read(&f->s, 0, 0x10, 4), 0);
}

/* What is under way ends before the write that puts the function into D3hot is answered; nothing begins there. */
static void test_d3_under_io(void **state) {
        struct fixture *f = *state;

        start_read(f, GUEST, 512);
        assert_int_equal(sample_write(&f->s, CONFIG, PM_CTRL, 2, 3), VPC_QUIESCE_FIRST);
        assert_int_equal(vpc_function_quiesce(f->s.function, on_quiesced, f), 0);
        assert_int_equal(f->quiesced, 0);
        start_read(f, GUEST + 512, 512); /* dropped */
        assert_int_equal(f->s.n_submitted, 1);
        sample_finish_one(&f->s, 0);
        assert_int_equal(f->quiesced, 1);
        assert_int_equal(sample_write(&f->s, CONFIG, PM_CTRL, 2, 0), VPC_QUIESCE_FIRST);
        assert_int_equal(sample_read(&f->s, 0, 0, 4), 0);
}

static void test_log_is_limited(void **state) {
        struct fixture *f = *state;

        sample_write(&f->s, 0, SAMPLE_ADDRESS, 8, 0);
        for (int i = 0; i < 1000; i++)
                sample_write(&f->s, 0, SAMPLE_COPY, 8, GUEST);
        assert_int_equal(f->s.counters.dma_faults, 1000);
        assert_in_range(f->s.n_logs, 10, 100);
}

/* Quiet is what was under way at the time of the call; what is started after it does not count. */
static void test_quiesce(void **state) {
        struct fixture *f = *state;

        assert_int_equal(vpc_function_quiesce(f->s.function, on_quiesced, f), 0);
        assert_int_equal(f->quiesced, 1); /* at once */
        start_read(f, GUEST, 512);
        start_read(f, GUEST + 512, 512);
        assert_int_equal(f->s.n_submitted, 2);
        assert_int_equal(vpc_function_quiesce(f->s.function, on_quiesced, f), 0);
        assert_int_equal(vpc_function_quiesce(f->s.function, on_quiesced, f), -EBUSY);
        start_read(f, GUEST + 1024, 512);
        sample_finish_one(&f->s, 0);
        assert_int_equal(f->quiesced, 1);
        sample_finish_one(&f->s, 0);
        assert_int_equal(f->quiesced, 2);
        assert_int_equal(f->s.n_submitted, 1);
        assert_int_equal(vpc_function_quiesce(f->s.function, on_quiesced, f), 0);
        assert_int_equal(f->quiesced, 2);
        sample_finish_one(&f->s, -EIO);
        assert_int_equal(f->quiesced, 3);
        assert_int_equal(result(f), -EIO);
}

/* Memory is unmapped only when no request uses it any more: the fake medium writes to it. */
static void test_unmap_under_io(void **state) {
        struct fixture *f = *state;
        uint8_t b = 0;

        start_read(f, GUEST, MEMORY);
        assert_int_equal(vpc_function_dma_unmap(f->s.function, GUEST, MEMORY), 0);
        assert_int_equal(vpc_function_quiesce(f->s.function, on_quiesced, f), 0);
        start_read(f, GUEST, 512);
        assert_int_equal(result(f), -EFAULT); /* gone for new ones */
        assert_int_equal(f->quiesced, 0);
        sample_finish_one(&f->s, 0);
        assert_int_equal(f->quiesced, 1);
        assert_int_equal(pread(f->memory, &b, 1, MEMORY - 1), 1);
        assert_int_equal(b, 0x5a);
}

static void test_transactions_pending(void **state) {
        struct fixture *f = *state;
        unsigned int devsta = 0x6c + PCI_EXP_DEVSTA;

        assert_int_equal(sample_read(&f->s, CONFIG, 0x6c, 1), PCI_CAP_ID_EXP);
        assert_int_equal(sample_read(&f->s, CONFIG, devsta, 2) & PCI_EXP_DEVSTA_TRPND, 0);
        start_read(f, GUEST, 512);
        assert_int_equal(sample_read(&f->s, CONFIG, devsta, 2) & PCI_EXP_DEVSTA_TRPND, PCI_EXP_DEVSTA_TRPND);
        sample_finish_one(&f->s, 0);
        assert_int_equal(sample_read(&f->s, CONFIG, devsta, 2) & PCI_EXP_DEVSTA_TRPND, 0);
}

static void test_resets(void **state) {
        struct fixture *f = *state;

        sample_write(&f->s, 0, 0, 4, 7);
        assert_int_equal(sample_write(&f->s, CONFIG, 0x6c + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR), VPC_QUIESCE_FIRST);
        assert_int_equal(sample_read(&f->s, 0, 0, 4), 0);
        assert_int_equal(sample_read(&f->s, CONFIG, PCI_COMMAND, 2), 0);
        assert_int_equal(sample_read(&f->s, 0, SAMPLE_RESETS, 4), 1);
        vpc_function_reset(f->s.function, VPC_RESET_BUS);
        assert_int_equal(sample_read(&f->s, 0, SAMPLE_RESETS, 4), 2);
        assert_int_equal(f->s.counters.resets, 2);
}

static void stop(void *userdata) {
        loop_stop(userdata, 0);
}

static void run_for(struct fixture *f, uint64_t ns) {
        struct loop_source *timer = NULL;

        assert_int_equal(loop_add_timer(f->s.loop, ns, stop, f->s.loop, &timer), 0);
        assert_int_equal(loop_run(f->s.loop), 0);
        loop_source_remove(timer);
}

static void test_timer(void **state) {
        struct fixture *f = *state;

        sample_write(&f->s, 0, SAMPLE_TIMER, 8, 1000);
        while (sample_read(&f->s, 0, SAMPLE_FIRED, 8) == 0)
                run_for(f, 1000);
        run_for(f, 1000000);
        assert_int_equal(sample_read(&f->s, 0, SAMPLE_FIRED, 8), 1);
        /* a reset cancels it */
        sample_write(&f->s, 0, SAMPLE_TIMER, 8, 1000);
        vpc_function_reset(f->s.function, VPC_RESET_FLR);
        run_for(f, 1000000);
        assert_int_equal(sample_read(&f->s, 0, SAMPLE_FIRED, 8), 0);
}

static void test_disconnect(void **state) {
        struct fixture *f = *state;

        sample_write(&f->s, 0, 0, 4, 7);
        vpc_function_disconnect(f->s.function);
        assert_int_equal(vpc_function_quiesce(f->s.function, on_quiesced, f), 0);
        assert_int_equal(f->quiesced, 1);
        assert_int_equal(sample_read(&f->s, CONFIG, PCI_COMMAND, 2), 0);
        assert_int_equal(sample_read(&f->s, 0, 0, 4), 7); /* the state is kept */
        sample_write(&f->s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        sample_write(&f->s, 0, SAMPLE_COPY, 8, GUEST);
        assert_int_equal(result(f), -EFAULT);
}

/* A second life of an image: registers, MSI-X table and model state are those of the first. */
static void test_image(void **state) {
        struct fixture *f = *state;
        const struct vpc_environment environment = {0};
        struct vpc_model other = sample_model;
        size_t size = vpc_image_size(&sample_model);
        uint8_t *image = f->s.image;
        struct vpc_persona persona = {.name = "x"};

        sample_write(&f->s, 0, 0, 4, 7);
        sample_write(&f->s, 0, SAMPLE_MSIX, 4, 0xfee00000);
        vpc_function_free(TAKE_PTR(f->s.function));
        assert_int_equal(vpc_image_check(image, size, &sample_model), 0);
        assert_int_equal(vpc_function_new(f->s.loop, &sample_model, image, &f->s.counters, &environment, &f->s.function), 0);
        assert_int_equal(sample_read(&f->s, 0, 0, 4), 7);
        assert_int_equal(sample_read(&f->s, 0, SAMPLE_MSIX, 4), 0xfee00000);
        assert_int_equal(sample_read(&f->s, CONFIG, PCI_COMMAND, 2), PCI_COMMAND_MASTER);
        vpc_function_free(TAKE_PTR(f->s.function));

        assert_int_equal(vpc_image_check(image, size - 1, &sample_model), -EBADMSG);
        assert_int_equal(vpc_image_check(image, 0, &sample_model), -EBADMSG);
        other.name = "other";
        assert_int_equal(vpc_image_check(image, size, &other), -EBADMSG);
        other = sample_model;
        other.state_version++;
        assert_int_equal(vpc_image_check(image, size, &other), -EPROTONOSUPPORT);
        vpc_image_header(image)->version++;
        assert_int_equal(vpc_image_check(image, size, &sample_model), -EPROTONOSUPPORT);
        vpc_image_header(image)->version--;
        memset(vpc_image_header(image)->persona.name, 'x', sizeof(persona.name));
        assert_int_equal(vpc_image_check(image, size, &sample_model), -EBADMSG);
        memset(image, 0, size);
        assert_int_equal(vpc_image_check(image, size, &sample_model), -EBADMSG);
        assert_int_equal(vpc_function_new(f->s.loop, &sample_model, image, &f->s.counters, &environment, &f->s.function),
                         -EBADMSG);
        persona.n_media = VPC_MEDIA_MAX + 1;
        assert_int_equal(vpc_image_init(image, &sample_model, &persona), -EINVAL);
}

static void test_area(void **state) {
        struct fixture *f = *state;
        struct vpc_area area;

        assert_false(vpc_function_region_area(f->s.function, 0, &area));
        assert_false(vpc_function_region_area(f->s.function, 7, &area));
        assert_true(vpc_function_region_area(f->s.function, 2, &area));
        assert_int_equal(area.size, SAMPLE_BAR2 / 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dma, setup, teardown),
                cmocka_unit_test_setup_teardown(test_d3, setup, teardown),
                cmocka_unit_test_setup_teardown(test_d3_under_io, setup, teardown),
                cmocka_unit_test_setup_teardown(test_log_is_limited, setup, teardown),
                cmocka_unit_test_setup_teardown(test_quiesce, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unmap_under_io, setup, teardown),
                cmocka_unit_test_setup_teardown(test_transactions_pending, setup, teardown),
                cmocka_unit_test_setup_teardown(test_resets, setup, teardown),
                cmocka_unit_test_setup_teardown(test_timer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_disconnect, setup, teardown),
                cmocka_unit_test_setup_teardown(test_image, setup, teardown),
                cmocka_unit_test_setup_teardown(test_area, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
