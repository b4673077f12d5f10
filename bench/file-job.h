/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes of a file's 4 KiB blocks at random, or of 128 KiB in sequence: through a vAdapter whose medium it is, by
 * io_uring straight on it, and by fio.
 */
#ifndef BENCH_FILE_JOB_H
#define BENCH_FILE_JOB_H

#include <stdbool.h>

#include "bench/batch-uring.h"

#define FILE_JOB_DEPTH 32u
#define FILE_JOB_BLOCK (128u << 10)

struct file_job {
        const char *what;
        unsigned int opcode;
        uint32_t block; /* bytes */
        bool is_sequential;
        unsigned int depth, count;
        double goal; /* the rate, as a part of the peer's */
};

/* One vAdapter and its medium. */
struct file_target {
        const char *path;
        struct nvme_host host;
        unsigned char *data;
        uint64_t *lists; /* a page for each slot: NVMe 1.4 section 4.3 */
        uint64_t data_iova, lists_iova;
        struct io_uring ring;
        unsigned char *buffer; /* of io_uring */
        uint64_t size;         /* how much of both is used */
        const struct file_job *job;
        struct pattern pattern; /* where job is sequential, state counts */
};

/* `interrupt`: the host sleeps until it is interrupted, else it looks. `path` NULL: the medium is no file, file_job_uring() has
 * nothing to do its jobs on. */
void file_target_open(struct file_target *target, const char *socket, const char *path, uint64_t size, bool interrupt);
void file_target_close(struct file_target *target);

/* Begin a round of a job; the places that it takes one after the other, in bytes, the same for all in the same round. */
void file_job_begin(struct file_target *target, const struct file_job *job, unsigned int round);
uint64_t file_job_offset(struct file_target *target);
/* ns each. */
double file_job_nvme(struct file_target *target, const struct file_job *job, unsigned int round);
double file_job_uring(struct file_target *target, const struct file_job *job, unsigned int round);

/* fio with a job for each file at once, kept to one processor or not (-1): ns each of all of them, by fio's own clock. Negative
 * where there is no fio. */
double file_job_fio(const char *const *paths, unsigned int n, uint64_t size, const struct file_job *job, int cpu);

/* A row of the table; `peer` is what to say behind the job's name. Sorts the values. `has_goal`: judged by the job's goal. */
void file_job_report(const struct file_job *job, const char *peer, double *ours, double *peers, unsigned int n, bool has_goal);

#endif
