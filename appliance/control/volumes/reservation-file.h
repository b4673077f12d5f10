/* SPDX-License-Identifier: GPL-2.0-or-later */
/* STATE/reservations/ID: the reservations of a volume that persist through power loss (NVMe 1.4 section 8.8). */
#ifndef IOV_CONTROL_RESERVATION_FILE_H
#define IOV_CONTROL_RESERVATION_FILE_H

#include <stddef.h>

#include "vpc/reservation.h"

/* The directory, made where there is none. */
int reservation_file_open_directory(int state_directory, int *ret_fd);
/* *ret_bytes is the caller's. */
int reservation_file_encode(const struct vpc_reservation *state, void **ret_bytes, size_t *ret_size);
/* -EBADMSG: cut off, damaged, or of another version. */
int reservation_file_decode(const void *bytes, size_t size, struct vpc_reservation *ret_state);
int reservation_file_read(int directory, const char *name, struct vpc_reservation *ret_state);

#endif
