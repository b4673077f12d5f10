/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/volumes/reservation-file.h"

#include "control/store/record-file.h"
#include "control/volumes/reservation-state.h"

static bool is_sane(const void *record) {
        return reservation_is_sane(record);
}

static const struct record_file_kind kind = {
        .magic = "iov-resv", .version = 1, .size = sizeof(struct vpc_reservation), .is_sane = is_sane};

int reservation_file_open_directory(int state_directory, int *ret_fd) {
        return record_file_open_directory(state_directory, "reservations", ret_fd);
}

int reservation_file_encode(const struct vpc_reservation *state, void **ret_bytes, size_t *ret_size) {
        return record_file_encode(&kind, state, ret_bytes, ret_size);
}

int reservation_file_decode(const void *bytes, size_t size, struct vpc_reservation *ret_state) {
        return record_file_decode(&kind, bytes, size, ret_state);
}

int reservation_file_read(int directory, const char *name, struct vpc_reservation *ret_state) {
        return record_file_read(&kind, directory, name, ret_state);
}
