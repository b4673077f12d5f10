/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings, the texts they are in, and where in them things were defined. */
#ifndef IOV_DIAGNOSTICS_H
#define IOV_DIAGNOSTICS_H

#include "iov/libiov.h"

#define FINDINGS_MAX 100 /* kept; the rest is counted */

/* A stretch of one line of a text that was read. Lines and columns count from 1; line 0: no place. */
struct place {
        uint32_t file, line, column, length;
};

/* Whose place is noted: kinds of objects by their number, then what else must not be there twice. */
enum place_space {
        PLACE_OBJECT = 0,            /* + enum iov_kind */
        PLACE_LINK = IOV_KIND_COUNT, /* number of the link: the server on it */
        PLACE_SLOT,                  /* SERVER/SLOT: the vAdapter in it */
        PLACE_VOLUME_USE,            /* what shows the volume */
        PLACE_WORN,                  /* profile: the server that wears it */
        PLACE_ATTACHED,              /* vAdapter: where it is attached by itself */
        PLACE_IN_PROFILE,            /* vAdapter: the slot of a profile it is in */
        PLACE_IDENTITY,              /* + enum iov_identity_type: the vAdapter that has it */
        PLACE_IDENTITY_LAST = PLACE_IDENTITY + IOV_IDENTITY_COUNT - 1,
        PLACE_DOCUMENT, /* keys of the document that several files may give */
        PLACE_OWN,      /* from here: those of diagnostics_new_space */
};

/* A text that findings will be in; a copy is kept. */
int diagnostics_add_file(struct iov_diagnostics *diagnostics, const char *name, const char *text, size_t length,
                         uint32_t *ret_file);
/* Line and column of a byte of a text. */
struct place diagnostics_place_of_byte(struct iov_diagnostics *diagnostics, uint32_t file, size_t offset);
/* The byte that starts a place, 0 past the end. */
unsigned char diagnostics_byte_at(struct iov_diagnostics *diagnostics, const struct place *place);
int diagnostics_add(struct iov_diagnostics *diagnostics, enum iov_severity severity, const struct place *place, const char *text);
/* The same with a second place; `relation` is a static string, see struct iov_diagnostic. */
int diagnostics_add_related(struct iov_diagnostics *diagnostics, enum iov_severity severity, const struct place *place,
                            const char *text, const char *relation, const struct place *related);
/*
 * Note the place of `key`. Returns 1 where it was not noted before; else 0, keeps the first place and copies it to `ret_first`
 * (where not NULL).
 */
int diagnostics_note(struct iov_diagnostics *diagnostics, uint32_t space, const char *key, const struct place *place,
                     struct place *ret_first);
/* The place noted, NULL: none. Valid until the next one is noted. */
const struct place *diagnostics_find(const struct iov_diagnostics *diagnostics, uint32_t space, const char *key);
/* Note that an object of that kind and name is referred to there. */
int diagnostics_refer(struct iov_diagnostics *diagnostics, enum iov_kind kind, const char *name, const struct place *place);
/* A space that nothing is noted in yet. */
uint32_t diagnostics_new_space(struct iov_diagnostics *diagnostics);
const char *diagnostics_file_name(const struct iov_diagnostics *diagnostics, uint32_t file);

#endif
