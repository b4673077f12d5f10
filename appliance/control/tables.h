/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BAR2: the record tables in shared memory, sealed so that whoever maps it can only read. */
#ifndef IOV_CONTROL_TABLES_H
#define IOV_CONTROL_TABLES_H

#include "iov/libiov.h"

struct tables;

int tables_new(struct tables **ret_tables);
struct tables *tables_free(struct tables *tables);
/* The descriptor to hand out for mapping; it cannot be mapped for writing. */
int tables_get_fd(const struct tables *tables);
const void *tables_get_memory(const struct tables *tables);

/* Show the model: every row that differs is written, within one odd-even cycle of TABLE_SEQUENCE. */
void tables_publish(struct tables *tables, const struct iov_model *model);
/* Show one record whose status has changed. */
void tables_publish_record(struct tables *tables, const struct iov_model *model, enum iov_kind kind, const void *record);
/* The counter row of a vAdapter. */
void tables_set_counter(struct tables *tables, unsigned int row, const struct iov_counter *counter);
void tables_begin(struct tables *tables);
void tables_end(struct tables *tables);
/* Call it after each event that is added; NULL: nobody. */
void tables_on_event(struct tables *tables, void (*added)(void *userdata), void *userdata);
/* Add an event to the ring; returns EVENT_HEAD after it. */
uint64_t tables_add_event(struct tables *tables, const struct iov_event *event);
uint64_t tables_get_event_head(const struct tables *tables);

#endif
