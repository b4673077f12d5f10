/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the ledger of identities know of each other. */
#ifndef IOV_IOVE_IDENTITY_PRIVATE_H
#define IOV_IOVE_IDENTITY_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "iove/identity.h"

/* How many octets identities of a type have, 0: they are text. */
unsigned int identity_octets(enum iov_identity_type type);
/* `n` octets in hex with colons between, lower case, as a number of which the first is highest; false where it is no such thing.
 */
bool identity_parse_octets(const char *s, unsigned int n, uint64_t *ret_value);
/* The reverse; `s` has room for 3 * `n` bytes. */
void identity_format_octets(uint64_t value, unsigned int n, char *s);
void identity_put(struct iov_vadapter *vadapter, enum iov_identity_type type, const char *value);

/* How long identities of a type rest, in nanoseconds. */
uint64_t identity_rest_ns(const struct iov_model *model, uint32_t type);
/* An index of what rests alone: past holders are those of `past_of`, and rest as long as the pools of `pools_of` say. */
int identities_new_resting(const struct iov_model *past_of, const struct iov_model *pools_of, uint64_t now_ns,
                           struct identities **ret_identities);
/* Note what each vAdapter of a model has. */
int identities_note_all(struct identities *identities, const struct iov_model *model);
/* Note a value that is in no record yet; the index keeps a copy. */
int identities_note_copy(struct identities *identities, const char *value);
bool identities_is_empty(const struct identities *identities);
/* Whether a value is held, or rests. */
bool identities_has(const struct identities *identities, const char *value);
/* Who had a value last that nobody has now; NULL: somebody has it, or it has rested. */
const struct iov_identity *identities_past(const struct identities *identities, const char *value);
/* Where the search in the pool of a type goes on: the choosers' note. */
uint64_t *identities_next(struct identities *identities, enum iov_identity_type type);

#endif
