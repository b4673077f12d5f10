/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings, events, and the document as a whole. */
#include "reader.h"

#include <errno.h>
#include <stdarg.h>

#include "alias.h"
#include "near.h"
#include "util.h"

#define TEXT_MAX (64u << 20) /* bytes of a text */

/* ---- findings ---- */

static bool same_start(const struct place *a, const struct place *b) {
        return a->line == b->line && a->column == b->column;
}

/* What an alias brought here has a second place, that of its text. */
static int add(struct reader *r, const struct place *place, const char *text) {
        char with_place[1024];
        struct place here = reader_place(r);

        r->n_errors++;
        if (!r->borrowed || !same_start(place, &here))
                return diagnostics_add(r->diagnostics, IOV_ERROR, place, text);
        snprintf(with_place, sizeof(with_place), "%s; defined at %s:%u:%u", text,
                 diagnostics_file_name(r->diagnostics, r->defined.file), r->defined.line, r->defined.column);
        return diagnostics_add_related(r->diagnostics, IOV_ERROR, place, with_place, "defined here", &r->defined);
}

__attribute__((format(printf, 3, 0))) static int add_format(struct reader *r, const struct place *place, const char *format,
                                                            va_list args) {
        char text[512];

        vsnprintf(text, sizeof(text), format, args);
        return add(r, place, text);
}

int reader_error(struct reader *r, const struct place *place, const char *format, ...) {
        va_list args;

        va_start(args, format);
        int e = add_format(r, place, format, args);
        va_end(args);
        return e;
}

int reader_refuse(struct reader *r, const char *format, ...) {
        struct place place = reader_place(r);
        va_list args;

        va_start(args, format);
        int e = add_format(r, &place, format, args);
        va_end(args);
        return e < 0 ? e : reader_skip(r);
}

__attribute__((format(printf, 4, 0))) static int add_twice(struct reader *r, const struct place *place, const struct place *first,
                                                           const char *format, va_list args) {
        char text[400], with_place[1024];

        vsnprintf(text, sizeof(text), format, args);
        snprintf(with_place, sizeof(with_place), "%s; first at %s:%u:%u", text,
                 diagnostics_file_name(r->diagnostics, first->file), first->line, first->column);
        r->n_errors++;
        return diagnostics_add_related(r->diagnostics, IOV_ERROR, place, with_place, "first here", first);
}

int reader_twice(struct reader *r, const struct place *place, const struct place *first, const char *format, ...) {
        va_list args;

        va_start(args, format);
        int e = add_twice(r, place, first, format, args);
        va_end(args);
        return e;
}

int reader_unique(struct reader *r, const struct place *place, uint32_t space, const char *key, const char *format, ...) {
        struct place first;
        va_list args;
        int n = diagnostics_note(r->diagnostics, space, key, place, &first);

        if (n != 0)
                return n < 0 ? n : 0;
        va_start(args, format);
        int e = add_twice(r, place, &first, format, args);
        va_end(args);
        return e;
}

const char *reader_show(char buffer[READER_SHOW_SIZE], const char *text) {
        size_t n = 0;

        buffer[n++] = '"';
        for (; *text && n < READER_SHOW_SIZE - 8; text++)
                buffer[n++] = (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text;
        if (*text) {
                /* Do not cut a character in two. */
                while (n > 1 && (*text & 0xc0) == 0x80) {
                        n--;
                        text--;
                }
                memcpy(buffer + n, "...", 3);
                n += 3;
        }
        buffer[n++] = '"';
        buffer[n] = 0;
        return buffer;
}

/* ---- events ---- */

struct place reader_place(const struct reader *r) {
        const yaml_mark_t *start = &r->event.start_mark, *end = &r->event.end_mark;
        size_t length = end->line == start->line && end->column > start->column ? end->column - start->column : 1;

        return (struct place){.file = r->file,
                              .line = (uint32_t)start->line + 1,
                              .column = (uint32_t)start->column + 1,
                              .length = (uint32_t)length};
}

static int syntax_error(struct reader *r) {
        const yaml_parser_t *p = &r->parser;
        struct place place = {.file = r->file, .line = 0};

        if (p->error == YAML_MEMORY_ERROR)
                return -ENOMEM;
        if (p->error == YAML_READER_ERROR) {
                place = diagnostics_place_of_byte(r->diagnostics, r->file, p->problem_offset);
                if (p->problem_value >= 0)
                        reader_error(r, &place, "not valid YAML: %s (0x%02x)", p->problem, (unsigned int)p->problem_value);
                else
                        reader_error(r, &place, "not valid YAML: %s", p->problem);
                return -EBADMSG;
        }
        place.line = (uint32_t)p->problem_mark.line + 1;
        place.column = (uint32_t)p->problem_mark.column + 1;
        place.length = 1;
        const char *hint = diagnostics_byte_at(r->diagnostics, &place) == '\t' ? " (a tab: indent with spaces)" : "";
        if (p->context && p->context_mark.line != p->problem_mark.line)
                reader_error(r, &place, "not valid YAML: %s%s, %s that starts in line %zu", p->problem, hint, p->context,
                             p->context_mark.line + 1);
        else
                reader_error(r, &place, "not valid YAML: %s%s", p->problem, hint);
        return -EBADMSG;
}

/* Let go of the event at hand. */
static void release(struct reader *r) {
        if (!r->borrowed)
                yaml_event_delete(&r->event);
        r->event.type = YAML_NO_EVENT;
        r->borrowed = false;
}

int reader_advance(struct reader *r) {
        release(r);
        int e = r->aliases ? aliases_replay(r) : 0;
        if (e < 0)
                return e;
        if (e == 0 && !yaml_parser_parse(&r->parser, &r->event)) {
                r->event.type = YAML_NO_EVENT;
                return syntax_error(r);
        }
        unsigned int depth = r->depth;
        if (r->event.type == YAML_MAPPING_START_EVENT || r->event.type == YAML_SEQUENCE_START_EVENT) {
                depth = ++r->depth;
                if (depth > READER_DEPTH_MAX) {
                        struct place place = reader_place(r);

                        reader_error(r, &place, "nested more than %u deep", READER_DEPTH_MAX);
                        return -EBADMSG;
                }
        } else if (r->event.type == YAML_MAPPING_END_EVENT || r->event.type == YAML_SEQUENCE_END_EVENT)
                r->depth--;
        return e > 0 ? 0 : aliases_record(r, depth);
}

int reader_skip(struct reader *r) {
        unsigned int depth = r->depth;

        if (r->event.type != YAML_MAPPING_START_EVENT && r->event.type != YAML_SEQUENCE_START_EVENT)
                return 0;
        do {
                int e = reader_advance(r);

                if (e < 0)
                        return e;
        } while (r->depth >= depth);
        return 0;
}

int reader_check(struct reader *r) {
        const yaml_char_t *tag = NULL;

        while (r->event.type == YAML_ALIAS_EVENT) {
                int e = aliases_expand(r);

                if (e <= 0)
                        return e;
        }
        if (r->event.type == YAML_SCALAR_EVENT)
                tag = r->event.data.scalar.tag;
        else if (r->event.type == YAML_SEQUENCE_START_EVENT)
                tag = r->event.data.sequence_start.tag;
        else if (r->event.type == YAML_MAPPING_START_EVENT)
                tag = r->event.data.mapping_start.tag;
        return tag ? reader_refuse(r, "tags (%.40s) are not supported, leave it out", tag) : 1;
}

/* ---- the document ---- */

int reader_read_version(struct reader *r, const struct key *key, void *object) {
        uint64_t version = 0;
        struct place place = reader_place(r);
        int e = reader_number(r, key->name, 0, UINT32_MAX, &version);

        if (e <= 0 || version == 1)
                return e < 0 ? e : 0;
        /* What else is in it means something else: no use reading on. */
        e = reader_error(r, &place, "version: %llu is not known to this program, which reads version 1",
                         (unsigned long long)version);
        return e < 0 ? e : -EBADMSG;
}

/* What else there is, and who reads it. */
static const struct {
        const char *kind, *what;
} kinds[] = {
        {"topology", "what an operator wants, which iovprov reads"},
        {"chassis", "the hardware of an appliance, which iovd reads (--chassis)"},
        {"plan", "a saved plan, which 'iovprov apply --plan' reads"},
        {"state", "what an appliance was like, which no tool applies; 'iovprov export' writes it as a topology"},
        {"events", "what happened in an appliance, which no tool applies; 'iovctl event list' shows it"},
};

int reader_read_kind(struct reader *r, const struct key *key, void *object) {
        const char *text = NULL;
        char show[READER_SHOW_SIZE], near[NEAR_WORD_SIZE];
        int e = reader_text(r, key->name, &text);

        if (e <= 0 || strcmp(text, key->words) == 0)
                return e < 0 ? e : 0;
        for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++)
                if (strcmp(text, kinds[i].kind) == 0) {
                        e = reader_refuse(r, "kind: \"%s\" is %s; \"%s\" is wanted here", text, kinds[i].what, key->words);
                        return e < 0 ? e : -EBADMSG;
                }
        e = near_word(text, key->words, near)
                    ? reader_refuse(r, "kind: unknown kind %s; did you mean \"%s\"?", reader_show(show, text), near)
                    : reader_refuse(r, "kind: unknown kind %s, and \"%s\" is wanted here", reader_show(show, text), key->words);
        return e < 0 ? e : -EBADMSG;
}

int reader_read_document_name(struct reader *r, const struct key *key, void *object) {
        char name[IOV_NAME_SIZE] = "";
        struct place place = reader_place(r), first = place;
        const char *have = iov_model_get_name(r->model);
        int e = reader_read_name(r, &(struct key){.name = key->name}, name);

        if (e < 0 || !*name)
                return e;
        e = diagnostics_note(r->diagnostics, PLACE_DOCUMENT, key->name, &place, &first);
        if (e < 0)
                return e;
        if (!*have)
                return iov_model_set_name(r->model, name);
        if (strcmp(have, name) == 0)
                return 0;
        return reader_twice(r, &place, &first, "name: this is %s, and it was %s", name, have);
}

static int read_root(struct reader *r, const char *kind, const struct key *keys, size_t n_keys, void *object) {
        struct value values[READER_KEYS_MAX];
        struct subject subject = {.kind = kind};
        int e = reader_advance(r); /* start of the stream */

        if (e == 0)
                e = reader_advance(r);
        if (e < 0)
                return e;
        if (r->event.type != YAML_DOCUMENT_START_EVENT)
                return reader_error(r, &(struct place){.file = r->file},
                                    "nothing in it; a %s starts with: {version: 1, kind: %s}", kind, kind);
        e = reader_advance(r);
        if (e < 0)
                return e;
        subject.place = reader_place(r);
        e = reader_check(r);
        if (e > 0)
                e = reader_mapping(r, keys, n_keys, &subject, object, values);
        if (e < 0)
                return e;
        e = reader_advance(r); /* end of the document */
        if (e == 0)
                e = reader_advance(r);
        if (e < 0 || r->event.type == YAML_STREAM_END_EVENT)
                return e;
        struct place place = reader_place(r);
        return reader_error(r, &place, "a second document starts here; a file has one");
}

int reader_document(struct iov_model *model, const char *file, const char *text, size_t length,
                    struct iov_diagnostics *diagnostics, const char *kind, const struct key *keys, size_t n_keys, void *object) {
        struct reader r = {.diagnostics = diagnostics, .model = model};

        /* libyaml skips a byte order mark only where it may guess the encoding, which it may not. */
        if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
                text += 3;
                length -= 3;
        }
        int e = diagnostics_add_file(diagnostics, file, text, length > TEXT_MAX ? 0 : length, &r.file);

        if (e < 0)
                return e;
        if (length > TEXT_MAX) {
                e = reader_error(&r, &(struct place){.file = r.file}, "larger than %u MiB", TEXT_MAX >> 20);
                return e < 0 ? e : -EBADMSG;
        }
        if (!yaml_parser_initialize(&r.parser))
                return -ENOMEM;
        yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
        e = read_root(&r, kind, keys, n_keys, object);
        release(&r);
        aliases_free(r.aliases);
        yaml_parser_delete(&r.parser);
        return e < 0 ? e : r.n_errors ? -EBADMSG : 0;
}
