/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volume files: made when first opened, deleted or retained as asked, and never deleted by a guess. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <cmocka.h>

#include "control/volumes/preallocation.h"
#include "control/volumes/volumes.h"
#include "util.h"

struct fixture {
        char path[64];
        int directory;
};

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        if (!f)
                return -1;
        snprintf(f->path, sizeof(f->path), "/tmp/iov-volumes.XXXXXX");
        *state = f;
        if (!mkdtemp(f->path))
                return -1;
        f->directory = open(f->path, O_RDONLY | O_DIRECTORY);
        return f->directory < 0 ? -1 : 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int teardown(void **state) {
        struct fixture *f = *state;

        close(f->directory);
        nftw(f->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        free(f);
        return 0;
}

static struct iov_volume volume(uint64_t id, uint32_t on_remove) {
        struct iov_volume v = {.size = 4096, .id = id, .on_remove = on_remove};

        snprintf(v.name, sizeof(v.name), "vol%u", (unsigned int)id);
        field_set(v.adapter, sizeof(v.adapter), "ssd0");
        return v;
}

static void fill(struct fixture *f, const struct iov_volume *v) {
        int fd = -1;

        assert_int_equal(volume_open(f->directory, "", v, false, &fd), 0);
        assert_int_equal(write(fd, "data", 4), 4);
        close(fd);
}

static bool exists(struct fixture *f, const char *path) {
        return faccessat(f->directory, path, F_OK, 0) == 0;
}

static void test_read_only(void **state) {
        struct fixture *f = *state;
        struct iov_volume v = volume(9, IOV_ON_REMOVE_DELETE);
        int fd = -1;

        assert_int_equal(volume_open(f->directory, "", &v, true, &fd), 0); /* made where it is missing, all the same */
        assert_int_equal(write(fd, "data", 4), -1);
        assert_int_equal(volume_block_size(fd), 0);
        close(fd);
        assert_int_equal(volume_open(f->directory, "", &v, false, &fd), 0);
        assert_int_equal(write(fd, "data", 4), 4);
        /* what a format left there, and what it cannot have left */
        if (fsetxattr(fd, "user.iov.block-size", "4096", 4, 0) == 0) {
                assert_int_equal(volume_block_size(fd), 4096);
                assert_int_equal(fsetxattr(fd, "user.iov.block-size", "777", 3, 0), 0);
                assert_int_equal(volume_block_size(fd), 0);
        }
        close(fd);
}

static void test_open_twice_is_the_same(void **state) {
        struct fixture *f = *state;
        struct iov_volume v = volume(7, IOV_ON_REMOVE_DELETE);
        char data[5] = "";
        int fd = -1;

        fill(f, &v);
        assert_int_equal(volume_open(f->directory, "", &v, false, &fd), 0);
        assert_int_equal(read(fd, data, 5), 4);
        assert_string_equal(data, "data");
        close(fd);
        assert_true(exists(f, "media/ssd0/7.img"));
}

static void test_discard(void **state) {
        struct fixture *f = *state;
        struct iov_volume gone = volume(1, IOV_ON_REMOVE_DELETE), kept = volume(2, IOV_ON_REMOVE_RETAIN),
                          never = volume(3, IOV_ON_REMOVE_RETAIN);

        fill(f, &gone);
        fill(f, &kept);
        assert_int_equal(volume_discard(f->directory, "", &gone), 0);
        assert_int_equal(volume_discard(f->directory, "", &kept), 0);
        assert_int_equal(volume_discard(f->directory, "", &never), 0);
        assert_false(exists(f, "media/ssd0/1.img"));
        assert_false(exists(f, "media/ssd0/2.img"));
        assert_true(exists(f, "media/ssd0/retained/vol2-2.img"));
}

static void test_sweep_moves_what_nobody_knows(void **state) {
        struct fixture *f = *state;
        struct iov_volume known = volume(1, 0), orphan = volume(2, 0);
        struct iov_model *model = NULL;
        struct iov_ctx *ctx = NULL;

        fill(f, &known);
        fill(f, &orphan);
        close(openat(f->directory, "media/ssd0/notes.txt", O_CREAT | O_WRONLY, 0600));
        assert_int_equal(iov_new(&ctx), 0);
        assert_int_equal(iov_model_new(ctx, &model), 0);
        assert_int_equal(iov_model_set(model, IOV_KIND_VOLUME, &known), 0);
        assert_int_equal(volumes_sweep(f->directory, model), 1);
        assert_int_equal(volumes_sweep(f->directory, model), 0);
        assert_true(exists(f, "media/ssd0/1.img"));
        assert_true(exists(f, "media/ssd0/notes.txt"));
        assert_true(exists(f, "media/ssd0/retained/orphan-2.img"));
        iov_model_unref(model);
        iov_unref(ctx);
}

static off_t length_of(struct fixture *f, const char *path) {
        struct stat st;

        assert_int_equal(fstatat(f->directory, path, &st, 0), 0);
        return st.st_size;
}

static void make_long(struct fixture *f, const struct iov_volume *v) {
        int fd = -1;

        fill(f, v);
        assert_int_equal(volume_open(f->directory, "", v, false, &fd), 0);
        assert_int_equal(ftruncate(fd, 65536), 0);
        close(fd);
}

/* What is behind the new end of a volume that shrank is gone, also when a crash came between the commit and that. */
static void test_trim(void **state) {
        struct fixture *f = *state;
        struct iov_volume shrunk = volume(1, 0), crashed = volume(2, 0), never = volume(3, 0), large = volume(4, 0);
        struct iov_model *model = NULL;
        struct iov_ctx *ctx = NULL;

        shrunk.size = crashed.size = never.size = 4096;
        large.size = 1 << 20;
        make_long(f, &shrunk);
        make_long(f, &crashed);
        make_long(f, &large);
        assert_int_equal(volume_trim(f->directory, "", &shrunk), 0);
        assert_int_equal(volume_trim(f->directory, "", &never), 0);
        assert_int_equal(volume_trim(f->directory, "", &large), 0);
        assert_int_equal(length_of(f, "media/ssd0/1.img"), 4096);
        assert_int_equal(length_of(f, "media/ssd0/2.img"), 65536);
        assert_int_equal(iov_new(&ctx), 0);
        assert_int_equal(iov_model_new(ctx, &model), 0);
        assert_int_equal(iov_model_set(model, IOV_KIND_VOLUME, &shrunk), 0);
        assert_int_equal(iov_model_set(model, IOV_KIND_VOLUME, &crashed), 0);
        assert_int_equal(iov_model_set(model, IOV_KIND_VOLUME, &large), 0);
        assert_int_equal(volumes_sweep(f->directory, model), 0);
        assert_int_equal(length_of(f, "media/ssd0/2.img"), 4096);
        assert_int_equal(length_of(f, "media/ssd0/4.img"), 65536);
        assert_false(exists(f, "media/ssd0/3.img"));
        iov_model_unref(model);
        iov_unref(ctx);
}

static uint64_t space_of(struct fixture *f, const char *path) {
        struct stat st = {0};

        assert_int_equal(fstatat(f->directory, path, &st, 0), 0);
        return (uint64_t)st.st_blocks * 512;
}

/* Space is set aside beside what is there; undone, the file is as it was, or not there. */
static void test_allocate(void **state) {
        struct fixture *f = *state;
        struct iov_volume v = volume(1, 0), fresh = volume(2, 0), huge = volume(3, 0);
        struct volume_before before = {0};
        char data[5] = "";
        int fd = -1;

        v.size = fresh.size = 1 << 20;
        huge.size = UINT64_C(1) << 59;
        fill(f, &v);
        assert_int_equal(volume_allocate(f->directory, "", &v, &before), 0);
        assert_true(space_of(f, "media/ssd0/1.img") >= 1 << 20);
        assert_int_equal(length_of(f, "media/ssd0/1.img"), 1 << 20);
        assert_int_equal(volume_open(f->directory, "", &v, false, &fd), 0);
        assert_int_equal(read(fd, data, 4), 4);
        assert_string_equal(data, "data");
        close(fd);
        assert_false(before.is_made);
        assert_int_equal(before.size, 4);
        volume_unallocate(f->directory, "", &v, &before);
        assert_int_equal(length_of(f, "media/ssd0/1.img"), 4);
        assert_true(space_of(f, "media/ssd0/1.img") < 1 << 20);
        assert_int_equal(volume_allocate(f->directory, "", &fresh, &before), 0);
        assert_true(before.is_made);
        volume_unallocate(f->directory, "", &fresh, &before);
        assert_false(exists(f, "media/ssd0/2.img"));
        assert_int_equal(volume_allocate(f->directory, "", &huge, &before), -ENOSPC);
        assert_false(exists(f, "media/ssd0/3.img"));
        v.size = huge.size;
        assert_int_equal(volume_allocate(f->directory, "", &v, &before), -ENOSPC);
        assert_int_equal(length_of(f, "media/ssd0/1.img"), 4);
}

static void add_full(struct iov_model *m, const char *name, uint64_t id, uint64_t size) {
        struct iov_volume v = {.size = size, .id = id, .provisioning = IOV_PROVISIONING_FULL};

        field_set(v.name, sizeof(v.name), name);
        field_set(v.adapter, sizeof(v.adapter), "ssd0");
        assert_int_equal(iov_model_set(m, IOV_KIND_VOLUME, &v), 0);
}

static bool is_empty(const struct fixture *f) {
        return rmdir(f->path) == 0 && mkdir(f->path, 0700) == 0;
}

/* What there would be no room for, all of it; looked at from where the files would be, and nothing made there. */
static void test_judge(void **state) {
        struct fixture *f = *state;
        struct iov_model *from = NULL, *to = NULL;
        struct preallocation *p = NULL;
        struct iove_refusal refusal = {0};
        struct volume_need need;
        struct iov_ctx *ctx = NULL;
        int fd = -1;

        assert_int_equal(iov_new(&ctx), 0);
        assert_int_equal(iov_model_new(ctx, &from), 0);
        assert_int_equal(iov_model_new(ctx, &to), 0);
        add_full(to, "small", 1, 4096);
        add_full(to, "huge", 2, UINT64_C(1) << 59);
        add_full(to, "small2", 3, 4096);
        add_full(to, "huge2", 4, UINT64_C(1) << 58);
        assert_int_equal(preallocation_make(f->directory, NULL, from, to, &p), 0);
        assert_int_equal(preallocation_judge(p), -ENOSPC);
        preallocation_tell(p, &refusal);
        preallocation_free(p);
        assert_int_equal(refusal.n, 2);
        assert_int_equal(refusal.code, IOV_RET_NO_SPACE);
        assert_non_null(strstr(refusal.errors[0].text, "volume huge: provisioning full needs 512PiB"));
        assert_non_null(strstr(refusal.errors[1].text, "volume huge2: provisioning full needs 256PiB"));
        assert_true(is_empty(f));
        close(f->directory);
        f->directory = open(f->path, O_RDONLY | O_DIRECTORY);
        /* One that fits alone, twice: half of what is free, and half of it, and a bit. */
        struct iov_volume v = *(const struct iov_volume *)iov_model_get(to, IOV_KIND_VOLUME, "small");
        assert_int_equal(volume_need(f->directory, "", &v, &need), 0);
        assert_int_equal(need.bytes, 4096);
        iov_model_unref(to);
        assert_int_equal(iov_model_new(ctx, &to), 0);
        add_full(to, "half", 1, need.free / 4 * 3);
        add_full(to, "more", 2, need.free / 4 * 3);
        assert_int_equal(preallocation_make(f->directory, NULL, from, to, &p), 0);
        assert_int_equal(preallocation_judge(p), -ENOSPC);
        refusal.n = 0;
        preallocation_tell(p, &refusal);
        preallocation_free(p);
        assert_int_equal(refusal.n, 1);
        assert_non_null(strstr(refusal.errors[0].text, "volume more: "));
        /* What a file has already is not needed again. */
        assert_int_equal(volume_open(f->directory, "", &v, false, &fd), 0);
        assert_int_equal(ftruncate(fd, 4096), 0);
        assert_int_equal(pwrite(fd, &v, sizeof(v), 0), sizeof(v));
        assert_int_equal(fsync(fd), 0);
        close(fd);
        assert_int_equal(volume_need(f->directory, "", &v, &need), 0);
        assert_int_equal(need.bytes, 0);
        /* The directory of a backend is not made, and not looked for elsewhere. */
        assert_int_equal(volume_need(f->directory, "/nowhere/at/all", &v, &need), -ENOENT);
        iov_model_unref(from);
        iov_model_unref(to);
        iov_unref(ctx);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_read_only, setup, teardown),
                cmocka_unit_test_setup_teardown(test_open_twice_is_the_same, setup, teardown),
                cmocka_unit_test_setup_teardown(test_discard, setup, teardown),
                cmocka_unit_test_setup_teardown(test_trim, setup, teardown),
                cmocka_unit_test_setup_teardown(test_allocate, setup, teardown),
                cmocka_unit_test_setup_teardown(test_judge, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sweep_moves_what_nobody_knows, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
