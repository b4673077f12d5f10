/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volatile-medium.h"

#include <string.h>

unsigned int volatile_random(uint64_t *seed, unsigned int n) {
        /* A linear congruential generator modulo 2^64; its upper bits are the good ones. */
        *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        return (unsigned int)((*seed >> 33) % n);
}

static const unsigned char *newest(const struct volatile_sector *s) {
        return s->n ? s->cached[s->n - 1].bytes : s->lasts;
}

/* Version `i` in the cache lasts from now on; what is older is forgotten. */
static void keep(struct volatile_sector *s, unsigned int i) {
        memcpy(s->lasts, s->cached[i].bytes, sizeof(s->lasts));
        s->n -= i + 1;
        memmove(s->cached, s->cached + i + 1, s->n * sizeof(s->cached[0]));
}

static void add(struct volatile_medium *m, struct volatile_sector *s, const unsigned char *bytes) {
        if (s->n == VOLATILE_VERSIONS)
                keep(s, 0);
        s->cached[s->n].at = m->now;
        if (bytes)
                memcpy(s->cached[s->n].bytes, bytes, sizeof(s->cached[0].bytes));
        else
                memset(s->cached[s->n].bytes, 0, sizeof(s->cached[0].bytes));
        s->n++;
}

/* The bytes of a request at `skip`, to or from a buffer; they may lie in many pieces. */
static void copy(const struct vpc_io *io, uint64_t skip, unsigned char *buffer, size_t length, bool to_guest) {
        for (unsigned int i = 0; i < io->n_iov && length; i++) {
                size_t piece = io->iov[i].iov_len;

                if (skip >= piece) {
                        skip -= piece;
                        continue;
                }
                piece = piece - skip < length ? piece - skip : length;
                unsigned char *at = (unsigned char *)io->iov[i].iov_base + skip;
                memcpy(to_guest ? at : buffer, to_guest ? buffer : at, piece);
                buffer += piece;
                length -= piece;
                skip = 0;
        }
}

static void do_sector(struct volatile_medium *m, const struct vpc_io *io, uint64_t done) {
        uint64_t i = (io->offset + done) / 512;
        unsigned char bytes[512] = {0};

        if (io->op == VPC_IO_READ) {
                copy(io, done, i < VOLATILE_SECTORS ? memcpy(bytes, newest(&m->sectors[i]), sizeof(bytes)) : bytes, 512, true);
        } else if (i < VOLATILE_SECTORS && io->op == VPC_IO_WRITE) {
                copy(io, done, bytes, sizeof(bytes), false);
                add(m, &m->sectors[i], bytes);
        } else if (i < VOLATILE_SECTORS) {
                add(m, &m->sectors[i], NULL);
        }
}

static bool is_clearing(const struct vpc_io *io) {
        return io->op == VPC_IO_DISCARD || io->op == VPC_IO_ZERO;
}

static void flush(struct volatile_medium *m, uint64_t before) {
        for (unsigned int i = 0; i < VOLATILE_SECTORS; i++) {
                struct volatile_sector *s = &m->sectors[i];
                unsigned int n = 0;

                while (n < s->n && s->cached[n].at < before)
                        n++;
                if (n)
                        keep(s, n - 1);
        }
}

/* One block finds its way to what lasts by itself. */
static void write_back(struct volatile_medium *m, uint64_t *seed) {
        const unsigned int per_block = m->block_size / 512;
        unsigned int first = volatile_random(seed, VOLATILE_SECTORS) / per_block * per_block;

        if (!m->sectors[first].n)
                return;
        unsigned int which = volatile_random(seed, m->sectors[first].n);
        for (unsigned int i = first; i < first + per_block; i++)
                keep(&m->sectors[i], which);
}

void volatile_begin(struct volatile_medium *m, struct vpc_io *io) {
        m->now++;
        io->private.progress = m->now;
}

void volatile_end(struct volatile_medium *m, struct vpc_io *io, uint64_t *seed) {
        m->now++;
        if (io->op == VPC_IO_FLUSH) {
                flush(m, io->private.progress);
        } else if (io->op == VPC_IO_FORMAT) {
                flush(m, UINT64_MAX); /* the size of a block is another: what is cached is no longer in blocks */
                m->block_size = (unsigned int)io->length;
        } else {
                uint64_t length = io->length;

                if (is_clearing(io) && length > VOLATILE_SECTORS * 512)
                        length = VOLATILE_SECTORS * 512;
                for (uint64_t done = 0; done < length; done += 512)
                        do_sector(m, io, done);
        }
        if (volatile_random(seed, 4) == 0)
                write_back(m, seed);
}

void volatile_break(struct volatile_medium *m, const struct vpc_io *io, uint64_t *seed) {
        const unsigned int how = volatile_random(seed, 4);

        m->now++;
        if (io->op == VPC_IO_FORMAT && how > 1) {
                flush(m, UINT64_MAX);
                m->block_size = (unsigned int)io->length;
        }
        if (io->op != VPC_IO_WRITE && !is_clearing(io))
                return;
        for (uint64_t done = 0; done < io->length && (io->offset + done) / 512 < VOLATILE_SECTORS; done += m->block_size)
                if (how == 0 || (how > 1 && volatile_random(seed, 2)))
                        for (uint64_t i = 0; i < m->block_size; i += 512)
                                do_sector(m, io, done + i);
}

void volatile_cut(struct volatile_medium *m, uint64_t *seed) {
        const unsigned int per_block = m->block_size / 512;

        for (unsigned int first = 0; first < VOLATILE_SECTORS; first += per_block) {
                unsigned int which = volatile_random(seed, m->sectors[first].n + 1);

                for (unsigned int i = first; i < first + per_block; i++) {
                        if (which)
                                keep(&m->sectors[i], which - 1);
                        m->sectors[i].n = 0;
                }
        }
}
