/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scalars by type, and the handlers that fill the fields of records with them. */
#include <errno.h>

#include "near.h"
#include "reader.h"
#include "scalar.h"
#include "util.h"

static const char *node_word(const struct reader *r) {
        switch (r->event.type) {
        case YAML_MAPPING_START_EVENT:
                return "a mapping";
        case YAML_SEQUENCE_START_EVENT:
                return "a list";
        default:
                return "something else";
        }
}

static enum scalar resolve(const struct reader *r) {
        return r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? scalar_resolve((const char *)r->event.data.scalar.value)
                                                                     : SCALAR_TEXT;
}

bool reader_is_null(const struct reader *r) {
        return r->event.type == YAML_SCALAR_EVENT && resolve(r) == SCALAR_NULL;
}

int reader_text(struct reader *r, const char *what, const char **ret_text) {
        static const char *const words[] = {[SCALAR_NULL] = "nothing",
                                            [SCALAR_BOOL] = "true or false",
                                            [SCALAR_INTEGER] = "a number",
                                            [SCALAR_FLOAT] = "a number"};
        char show[READER_SHOW_SIZE];

        if (r->event.type != YAML_SCALAR_EVENT)
                return reader_refuse(r, "%s: text wanted, not %s", what, node_word(r));
        const char *text = (const char *)r->event.data.scalar.value;
        enum scalar type = resolve(r);
        if (type == SCALAR_NULL)
                return reader_refuse(r, "%s: has no value", what);
        if (type != SCALAR_TEXT)
                return reader_refuse(r, "%s: text wanted, and this is %s in YAML; write it in quotes: %s", what, words[type],
                                     reader_show(show, text));
        if (strlen(text) != r->event.data.scalar.length)
                return reader_refuse(r, "%s: has a NUL character", what);
        *ret_text = text;
        return 1;
}

int reader_number(struct reader *r, const char *what, uint64_t min, uint64_t max, uint64_t *ret_value) {
        char show[READER_SHOW_SIZE];
        uint64_t value;

        if (r->event.type != YAML_SCALAR_EVENT)
                return reader_refuse(r, "%s: whole number wanted, not %s", what, node_word(r));
        const char *text = (const char *)r->event.data.scalar.value;
        if (resolve(r) != SCALAR_INTEGER) {
                bool quoted = resolve(r) == SCALAR_TEXT && scalar_resolve(text) == SCALAR_INTEGER;

                return reader_refuse(r, "%s: whole number wanted, not %s%s", what, reader_show(show, text),
                                     quoted ? "; write it without quotes" : "");
        }
        if (scalar_integer(text, &value) < 0 || value < min || value > max)
                return reader_refuse(r, "%s: %.24s is not in %llu to %llu", what, text, (unsigned long long)min,
                                     (unsigned long long)max);
        *ret_value = value;
        return 1;
}

int reader_refuse_name(struct reader *r, const char *what, const char *text) {
        char show[READER_SHOW_SIZE];

        return reader_refuse(r, "%s: %s is not a name: letters, digits, '.', '_' and '-', first a letter or digit, at most %u",
                             what, reader_show(show, text), IOV_NAME_MAX);
}

int reader_take_name(struct reader *r, const char *what, enum iov_kind refers, char field[IOV_NAME_SIZE]) {
        const char *text = NULL;
        struct place place = reader_place(r);
        int e = reader_text(r, what, &text);

        if (e <= 0 || !text)
                return e < 0 ? e : 0;
        if (!iov_name_is_valid(text))
                return reader_refuse_name(r, what, text);
        field_set(field, IOV_NAME_SIZE, text);
        e = refers ? diagnostics_refer(r->diagnostics, refers, text, &place) : 0;
        return e < 0 ? e : 1;
}

int reader_read_name(struct reader *r, const struct key *key, void *object) {
        int e = reader_take_name(r, key->name, key->refers, (char *)object + key->offset);

        return e < 0 ? e : 0;
}

int reader_read_u32(struct reader *r, const struct key *key, void *object) {
        uint64_t value = 0;
        int e = reader_number(r, key->name, key->min, key->max, &value);

        if (e > 0)
                *(uint32_t *)(void *)((char *)object + key->offset) = (uint32_t)value;
        return e < 0 ? e : 0;
}

int reader_read_bool(struct reader *r, const struct key *key, void *object) {
        char show[READER_SHOW_SIZE];

        if (r->event.type != YAML_SCALAR_EVENT)
                return reader_refuse(r, "%s: true or false wanted, not %s", key->name, node_word(r));
        const char *text = (const char *)r->event.data.scalar.value;
        if (resolve(r) != SCALAR_BOOL)
                return reader_refuse(r, "%s: true or false wanted, not %s", key->name, reader_show(show, text));
        *(uint32_t *)(void *)((char *)object + key->offset) = *text == 't' || *text == 'T';
        return 0;
}

/* A number with a unit. A plain number is told from a wrong unit, since forgetting the unit is what happens. */
static int read_quantity(struct reader *r, const struct key *key, int (*parse)(const char *, uint64_t *), const char *example,
                         uint64_t *ret_value) {
        char show[READER_SHOW_SIZE];

        if (r->event.type == YAML_SCALAR_EVENT && (resolve(r) == SCALAR_INTEGER || resolve(r) == SCALAR_FLOAT))
                return reader_refuse(r, "%s: %s has no unit; write for example %s", key->name,
                                     reader_show(show, (const char *)r->event.data.scalar.value), example);
        const char *text = NULL;
        int e = reader_text(r, key->name, &text);
        if (e <= 0)
                return e;
        e = parse(text, ret_value);
        if (e == -ERANGE)
                return reader_refuse(r, "%s: %s is more than 64 bits hold", key->name, reader_show(show, text));
        return e == 0 ? 1
                      : reader_refuse(r, "%s: %s is not a whole number and a unit, as in %s", key->name, reader_show(show, text),
                                      example);
}

int reader_read_size(struct reader *r, const struct key *key, void *object) {
        uint64_t value = 0;
        int e = read_quantity(r, key, iov_size_parse, "64GiB (B, KiB, MiB, GiB, TiB, PiB, EiB)", &value);

        if (e <= 0)
                return e;
        if (value == 0)
                return reader_refuse(r, "%s: must be more than nothing", key->name);
        if (value % IOV_VOLUME_ALIGN != 0)
                return reader_refuse(r, "%s: must be a multiple of 4KiB", key->name);
        *(uint64_t *)(void *)((char *)object + key->offset) = value;
        return 0;
}

int reader_read_rate(struct reader *r, const struct key *key, void *object) {
        uint64_t value = 0;
        int e = read_quantity(r, key, iov_rate_parse, "10Gbit (bit, kbit, Mbit, Gbit, Tbit)", &value);

        if (e <= 0)
                return e;
        if (value == 0)
                return reader_refuse(r, "%s: must be more than nothing", key->name);
        *(uint64_t *)(void *)((char *)object + key->offset) = value;
        return 0;
}

int reader_read_count(struct reader *r, const struct key *key, void *object) {
        char show[READER_SHOW_SIZE];
        uint64_t value = 0;
        int e = 1;

        if (r->event.type == YAML_SCALAR_EVENT && resolve(r) == SCALAR_INTEGER) {
                e = reader_number(r, key->name, 1, UINT64_MAX, &value);
        } else {
                const char *text = NULL;

                e = reader_text(r, key->name, &text);
                if (e <= 0)
                        return e;
                e = iov_count_parse(text, &value);
                if (e < 0)
                        return reader_refuse(r,
                                             e == -ERANGE ? "%s: %s is more than 64 bits hold"
                                                          : "%s: %s is not a whole number with k, M or G behind it, or nothing",
                                             key->name, reader_show(show, text));
                e = 1;
        }
        if (e <= 0)
                return e;
        if (value == 0)
                return reader_refuse(r, "%s: must be more than 0; leave it out for no limit", key->name);
        *(uint64_t *)(void *)((char *)object + key->offset) = value;
        return 0;
}

int reader_read_duration(struct reader *r, const struct key *key, void *object) {
        char show[READER_SHOW_SIZE];
        uint64_t value = 0;
        int e = read_quantity(r, key, iov_duration_parse, "90s, 10m, 1h or 7d", &value);

        if (e <= 0)
                return e;
        if (value > key->max)
                return reader_refuse(r, "%s: %s is more than %llu days", key->name,
                                     reader_show(show, (const char *)r->event.data.scalar.value),
                                     (unsigned long long)(key->max / 86400));
        *(uint64_t *)(void *)((char *)object + key->offset) = value;
        return 0;
}

int reader_read_word(struct reader *r, const struct key *key, void *object) {
        char show[READER_SHOW_SIZE], near[NEAR_WORD_SIZE];
        const char *text = NULL;
        uint32_t value = 0;
        int e = reader_text(r, key->name, &text);

        if (e <= 0)
                return e;
        if (key->from_string(text, &value) == 0) {
                *(uint32_t *)(void *)((char *)object + key->offset) = value;
                return 0;
        }
        if (near_word(text, key->words, near))
                return reader_refuse(r, "%s: %s is not one of %s; did you mean \"%s\"?", key->name, reader_show(show, text),
                                     key->words, near);
        return reader_refuse(r, "%s: %s is not one of %s", key->name, reader_show(show, text), key->words);
}
