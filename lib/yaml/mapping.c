/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings by tables of their keys, mappings of names, and sequences. */
#include <assert.h>
#include <errno.h>

#include "near.h"
#include "reader.h"
#include "scalar.h"
#include "util.h"

/* 1: the key at hand is text; 0: it is not, and the key and its value were skipped. */
static int key_text(struct reader *r, const char *what, const char **ret_text) {
        int e = reader_check(r);

        if (e > 0 && r->event.type == YAML_SCALAR_EVENT && r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
            strcmp((const char *)r->event.data.scalar.value, "<<") == 0)
                e = reader_refuse(r, "merge keys (<<) are not supported, write the keys out");
        else if (e > 0)
                e = reader_text(r, what, ret_text);
        if (e != 0)
                return e;
        e = reader_advance(r);
        return e < 0 ? e : reader_skip(r);
}

#define SUBJECT_SIZE 128
static const char *subject_text(char buffer[SUBJECT_SIZE], const struct subject *subject) {
        snprintf(buffer, SUBJECT_SIZE, "%s%s%s", subject->kind, subject->name ? " " : "", subject->name ? subject->name : "");
        return buffer;
}

static int unknown_key(struct reader *r, const char *text, const struct key *keys, size_t n_keys, const struct subject *subject,
                       struct value *values) {
        unsigned int best = NEAR_EDITS + 1;
        size_t best_key = 0;
        const char *meant = NULL;
        char show[READER_SHOW_SIZE], of[SUBJECT_SIZE], known[320] = "";
        struct place place = reader_place(r);

        for (size_t i = 0; i < n_keys; i++) {
                unsigned int edits = near_distance(text, keys[i].name);

                snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", *known ? ", " : "", keys[i].name);
                /* A word of which nothing is left is not what was meant. */
                if (edits < best && edits < strlen(keys[i].name)) {
                        best = edits;
                        meant = keys[i].name;
                        best_key = i;
                }
        }
        if (meant)
                values[best_key].meant = true;
        reader_show(show, text);
        int e = meant ? reader_error(r, &place, "unknown key %s in %s; did you mean \"%s\"?", show, subject_text(of, subject),
                                     meant)
                      : reader_error(r, &place, "unknown key %s in %s; it can have %s", show, subject_text(of, subject), known);
        if (e < 0)
                return e;
        e = reader_advance(r);
        return e < 0 ? e : reader_skip(r);
}

static int twice(struct reader *r, const char *name, const struct place *first) {
        struct place place = reader_place(r);
        char show[READER_SHOW_SIZE];
        int e = reader_twice(r, &place, first, "key %s is here twice", reader_show(show, name));

        if (e == 0)
                e = reader_advance(r);
        return e < 0 ? e : reader_skip(r);
}

/* x-* keys are the user's own: what is in them is not looked at, but YAML forbids them twice too. */
static int own_key(struct reader *r, const char *text, uint32_t *space) {
        struct place place = reader_place(r);
        char show[READER_SHOW_SIZE];

        if (!*space)
                *space = diagnostics_new_space(r->diagnostics);
        int e = reader_unique(r, &place, *space, text, "key %s is here twice", reader_show(show, text));

        if (e == 0)
                e = reader_advance(r);
        return e < 0 ? e : reader_skip(r);
}

/* The key at hand and its value. */
static int read_pair(struct reader *r, const struct key *keys, size_t n_keys, const struct subject *subject, uint32_t *own_space,
                     void *object, struct value *values) {
        const char *text = NULL;
        size_t i = 0;
        int e = key_text(r, "key", &text);

        /* What was refused may have been any of them. */
        for (i = 0; e == 0 && i < n_keys; i++)
                values[i].meant = true;
        if (e <= 0)
                return e;
        i = 0;
        if (strncmp(text, "x-", 2) == 0)
                return own_key(r, text, own_space);
        while (i < n_keys && strcmp(keys[i].name, text) != 0)
                i++;
        if (i == n_keys)
                return unknown_key(r, text, keys, n_keys, subject, values);
        if (values[i].key.line)
                return twice(r, text, &values[i].key);
        values[i].key = reader_place(r);
        e = reader_advance(r);
        if (e < 0)
                return e;
        values[i].at = reader_place(r);
        unsigned int errors = r->n_errors;
        e = reader_check(r);
        if (e > 0)
                e = keys[i].read(r, &keys[i], object);
        values[i].good = r->n_errors == errors;
        return e;
}

int reader_mapping(struct reader *r, const struct key *keys, size_t n_keys, const struct subject *subject, void *object,
                   struct value *values) {
        char of[SUBJECT_SIZE];
        uint32_t own_space = 0;

        assert(n_keys <= READER_KEYS_MAX);
        memset(values, 0, n_keys * sizeof(*values));
        if (r->event.type != YAML_MAPPING_START_EVENT)
                return reader_refuse(r, "%s: a mapping wanted: {%s: ...}", subject_text(of, subject), keys[0].name);
        for (;;) {
                int e = reader_advance(r);

                if (e < 0)
                        return e;
                if (r->event.type == YAML_MAPPING_END_EVENT)
                        break;
                e = read_pair(r, keys, n_keys, subject, &own_space, object, values);
                if (e < 0)
                        return e;
        }
        for (size_t i = 0; i < n_keys; i++)
                if ((keys[i].flags & KEY_REQUIRED) && !values[i].key.line && !values[i].meant) {
                        int e = reader_error(r, &subject->place, "%s needs \"%s\"", subject_text(of, subject), keys[i].name);

                        if (e < 0)
                                return e;
                }
        return 0;
}

/* The key at hand, copied as the name of a new object. 1: good, 0: refused, and the value skipped. */
static int object_name(struct reader *r, enum iov_kind kind, const char *what, char name[IOV_NAME_SIZE],
                       struct place *ret_place) {
        const char *text = NULL;
        unsigned int errors = r->n_errors;
        int e = key_text(r, what, &text);

        if (e <= 0 || !text)
                return e;
        *ret_place = reader_place(r);
        if (!iov_name_is_valid(text))
                e = reader_refuse_name(r, what, text);
        else {
                field_set(name, IOV_NAME_SIZE, text);
                e = reader_unique(r, ret_place, PLACE_OBJECT + (uint32_t)kind, text, "%s %s is defined twice", what, text);
                /* A model may come with objects that no file defined. */
                if (e == 0 && r->n_errors == errors && iov_model_get(r->model, kind, text))
                        e = reader_error(r, ret_place, "%s %s is defined already", what, text);
        }
        if (e < 0)
                return e;
        e = reader_advance(r);
        if (e < 0)
                return e;
        if (r->n_errors != errors)
                return reader_skip(r);
        return 1;
}

int reader_names(struct reader *r, enum iov_kind kind, const char *what,
                 int (*each)(struct reader *r, const struct subject *subject)) {
        if (reader_is_null(r))
                return 0;
        if (r->event.type != YAML_MAPPING_START_EVENT)
                return reader_refuse(r, "a mapping wanted, of the name of each %s to what it is: {NAME: {...}}", what);
        for (;;) {
                char name[IOV_NAME_SIZE];
                struct subject subject = {.kind = what, .name = name};
                int e = reader_advance(r);

                if (e < 0)
                        return e;
                if (r->event.type == YAML_MAPPING_END_EVENT)
                        return 0;
                e = object_name(r, kind, what, name, &subject.place);
                if (e > 0)
                        e = reader_check(r);
                if (e > 0)
                        e = each(r, &subject);
                if (e < 0)
                        return e;
        }
}

/* 1: the key at hand is a number; 0: it is not, and it and its value were skipped. */
static int key_number(struct reader *r, const char *what, uint32_t max, uint32_t *ret_number, struct place *ret_place) {
        char show[READER_SHOW_SIZE];
        uint64_t number = 0;
        int e = reader_check(r);

        *ret_place = reader_place(r);
        if (e > 0 && r->event.type != YAML_SCALAR_EVENT)
                e = reader_refuse(r, "%s: the number of a slot wanted as key", what);
        else if (e > 0) {
                const char *text = (const char *)r->event.data.scalar.value;
                bool plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
                bool canonical = *text && text[strspn(text, "0123456789")] == 0 && (*text != '0' || !text[1]);

                if (strlen(text) != r->event.data.scalar.length || scalar_resolve(text) != SCALAR_INTEGER ||
                    (!plain && !canonical))
                        e = reader_refuse(r, "%s: %s is not the number of a slot", what, reader_show(show, text));
                else if (scalar_integer(text, &number) < 0 || number > max)
                        e = reader_refuse(r, "%s: %.24s is not in 0 to %u", what, text, max);
                else
                        *ret_number = (uint32_t)number;
        }
        int a = e < 0 ? e : reader_advance(r);
        return a < 0 ? a : e > 0 ? 1 : reader_skip(r);
}

int reader_numbers(struct reader *r, const char *what, uint32_t max,
                   int (*each)(struct reader *r, uint32_t number, const struct place *place, void *object), void *object) {
        if (reader_is_null(r))
                return 0;
        if (r->event.type != YAML_MAPPING_START_EVENT)
                return reader_refuse(r, "%s: a mapping wanted, of numbers: {0: ...}", what);
        for (;;) {
                struct place place;
                uint32_t number = 0;
                int e = reader_advance(r);

                if (e < 0)
                        return e;
                if (r->event.type == YAML_MAPPING_END_EVENT)
                        return 0;
                e = key_number(r, what, max, &number, &place);
                if (e > 0)
                        e = reader_check(r);
                if (e > 0)
                        e = each(r, number, &place, object);
                if (e < 0)
                        return e;
        }
}

int reader_sequence(struct reader *r, const char *what, int (*each)(struct reader *r, unsigned int i, void *object),
                    void *object) {
        if (reader_is_null(r))
                return 0;
        if (r->event.type != YAML_SEQUENCE_START_EVENT)
                return reader_refuse(r, "%s: a list wanted: [...]", what);
        for (unsigned int i = 0;; i++) {
                int e = reader_advance(r);

                if (e < 0)
                        return e;
                if (r->event.type == YAML_SEQUENCE_END_EVENT)
                        return 0;
                e = reader_check(r);
                if (e > 0)
                        e = each(r, i, object);
                if (e < 0)
                        return e;
        }
}

int reader_set(struct reader *r, enum iov_kind kind, const void *record, const struct place *place) {
        int e = iov_model_set(r->model, kind, record);

        if (e != -E2BIG)
                return e;
        e = reader_error(r, place, "more than %u %ss", iov_records_get(kind)->max, iov_records_get(kind)->name);
        /* Every one from here on would say the same. */
        return e < 0 ? e : -EBADMSG;
}
