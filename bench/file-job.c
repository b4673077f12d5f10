/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/file-job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"
#include "util.h"

#define PAGES_MAX (FILE_JOB_BLOCK / NVME_HOST_PAGE)

void file_job_begin(struct file_target *t, const struct file_job *job, unsigned int round) {
        t->job = job;
        t->pattern = pattern_of(round, t->size / job->block);
}

uint64_t file_job_offset(struct file_target *t) {
        const uint64_t block = t->job->is_sequential ? t->pattern.state++ % t->pattern.n_blocks : pattern_next(&t->pattern);

        return block * t->job->block;
}

/* NVMe 1.4 section 4.3: the first page, then the second, or a list of all others */
static void nvme_put(void *userdata, unsigned int slot) {
        struct file_target *t = userdata;
        const uint64_t iova = t->data_iova + (uint64_t)slot * FILE_JOB_BLOCK;
        struct nvme_host_command command;

        nvme_host_rw(&command, t->job->opcode, &t->host, file_job_offset(t) / t->host.block_size,
                     t->job->block / t->host.block_size, iova);
        if (t->job->block > 2 * NVME_HOST_PAGE)
                command.prp2 = t->lists_iova + (uint64_t)slot * NVME_HOST_PAGE;
        command.cid = (uint16_t)slot;
        nvme_host_put(&t->host.io, &command);
}

static void uring_put(void *userdata, unsigned int slot) {
        struct file_target *t = userdata;
        struct io_uring_sqe *sqe = io_uring_get_sqe(&t->ring);
        unsigned char *data = t->buffer + (size_t)slot * FILE_JOB_BLOCK;

        if (t->job->opcode == NVME_IO_READ)
                io_uring_prep_read(sqe, 0, data, t->job->block, file_job_offset(t));
        else
                io_uring_prep_write(sqe, 0, data, t->job->block, file_job_offset(t));
        sqe->flags |= IOSQE_FIXED_FILE;
        io_uring_sqe_set_data64(sqe, slot);
}

static struct batch batch_of(struct file_target *t, const struct file_job *job, unsigned int round) {
        file_job_begin(t, job, round);
        return (struct batch){.what = job->what, .depth = job->depth, .count = job->count, .userdata = t};
}

double file_job_nvme(struct file_target *t, const struct file_job *job, unsigned int round) {
        struct batch batch = batch_of(t, job, round);

        batch.put = nvme_put;
        return batch_nvme(&t->host, &batch);
}

double file_job_uring(struct file_target *t, const struct file_job *job, unsigned int round) {
        struct batch batch = batch_of(t, job, round);

        batch.put = uring_put;
        return batch_uring(&t->ring, &batch, job->block);
}

void file_target_open(struct file_target *t, const char *socket, const char *path, uint64_t size, bool interrupt) {
        *t = (struct file_target){.path = path, .size = size};
        if (nvme_host_open(&t->host, socket, 5 << 20, 64, interrupt) < 0)
                exit(1);
        if (nvme_host_shadow(&t->host) < 0)
                measure_die("%s: no shadow doorbells", socket);
        t->data = nvme_host_alloc(&t->host, (size_t)FILE_JOB_DEPTH * FILE_JOB_BLOCK, &t->data_iova);
        t->lists = nvme_host_alloc(&t->host, (size_t)FILE_JOB_DEPTH * NVME_HOST_PAGE, &t->lists_iova);
        if (!t->data || !t->lists || t->host.n_blocks * t->host.block_size < size)
                measure_die("%s: a namespace that cannot be used", socket);
        for (unsigned int slot = 0; slot < FILE_JOB_DEPTH; slot++)
                for (unsigned int i = 1; i < PAGES_MAX; i++)
                        t->lists[slot * (NVME_HOST_PAGE / sizeof(uint64_t)) + i - 1] =
                                t->data_iova + (uint64_t)slot * FILE_JOB_BLOCK + (uint64_t)i * NVME_HOST_PAGE;
        memset(t->data, 0x5a, (size_t)FILE_JOB_DEPTH * FILE_JOB_BLOCK);

        t->buffer = aligned_alloc(4096, (size_t)FILE_JOB_DEPTH * FILE_JOB_BLOCK);
        if (!t->buffer)
                measure_die("no memory");
        memset(t->buffer, 0xa5, (size_t)FILE_JOB_DEPTH * FILE_JOB_BLOCK);
        if (!path)
                return;
        CLEANUP_CLOSE int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0 || io_uring_queue_init(64, &t->ring, 0) < 0 || io_uring_register_files(&t->ring, &fd, 1) < 0)
                measure_die("%s: %s", path, strerror(errno));
}

void file_target_close(struct file_target *t) {
        if (t->path)
                io_uring_queue_exit(&t->ring);
        free(t->buffer);
        nvme_host_close(&t->host);
}

/* ---- fio ---- */

/* All that makes fio quicker is on: nothing is timed but the whole, no map of the blocks it was at, file and buffers registered.
 */
static void fio_command(char *command, size_t size, const char *const *paths, unsigned int n, uint64_t bytes,
                        const struct file_job *job, int cpu) {
        const bool is_read = job->opcode == NVME_IO_READ;
        size_t used = 0;
        char pin[32] = "";

        if (cpu >= 0)
                snprintf(pin, sizeof(pin), "--cpus_allowed=%d ", cpu);
        for (unsigned int i = 0; i <= n && used < size; i++)
                used += (size_t)(i == 0 ? snprintf(
                                                  command, size,
                                                  "fio --output-format=terse --ioengine=io_uring --registerfiles=1 --fixedbufs=1 "
                                                  "--nonvectored=1 --gtod_reduce=1 --norandommap=1 --thread=1 "
                                                  "--group_reporting=1 "
                                                  "--allow_file_create=0 --overwrite=1 --rw=%s%s --bs=%u --iodepth=%u "
                                                  "--size=%llu "
                                                  "--io_size=%llu %s",
                                                  job->is_sequential ? "" : "rand", is_read ? "read" : "write", job->block,
                                                  job->depth, (unsigned long long)bytes,
                                                  (unsigned long long)job->count * job->block, pin)
                                        : snprintf(command + used, size - used, "--name=job%u '--filename=%s' ", i,
                                                   paths[i - 1]));
        if (used >= size)
                measure_die("fio: the paths are too long");
}

/* fio(1), terse output version 3: fields 7, 8 and 9 are a read's bandwidth (KiB/s), IOPS and run time (ms), 48, 49 and 50 a
 * write's. */
static double fio_iops(char *line, bool is_read) {
        const unsigned int wanted = is_read ? 8 : 49;
        unsigned int field = 1;
        char *rest = line, *word;

        while ((word = strsep(&rest, ";")))
                if (field++ == wanted)
                        return strtod(word, NULL);
        return 0;
}

double file_job_fio(const char *const *paths, unsigned int n, uint64_t size, const struct file_job *job, int cpu) {
        char command[4096], line[8192] = "";
        double iops = 0;

        if (system("command -v fio >/dev/null") != 0)
                return -1;
        fio_command(command, sizeof(command), paths, n, size, job, cpu);
        FILE *f = popen(command, "re");
        if (!f)
                measure_die("fio: %s", strerror(errno));
        while (fgets(line, sizeof(line), f))
                if (strncmp(line, "3;", 2) == 0)
                        iops = fio_iops(line, job->opcode == NVME_IO_READ);
        if (pclose(f) != 0 || iops <= 0)
                measure_die("fio has failed: %s", command);
        return 1e9 / iops;
}

void file_job_report(const struct file_job *job, const char *peer, double *ours, double *peers, unsigned int n, bool has_goal) {
        double ratios[16];
        char what[80], goal[32] = "-";

        for (unsigned int i = 0; i < n && i < ARRAY_LENGTH(ratios); i++)
                ratios[i] = ours[i] / peers[i];
        const double ratio = measure_median(ratios, n);
        if (has_goal)
                snprintf(goal, sizeof(goal), "%.2f %s", 1 / job->goal, ratio <= 1 / job->goal ? "held" : "missed");
        snprintf(what, sizeof(what), "%s%s", job->what, peer);
        printf("%-46s %9.3f us %9.3f us %7.3f  %s\n", what, measure_median(ours, n) / 1e3, measure_median(peers, n) / 1e3, ratio,
               goal);
}
