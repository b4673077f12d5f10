/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A saved plan in memory: steps with the fields that they name. */
#ifndef IOV_PLAN_SAVED_H
#define IOV_PLAN_SAVED_H

#include "iov/libiov.h"

#define SAVED_FIELDS_MAX 64 /* of a record, one bit each in `given` */
#define SAVED_ID_SIZE 33    /* hexadecimal digits of an appliance's id */

enum saved_action { SAVED_ADD, SAVED_CHANGE, SAVED_REMOVE };
struct saved_step {
        enum saved_action action;
        enum iov_kind kind;
        char name[IOV_NAME_SIZE];
        uint64_t given;    /* fields of the record's description that are named */
        void *have, *want; /* records in which those fields are filled in */
};
struct iov_saved_plan {
        uint64_t generation;
        char appliance[SAVED_ID_SIZE];
        struct saved_step *steps;
        size_t n, allocated;
};

/* A new step at the end, all zero; NULL: no memory. */
struct saved_step *saved_plan_add(struct iov_saved_plan *saved);
/* Whether a record is one that its name says: members are called by what they are in and their number. */
bool saved_name_fits(enum iov_kind kind, const void *record);

#endif
