/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading YAML by tables, straight over libyaml's events: no tree is built, so time and memory follow the length of the text.
 *
 * A node's first event is the one "at hand" when a function for it is called, its last event when the function returns. These
 * functions return 0 also where they found fault, so that reading goes on and finds the rest; negative (-EBADMSG, -ENOMEM) stops
 * it.
 */
#ifndef IOV_READER_H
#define IOV_READER_H

#include <yaml.h>

#include "diagnostics.h"

#define READER_DEPTH_MAX 64 /* of mappings and sequences in each other */

struct aliases;
struct reader {
        struct iov_diagnostics *diagnostics;
        struct iov_model *model;
        uint32_t file;
        yaml_parser_t parser;
        yaml_event_t event; /* the one at hand */
        unsigned int depth, n_errors;
        struct aliases *aliases; /* NULL: no anchor yet */
        bool borrowed;           /* the event at hand is not libyaml's, an alias brought it here, */
        struct place defined;    /* from here */
};

enum key_flags {
        KEY_REQUIRED = 1,
};

/* A key of a mapping. The read_* functions below fill the field at `offset` of the object. */
struct key {
        const char *name;
        int (*read)(struct reader *r, const struct key *key, void *object);
        size_t offset;
        unsigned int flags;
        uint64_t min, max;                                      /* of a number; of a quantity, `max` 0: any */
        int (*from_string)(const char *s, uint32_t *ret_value); /* of an enumeration, */
        const char *words;                                      /* and its words, for messages */
        enum iov_kind refers;                                   /* of a name: the kind of object it is of, 0: not told */
};

/* What a mapping is of, for messages. */
struct subject {
        const char *kind, *name; /* "volume", "db-data"; name may be NULL */
        struct place place;
};

/* Where a key and its value were; line 0: not given. */
struct value {
        struct place key, at;
        bool good;
        bool meant; /* not given, but a misspelt key probably meant it: its lack needs no finding of its own */
};

#define READER_KEYS_MAX 24

/* ---- the whole text ---- */

/* Read one document whose root is a mapping with these keys, which are given `object`. */
int reader_document(struct iov_model *model, const char *file, const char *text, size_t length,
                    struct iov_diagnostics *diagnostics, const char *kind, const struct key *keys, size_t n_keys,
                    void *object);

/* Its head: `version`, `kind` (key->words is the one wanted), `name` of the model. */
int reader_read_version(struct reader *r, const struct key *key, void *object);
int reader_read_kind(struct reader *r, const struct key *key, void *object);
int reader_read_document_name(struct reader *r, const struct key *key, void *object);

/* ---- nodes ---- */

int reader_advance(struct reader *r);
/* 1: the node at hand is one that we read, an alias replaced by what it stands for; 0: it is not, which has been said. */
int reader_check(struct reader *r);
bool reader_is_null(const struct reader *r);

struct place reader_place(const struct reader *r);
int reader_skip(struct reader *r);
/* `values` has room for n_keys. */
int reader_mapping(struct reader *r, const struct key *keys, size_t n_keys, const struct subject *subject, void *object,
                   struct value *values);
/* A mapping of names to objects of a kind; calls `each` for every good name that is not taken yet, with its value at hand. */
int reader_names(struct reader *r, enum iov_kind kind, const char *what,
                 int (*each)(struct reader *r, const struct subject *subject));
/* A mapping of whole numbers of at most `max` to something; a number of JSON is in quotes. `place` is that of the number. */
int reader_numbers(struct reader *r, const char *what, uint32_t max,
                   int (*each)(struct reader *r, uint32_t number, const struct place *place, void *object), void *object);
int reader_sequence(struct reader *r, const char *what, int (*each)(struct reader *r, unsigned int i, void *object),
                    void *object);
/* 1: the node at hand is text, `ret_text` is valid until the next event; 0: it is not, which has been said. */
int reader_text(struct reader *r, const char *what, const char **ret_text);
/* The same for a whole number of at least `min` and at most `max`. */
int reader_number(struct reader *r, const char *what, uint64_t min, uint64_t max, uint64_t *ret_value);

/* Fields: char[IOV_NAME_SIZE], uint32_t, uint64_t. */
int reader_read_name(struct reader *r, const struct key *key, void *object);
int reader_read_u32(struct reader *r, const struct key *key, void *object);
/* true or false, as 1 or 0 */
int reader_read_bool(struct reader *r, const struct key *key, void *object);
int reader_read_size(struct reader *r, const struct key *key, void *object);
int reader_read_rate(struct reader *r, const struct key *key, void *object);
/* Of something a second; not 0, which is what it is when it is not given. */
int reader_read_count(struct reader *r, const struct key *key, void *object);
int reader_read_duration(struct reader *r, const struct key *key, void *object);
int reader_read_word(struct reader *r, const struct key *key, void *object);

/* ---- findings ---- */

int reader_error(struct reader *r, const struct place *place, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same at the node at hand, which is then skipped. */
int reader_refuse(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what is not a name. */
int reader_refuse_name(struct reader *r, const char *what, const char *text);
/* The name at hand in `text`, of an object of a kind (0: not told), into a field; 1: done, 0: refused. */
int reader_take_name(struct reader *r, const char *what, enum iov_kind refers, char field[IOV_NAME_SIZE]);
/* Say that there are two of what may be there once. `space` and `key` as for diagnostics_note. */
int reader_unique(struct reader *r, const struct place *place, uint32_t space, const char *key, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
/* The same for what has been found to be there twice. */
int reader_twice(struct reader *r, const struct place *place, const struct place *first, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* Put a record into the model; says so where its table is full. */
int reader_set(struct reader *r, enum iov_kind kind, const void *record, const struct place *place);
/* Text for a message: in quotes, cut, on one line. */
#define READER_SHOW_SIZE 64
const char *reader_show(char buffer[READER_SHOW_SIZE], const char *text);

#endif
