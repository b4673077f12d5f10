/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "sample-model.h"
#include "util.h"
#include "vpc/image.h"
#include "vpc/irq.h"

#define CONFIG VFIO_PCI_CONFIG_REGION_INDEX
/* where the VPC puts the capabilities of the sample */
#define PM 0x40
#define MSI 0x48
#define MSIX 0x60

static int setup(void **state) {
        struct sample *s = calloc(1, sizeof(*s));

        assert_non_null(s);
        assert_int_equal(sample_new(s, NULL), 0);
        assert_int_equal(sample_read(s, CONFIG, PM, 1), PCI_CAP_ID_PM);
        assert_int_equal(sample_read(s, CONFIG, MSI, 1), PCI_CAP_ID_MSI);
        assert_int_equal(sample_read(s, CONFIG, MSIX, 1), PCI_CAP_ID_MSIX);
        *state = s;
        return 0;
}

static int teardown(void **state) {
        sample_free(*state);
        free(*state);
        return 0;
}

static int give_eventfd(struct sample *s, unsigned int index, unsigned int vector) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), given = dup(fd);

        assert_true(fd >= 0 && given >= 0);
        assert_int_equal(vpc_function_irq_set(s->function, index, vector, &given, 1), 0);
        return fd;
}

/* How often an eventfd was signalled since the last look. */
static unsigned int count(int fd) {
        uint64_t n = 0;

        return read(fd, &n, sizeof(n)) == sizeof(n) ? (unsigned int)n : 0;
}

static void raise_vector(struct sample *s, unsigned int vector) {
        sample_write(s, 0, SAMPLE_RAISE, 4, vector);
}

static uint64_t pending_array(struct sample *s, unsigned int word) {
        return sample_read(s, 0, SAMPLE_PBA + word * 8, 8);
}

static void test_msix(void **state) {
        struct sample *s = *state;
        int fd = give_eventfd(s, VPC_IRQ_MSIX, 69);

        raise_vector(s, 69); /* disabled: lost */
        sample_write(s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        sample_write(s, CONFIG, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
        assert_int_equal(count(fd), 0);
        raise_vector(s, 69);
        assert_int_equal(count(fd), 1);
        assert_int_equal(s->counters.interrupts, 1);
        raise_vector(s, 70); /* there is none */
        raise_vector(s, UINT32_MAX);
        /* the function is masked: pending, and sent when it no longer is */
        sample_write(s, CONFIG, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
        raise_vector(s, 69);
        raise_vector(s, 69);
        assert_int_equal(count(fd), 0);
        assert_int_equal(pending_array(s, 1), 1u << 5);
        assert_int_equal(sample_read(s, 0, SAMPLE_PBA + 8, 1), 1u << 5);
        sample_write(s, 0, SAMPLE_PBA + 8, 8, 0); /* read-only */
        assert_int_equal(pending_array(s, 1), 1u << 5);
        sample_write(s, CONFIG, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
        assert_int_equal(count(fd), 1);
        assert_int_equal(pending_array(s, 1), 0);
        /* no Bus Master Enable, then not in D0: pending */
        sample_write(s, CONFIG, PCI_COMMAND, 2, 0);
        raise_vector(s, 69);
        assert_int_equal(count(fd), 0);
        sample_write(s, CONFIG, PM + PCI_PM_CTRL, 2, 3);
        sample_write(s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        assert_int_equal(count(fd), 0);
        /* back in D0 it is after a reset: what was pending is gone */
        sample_write(s, CONFIG, PM + PCI_PM_CTRL, 2, 0);
        assert_int_equal(pending_array(s, 1), 0);
        sample_write(s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        sample_write(s, CONFIG, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
        assert_int_equal(count(fd), 0);
        raise_vector(s, 69);
        assert_int_equal(count(fd), 1);
        /* masked by the client; then disabled, which forgets what was pending */
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_MSIX, 69, 1, true), 0);
        raise_vector(s, 69);
        assert_int_equal(pending_array(s, 1), 1u << 5);
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_MSIX, 69, 1, false), 0);
        assert_int_equal(count(fd), 1);
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_MSIX, 69, 1, true), 0);
        raise_vector(s, 69);
        sample_write(s, CONFIG, MSIX + PCI_MSIX_FLAGS, 2, 0);
        assert_int_equal(pending_array(s, 1), 0);
        assert_int_equal(count(fd), 0);
        close(fd);
}

/* A vector without eventfd, as one that the guest has masked in the table that the client emulates, is kept pending. */
static void test_msix_without_eventfd(void **state) {
        struct sample *s = *state;
        int fd = -1;

        sample_write(s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        sample_write(s, CONFIG, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
        raise_vector(s, 3);
        assert_int_equal(pending_array(s, 0), 1u << 3);
        fd = give_eventfd(s, VPC_IRQ_MSIX, 3);
        assert_int_equal(count(fd), 1);
        assert_int_equal(pending_array(s, 0), 0);
        /* eventfds stay through a reset, pending interrupts do not */
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_MSIX, 3, 1, true), 0);
        raise_vector(s, 3);
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_MSIX, 3, 1, true), 0);
        vpc_function_reset(s->function, VPC_RESET_FLR);
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_MSIX, 3, 1, false), 0);
        sample_write(s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        sample_write(s, CONFIG, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
        assert_int_equal(count(fd), 0);
        raise_vector(s, 3);
        assert_int_equal(count(fd), 1);
        vpc_function_irq_disable(s->function, VPC_IRQ_MSIX);
        raise_vector(s, 3);
        assert_int_equal(count(fd), 0);
        close(fd);
}

/* The table is memory, with a reset value and reserved bits. */
static void test_msix_table(void **state) {
        struct sample *s = *state;

        assert_int_equal(sample_read(s, 0, SAMPLE_MSIX + 12, 4), 1);
        assert_int_equal(sample_read(s, 0, SAMPLE_MSIX + 69 * 16 + 12, 4), 1);
        sample_write(s, 0, SAMPLE_MSIX + 16, 8, 0xfee0000000001234);
        sample_write(s, 0, SAMPLE_MSIX + 24, 8, UINT64_MAX);
        assert_int_equal(sample_read(s, 0, SAMPLE_MSIX + 16, 8), 0xfee0000000001234);
        assert_int_equal(sample_read(s, 0, SAMPLE_MSIX + 24, 8), 0x1ffffffff);
        assert_int_equal(sample_read(s, 0, SAMPLE_MSIX + 32, 8), 0);
        vpc_function_reset(s->function, VPC_RESET_BUS);
        assert_int_equal(sample_read(s, 0, SAMPLE_MSIX + 16, 8), 0);
        assert_int_equal(sample_read(s, 0, SAMPLE_MSIX + 28, 4), 1);
}

static void test_msi(void **state) {
        struct sample *s = *state;
        int fd0 = give_eventfd(s, VPC_IRQ_MSI, 0), fd1 = give_eventfd(s, VPC_IRQ_MSI, 1);

        sample_write(s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
        sample_write(s, CONFIG, MSI + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | 1 << 4);
        raise_vector(s, 1);
        assert_int_equal(count(fd1), 1);
        raise_vector(s, 2); /* two are enabled: shared */
        assert_int_equal(count(fd0), 1);
        sample_write(s, CONFIG, MSI + PCI_MSI_MASK_64, 4, 2);
        raise_vector(s, 1);
        assert_int_equal(count(fd1), 0);
        assert_int_equal(sample_read(s, CONFIG, MSI + PCI_MSI_PENDING_64, 4), 2);
        sample_write(s, CONFIG, MSI + PCI_MSI_MASK_64, 4, 0);
        assert_int_equal(count(fd1), 1);
        assert_int_equal(sample_read(s, CONFIG, MSI + PCI_MSI_PENDING_64, 4), 0);
        /* pending, then disabled: forgotten */
        sample_write(s, CONFIG, MSI + PCI_MSI_MASK_64, 4, 2);
        raise_vector(s, 1);
        sample_write(s, CONFIG, MSI + PCI_MSI_FLAGS, 2, 0);
        assert_int_equal(sample_read(s, CONFIG, MSI + PCI_MSI_PENDING_64, 4), 0);
        close(fd0);
        close(fd1);
}

static void set_level(struct sample *s, bool level) {
        sample_write(s, 0, SAMPLE_LEVEL, 4, level);
}

static void test_intx(void **state) {
        struct sample *s = *state;
        int fd = give_eventfd(s, VPC_IRQ_INTX, 0);

        set_level(s, true);
        assert_int_equal(count(fd), 1); /* needs no Bus Master Enable */
        assert_true(sample_read(s, CONFIG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
        set_level(s, true);
        set_level(s, false);
        set_level(s, true);
        assert_int_equal(count(fd), 0); /* masked by itself until the client unmasks */
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_INTX, 0, 1, false), 0);
        assert_int_equal(count(fd), 1); /* the level is still there */
        set_level(s, false);
        assert_false(sample_read(s, CONFIG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_INTX, 0, 1, false), 0);
        assert_int_equal(count(fd), 0);
        /* Interrupt Disable: the status shows it all the same */
        sample_write(s, CONFIG, PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
        set_level(s, true);
        assert_int_equal(count(fd), 0);
        assert_true(sample_read(s, CONFIG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
        sample_write(s, CONFIG, PCI_COMMAND, 2, 0);
        assert_int_equal(count(fd), 1);
        /* MSI-X takes over */
        sample_write(s, CONFIG, MSIX + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_INTX, 0, 1, false), 0);
        assert_int_equal(count(fd), 0);
        assert_false(sample_read(s, CONFIG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
        sample_write(s, CONFIG, MSIX + PCI_MSIX_FLAGS, 2, 0);
        assert_int_equal(count(fd), 1);
        assert_true(sample_read(s, CONFIG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
        /* and so does MSI */
        sample_write(s, CONFIG, MSI + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
        assert_false(sample_read(s, CONFIG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
        sample_write(s, CONFIG, MSI + PCI_MSI_FLAGS, 2, 0);
        assert_true(sample_read(s, CONFIG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
        vpc_function_reset(s->function, VPC_RESET_BUS);
        assert_false(sample_read(s, CONFIG, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
        close(fd);
}

static void test_refused(void **state) {
        struct sample *s = *state;
        int pipes[2], fd = -1;
        uint64_t full = UINT64_MAX - 1;

        fd = eventfd(0, EFD_CLOEXEC);
        assert_int_equal(vpc_function_irq_set(s->function, VPC_IRQ_MSIX, SAMPLE_VECTORS, &fd, 1), -EINVAL);
        assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed all the same */
        fd = eventfd(0, EFD_CLOEXEC);
        assert_int_equal(vpc_function_irq_set(s->function, 3, 0, &fd, 1), -EINVAL);
        fd = eventfd(0, EFD_CLOEXEC);
        assert_int_equal(vpc_function_irq_set(s->function, VPC_IRQ_INTX, UINT32_MAX, &fd, 1), -EINVAL);
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_MSI, 3, 2, true), -EINVAL);
        assert_int_equal(vpc_function_irq_mask(s->function, VPC_IRQ_MSI, 1, UINT32_MAX, true), -EINVAL);
        assert_int_equal(vpc_function_irq_trigger(s->function, 9, 0, 1), -EINVAL);
        vpc_function_irq_disable(s->function, 9);
        /* a pipe is no eventfd */
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        assert_int_equal(vpc_function_irq_set(s->function, VPC_IRQ_MSIX, 0, &pipes[1], 1), -EINVAL);
        close(pipes[0]);
        /* one that is full and would block does not */
        fd = eventfd(0, EFD_CLOEXEC);
        assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
        pipes[0] = dup(fd);
        assert_int_equal(vpc_function_irq_set(s->function, VPC_IRQ_MSIX, 0, &pipes[0], 1), 0);
        assert_int_equal(vpc_function_irq_trigger(s->function, VPC_IRQ_MSIX, 0, 1), 0);
        assert_int_equal(s->counters.interrupts, 0);
        close(fd);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_msix, setup, teardown),
                cmocka_unit_test_setup_teardown(test_msix_without_eventfd, setup, teardown),
                cmocka_unit_test_setup_teardown(test_msix_table, setup, teardown),
                cmocka_unit_test_setup_teardown(test_msi, setup, teardown),
                cmocka_unit_test_setup_teardown(test_intx, setup, teardown),
                cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
