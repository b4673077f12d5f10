/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/two-processors.h"

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/batch.h"
#include "bench/measure.h"

#define ENTRIES 1024u
#define LAST UINT32_MAX

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
}

static void *shared(size_t size) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                measure_die("shared memory: %s", strerror(errno));
        return p;
}

/* It begins on this processor, which it must be let have. */
static void await_ready(const uint32_t *ready) {
        while (!__atomic_load_n(ready, __ATOMIC_ACQUIRE))
                nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

/* ---- ping-pong ---- */

struct ball {
        alignas(64) uint32_t ping;
        alignas(64) uint32_t pong;
        alignas(64) uint32_t ready;
};

static void pong_main(struct ball *ball) {
        measure_pin(0, 1);
        __atomic_store_n(&ball->ready, 1, __ATOMIC_RELEASE);
        for (uint32_t i = 1;; i++) {
                uint32_t v;

                while ((v = __atomic_load_n(&ball->ping, __ATOMIC_ACQUIRE)) < i)
                        relax();
                __atomic_store_n(&ball->pong, v, __ATOMIC_RELEASE);
                if (v == LAST)
                        _exit(0);
        }
}

/* The pong process lives for one batch, so that it takes no time from the worker. */
double ping_pong_ns(unsigned int count) {
        struct ball *ball = shared(sizeof(*ball));
        const pid_t pid = fork();
        uint64_t start = 0;

        if (pid < 0)
                measure_die("ping-pong: %s", strerror(errno));
        if (pid == 0)
                pong_main(ball);
        await_ready(&ball->ready);
        for (uint32_t i = 1; i <= count; i++) {
                if (i == 1000)
                        start = measure_ns();
                __atomic_store_n(&ball->ping, i, __ATOMIC_RELEASE);
                while (__atomic_load_n(&ball->pong, __ATOMIC_ACQUIRE) < i)
                        relax();
        }
        double ns = (double)(measure_ns() - start) / (count - 1000);
        __atomic_store_n(&ball->ping, LAST, __ATOMIC_RELEASE);
        waitpid(pid, NULL, 0);
        munmap(ball, sizeof(*ball));
        return ns;
}

/* ---- a bare read ---- */

struct submission {
        alignas(64) uint64_t block;
        unsigned char rest[56];
};

struct completion {
        alignas(16) uint32_t entry;
        uint32_t rest[3];
};

struct exchange {
        struct submission submissions[ENTRIES];
        struct completion completions[ENTRIES];
        alignas(64) uint32_t doorbell;
        alignas(64) uint32_t ready;
        alignas(BATCH_BLOCK) unsigned char data[BATCH_BLOCK];
};

static void serve(struct exchange *x, const unsigned char *memory) {
        measure_pin(0, 1);
        __atomic_store_n(&x->ready, 1, __ATOMIC_RELEASE);
        for (uint32_t i = 1;; i++) {
                struct submission s;
                uint32_t v;

                while ((v = __atomic_load_n(&x->doorbell, __ATOMIC_ACQUIRE)) < i)
                        ;
                if (v == LAST)
                        _exit(0);
                s = x->submissions[i % ENTRIES];
                memcpy(x->data, memory + s.block * BATCH_BLOCK, BATCH_BLOCK);
                __atomic_store_n(&x->completions[i % ENTRIES].entry, i, __ATOMIC_RELEASE);
        }
}

static double ask(struct exchange *x, struct pattern p, unsigned int count) {
        struct submission s = {0};
        uint64_t start = 0;

        for (uint32_t i = 1; i <= count; i++) {
                if (i == 1000)
                        start = measure_ns();
                s.block = pattern_next(&p);
                x->submissions[i % ENTRIES] = s;
                __atomic_store_n(&x->doorbell, i, __ATOMIC_RELEASE);
                while (__atomic_load_n(&x->completions[i % ENTRIES].entry, __ATOMIC_ACQUIRE) != i)
                        ;
        }
        return (double)(measure_ns() - start) / (count - 1000);
}

double bare_read_ns(uint64_t size, unsigned int round, unsigned int count) {
        struct exchange *x = shared(sizeof(*x));
        unsigned char *memory = shared(size);
        double ns = 0;

        memset(memory, 0x5a, size);
        memset(x, 0, sizeof(*x));
        const pid_t pid = fork();
        if (pid < 0)
                measure_die("bare read: %s", strerror(errno));
        if (pid == 0)
                serve(x, memory);
        await_ready(&x->ready);
        ns = ask(x, pattern_of(round, size / BATCH_BLOCK), count);
        __atomic_store_n(&x->doorbell, LAST, __ATOMIC_RELEASE);
        waitpid(pid, NULL, 0);
        munmap(memory, size);
        munmap(x, sizeof(*x));
        return ns;
}
