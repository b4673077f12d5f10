/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks, medians and processors for the benchmarks. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* CLOCK_MONOTONIC. */
uint64_t measure_ns(void);
/* The middle of `n` values, which are sorted by it. */
double measure_median(double *values, size_t n);
/* Keep a process (0: this thread) on one processor, where there are two at least; does nothing otherwise. */
void measure_pin(pid_t pid, unsigned int cpu);
/* Let it have any processor again. */
void measure_unpin(pid_t pid);
/* Print to stderr and exit(1). */
void measure_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
