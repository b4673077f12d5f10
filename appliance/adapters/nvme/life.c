/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What outlives the image: the figures of the SMART log [5.14.1.2], the error log with its count [5.14.1.1], the results of
 * self-tests [5.14.1.6] and an extended one that is under way [5.8], and LBA range types [5.21.1.3].
 *
 * It is written as it would be if power went now, since it is read when it has.
 */
#include <errno.h>
#include <string.h>

#include "adapters/nvme/nvme.h"

#define LIFE_VERSION 1u
#define HOUR UINT64_C(3600000000000)
#define FIGURE_MAX (UINT64_C(1) << 62) /* no figure is near it: so none overflows */
#define RANGE_SIZE sizeof(((struct nvme_namespace *)0)->range)

/* What is kept: this, errors (the oldest first), results (the newest first), and ranges. */
struct kept {
        uint32_t version;
        uint32_t n_errors, n_results, n_ranges;
        uint32_t is_testing; /* an extended self-test is under way, */
        uint32_t test_nsid, test_at, reserved;
        uint64_t test_position;
        struct nvme_life life;
};
struct kept_range {
        uint64_t unique_id; /* of the medium */
        uint8_t range[RANGE_SIZE];
};
_Static_assert(sizeof(struct kept) + NVME_ERROR_ENTRIES * sizeof(struct nvme_error_entry) +
                               NVME_SELF_TEST_RESULTS * sizeof(struct nvme_self_test_result) +
                               NVME_NAMESPACES * sizeof(struct kept_range) <=
                       VPC_LIFE_MAX,
               "more is kept than there is room for");

/* ---- power ---- */

/* The order is that of a process that may be killed in between, and whose successor does it again. */
void nvme_power_on(struct nvme_device *device) {
        struct nvme_image *image = device->image;
        struct nvme_power *power = &image->power;

        if (power->is_on)
                return;
        power->since = nvme_clock(device) - image->life.powered_ns;
        power->cycles = image->life.power_cycles;
        power->unsafe_shutdowns = image->life.unsafe_shutdowns;
        __atomic_store_n(&power->is_on, 1, __ATOMIC_RELEASE);
        image->life.power_cycles = power->cycles + 1;
}

bool nvme_is_unsafe(const struct nvme_image *image) {
        const uint32_t csts = image->registers.csts;

        return image->power.is_on && (csts & NVME_CSTS_RDY) && (csts & NVME_CSTS_SHST_MASK) != NVME_CSTS_SHST_COMPLETE;
}

static uint64_t powered_ns(const struct nvme_image *image, uint64_t now) {
        return image->power.is_on ? now - image->power.since : image->life.powered_ns;
}

uint64_t nvme_powered_hours(const struct nvme_image *image, uint64_t now) {
        return powered_ns(image, now) / HOUR;
}

void nvme_power_lost(struct nvme_device *device) {
        struct nvme_image *image = device->image;
        struct nvme_power *power = &image->power;

        if (!power->is_on)
                return;
        image->life.powered_ns = powered_ns(image, nvme_clock(device));
        image->life.power_cycles = power->cycles + 1;
        image->life.unsafe_shutdowns = power->unsafe_shutdowns + nvme_is_unsafe(image);
        __atomic_store_n(&power->is_on, 0, __ATOMIC_RELEASE);
}

/* ---- taking: nothing is taken for good that another process may write to ---- */

static void limit(uint64_t *figure) {
        if (*figure > FIGURE_MAX)
                *figure = FIGURE_MAX;
}

static void limit_all(struct nvme_life *l) {
        uint64_t *const figures[] = {&l->read_bytes,   &l->write_bytes, &l->reads,        &l->writes,
                                     &l->busy_ns,      &l->powered_ns,  &l->power_cycles, &l->unsafe_shutdowns,
                                     &l->media_errors, &l->error_count};

        for (unsigned int i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
                limit(figures[i]);
}

static struct nvme_life take_figures(const struct nvme_image *image, uint64_t now) {
        struct nvme_life life;
        struct nvme_power power;

        memcpy(&power, &image->power, sizeof(power));
        __atomic_thread_fence(__ATOMIC_ACQUIRE); /* what is said of power goes before what is said by its loss */
        memcpy(&life, &image->life, sizeof(life));
        life.error_count = __atomic_load_n(&image->life.error_count, __ATOMIC_ACQUIRE);
        if (power.is_on) {
                life.powered_ns = now - power.since;
                life.power_cycles = power.cycles + 1;
                life.unsafe_shutdowns = power.unsafe_shutdowns + nvme_is_unsafe(image);
        }
        limit_all(&life);
        return life;
}

/* One that is just being written is left out. */
static bool take_error(const struct nvme_image *image, uint64_t count, struct nvme_error_entry *ret_entry) {
        const struct nvme_error_entry *from = &image->errors[count % NVME_ERROR_ENTRIES];
        struct nvme_error_entry entry;

        if (__atomic_load_n(&from->count, __ATOMIC_ACQUIRE) != count)
                return false;
        memcpy(&entry, from, sizeof(entry));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&from->count, __ATOMIC_RELAXED) != count)
                return false;
        entry.count = count;
        memcpy(ret_entry, &entry, sizeof(entry));
        return true;
}

static unsigned char *take_errors(const struct nvme_image *image, struct kept *kept, unsigned char *to) {
        const uint64_t last = kept->life.error_count;
        const uint64_t n = last < NVME_ERROR_ENTRIES ? last : NVME_ERROR_ENTRIES;

        for (uint64_t count = last - n + 1; count <= last; count++) {
                struct nvme_error_entry entry;

                if (!take_error(image, count, &entry))
                        continue;
                memcpy(to, &entry, sizeof(entry));
                to += sizeof(entry);
                kept->n_errors++;
        }
        return to;
}

static bool result_is_sane(const struct nvme_self_test_result *r) {
        return (r->status & 15) != NVME_SELF_TEST_UNUSED;
}

/* [5.8] A short test does not outlive a reset. */
static unsigned char *take_tests(const struct nvme_image *image, struct kept *kept, unsigned char *to) {
        struct nvme_self_test t;
        struct nvme_self_test_result results[NVME_SELF_TEST_RESULTS + 1];
        uint32_t n = 0;

        memcpy(&t, &image->self_test, sizeof(t));
        if (t.code == NVME_SELF_TEST_SHORT)
                results[n++] = nvme_self_test_result(NVME_SELF_TEST_RESET, t.code, kept->life.powered_ns / HOUR);
        for (unsigned int i = 0; i < NVME_SELF_TEST_RESULTS && i < t.n_results; i++)
                if (result_is_sane(&t.results[i]))
                        results[n++] = t.results[i];
        kept->n_results = n < NVME_SELF_TEST_RESULTS ? n : NVME_SELF_TEST_RESULTS;
        kept->is_testing = t.code == NVME_SELF_TEST_EXTENDED;
        if (kept->is_testing) {
                kept->test_nsid = t.nsid;
                kept->test_at = t.at;
                kept->test_position = t.position / NVME_SELF_TEST_PIECE * NVME_SELF_TEST_PIECE;
        }
        memcpy(to, results, kept->n_results * sizeof(results[0]));
        return to + kept->n_results * sizeof(results[0]);
}

static bool has_range(const uint8_t range[RANGE_SIZE]) {
        static const uint8_t none[RANGE_SIZE];

        return memcmp(range, none, sizeof(none)) != 0;
}

static unsigned int n_namespaces(const struct nvme_image *image) {
        const uint32_t n = __atomic_load_n(&image->n_namespaces, __ATOMIC_RELAXED);

        return n < NVME_NAMESPACES ? n : NVME_NAMESPACES;
}

static unsigned char *take_ranges(const struct nvme_image *image, struct kept *kept, unsigned char *to) {
        const unsigned int n = n_namespaces(image);

        for (unsigned int i = 0; i < n; i++) {
                struct kept_range range = {.unique_id = image->namespaces[i].unique_id};

                memcpy(range.range, image->namespaces[i].range, sizeof(range.range));
                if (!image->namespaces[i].blocks || !has_range(range.range))
                        continue;
                memcpy(to, &range, sizeof(range));
                to += sizeof(range);
                kept->n_ranges++;
        }
        return to;
}

size_t nvme_life_take(const void *state, uint64_t now, void *life) {
        const struct nvme_image *image = state;
        struct kept kept = {.version = LIFE_VERSION, .life = take_figures(image, now)};
        unsigned char *to = (unsigned char *)life + sizeof(kept);

        to = take_errors(image, &kept, to);
        to = take_tests(image, &kept, to);
        to = take_ranges(image, &kept, to);
        memcpy(life, &kept, sizeof(kept));
        return (size_t)(to - (unsigned char *)life);
}

/* FNV-1a, by words */
static uint64_t mix(uint64_t mark, const void *data, size_t size) {
        for (size_t i = 0; i + sizeof(uint32_t) <= size; i += sizeof(uint32_t)) {
                uint32_t word;

                memcpy(&word, (const char *)data + i, sizeof(word));
                mark = (mark ^ word) * UINT64_C(0x100000001b3);
        }
        return mark;
}

uint64_t nvme_life_mark(const void *state, uint64_t now) {
        const struct nvme_image *image = state;
        const struct nvme_self_test *t = &image->self_test;
        const unsigned int n = n_namespaces(image);
        struct nvme_life life = take_figures(image, now);
        uint64_t mark = UINT64_C(0xcbf29ce484222325);

        life.powered_ns /= HOUR;
        mark = mix(mark, &life, sizeof(life));
        mark = mix(mark, &t->code, sizeof(t->code));
        mark = mix(mark, &t->position, sizeof(t->position));
        mark = mix(mark, &t->n_results, sizeof(t->n_results));
        mark = mix(mark, &t->results[0], sizeof(t->results[0]));
        for (unsigned int i = 0; i < n; i++)
                if (image->namespaces[i].blocks)
                        mark = mix(mark, image->namespaces[i].range, RANGE_SIZE);
        return mark ? mark : 1;
}

/* ---- giving ---- */

static bool figures_are_sane(const struct nvme_life *life) {
        struct nvme_life limited = *life;

        limit_all(&limited);
        return memcmp(&limited, life, sizeof(limited)) == 0;
}

static bool kept_is_sane(const struct kept *k, size_t size) {
        return k->version == LIFE_VERSION && k->n_errors <= NVME_ERROR_ENTRIES && k->n_results <= NVME_SELF_TEST_RESULTS &&
               k->n_ranges <= NVME_NAMESPACES && k->is_testing <= 1 && k->test_position % NVME_SELF_TEST_PIECE == 0 &&
               k->reserved == 0 && figures_are_sane(&k->life) &&
               size == sizeof(*k) + k->n_errors * sizeof(struct nvme_error_entry) +
                               k->n_results * sizeof(struct nvme_self_test_result) + k->n_ranges * sizeof(struct kept_range);
}

/* [5.14.1.1] Each with a number of its own, of the last that there were. */
static bool errors_are_sane(const struct kept *k, const unsigned char *from) {
        uint64_t last = k->life.error_count > NVME_ERROR_ENTRIES ? k->life.error_count - NVME_ERROR_ENTRIES : 0;

        for (uint32_t i = 0; i < k->n_errors; i++) {
                struct nvme_error_entry entry;

                memcpy(&entry, from + i * sizeof(entry), sizeof(entry));
                if (entry.count <= last || entry.count > k->life.error_count)
                        return false;
                last = entry.count;
        }
        return true;
}

static bool results_are_sane(const struct kept *k, const unsigned char *from) {
        for (uint32_t i = 0; i < k->n_results; i++) {
                struct nvme_self_test_result result;

                memcpy(&result, from + i * sizeof(result), sizeof(result));
                if (!result_is_sane(&result))
                        return false;
        }
        return true;
}

/* One of a namespace that has other blocks by now is forgotten. */
static void give_range(struct nvme_image *image, const struct kept_range *range) {
        uint64_t first, blocks;

        memcpy(&first, range->range + 16, sizeof(first));
        memcpy(&blocks, range->range + 24, sizeof(blocks));
        for (unsigned int i = 0; i < image->n_namespaces; i++) {
                struct nvme_namespace *ns = &image->namespaces[i];

                if (ns->blocks && ns->unique_id == range->unique_id && first < ns->blocks && blocks < ns->blocks - first)
                        memcpy(ns->range, range->range, sizeof(ns->range));
        }
}

int nvme_life_give(void *state, const void *life, size_t size) {
        struct nvme_image *image = state;
        struct nvme_self_test *t = &image->self_test;
        struct kept k;

        if (size < sizeof(k))
                return -EBADMSG;
        memcpy(&k, life, sizeof(k));
        if (!kept_is_sane(&k, size))
                return -EBADMSG;
        const unsigned char *errors = (const unsigned char *)life + sizeof(k);
        const unsigned char *results = errors + k.n_errors * sizeof(struct nvme_error_entry);
        const unsigned char *ranges = results + k.n_results * sizeof(struct nvme_self_test_result);
        if (!errors_are_sane(&k, errors) || !results_are_sane(&k, results))
                return -EBADMSG;
        image->life = k.life;
        for (uint32_t i = 0; i < k.n_errors; i++) {
                struct nvme_error_entry entry;

                memcpy(&entry, errors + i * sizeof(entry), sizeof(entry));
                image->errors[entry.count % NVME_ERROR_ENTRIES] = entry;
        }
        memcpy(t->results, results, k.n_results * sizeof(t->results[0]));
        t->n_results = k.n_results;
        for (uint32_t i = 0; i < k.n_ranges; i++) {
                struct kept_range range;

                memcpy(&range, ranges + i * sizeof(range), sizeof(range));
                give_range(image, &range);
        }
        if (k.is_testing)
                nvme_self_test_resume(image, k.test_nsid, k.test_at, k.test_position);
        return 0;
}
