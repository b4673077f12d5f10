/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What functions keep for their whole life (vpc/model.h): STATE/life/ID of each vAdapter that ever did something. All of it is in
 * memory, so that a vAdapter that is plugged in waits for no file, and it is written by a thread, one after the other.
 *
 * What cannot be read counts as none: it is figures, and a server that needs its disk must not go without for their sake.
 */
#ifndef IOV_CONTROL_LIVES_H
#define IOV_CONTROL_LIVES_H

#include <stddef.h>

#include "control/journal.h"
#include "iov/libiov.h"
#include "loop/loop.h"
#include "vpc/model.h"

struct lives;

/* With what is in the state directory. */
int lives_new(struct loop *loop, struct journal *journal, int state_directory, struct lives **ret_lives);
/* Writes what is not yet written, and waits for that. Takes NULL. */
struct lives *lives_free(struct lives *lives);
/* Of this persona, by its id, as a function of that model; until the next call of anything here. NULL: there is none, or it was
 * another's, with another serial number: then it begins anew. */
const void *lives_get(struct lives *lives, const struct vpc_persona *persona, const struct vpc_model *model, size_t *ret_size);
/* It is this now; copied, and written soon. At most VPC_LIFE_MAX bytes. */
int lives_set(struct lives *lives, const struct vpc_persona *persona, const struct vpc_model *model, const void *life,
              size_t size);
/* What could not be written is tried again. */
void lives_retry(struct lives *lives);
/* The vAdapter is gone, for good, by id; or all are that are not in the model. */
void lives_remove(struct lives *lives, uint64_t vadapter);
void lives_sweep(struct lives *lives, const struct iov_model *model);

#endif
