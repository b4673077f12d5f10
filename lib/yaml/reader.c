/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Findings, events, and the document as a whole. */
#include "reader.h"

#include <errno.h>
#include <stdarg.h>

#include "util.h"

#define TEXT_MAX (64u << 20) /* bytes of a text */
#define DEPTH_MAX 64         /* of mappings and sequences in each other */
#define ERRORS_MAX 100       /* shown of one text */

/* ---- findings ---- */

static int add(struct reader *r, const struct place *place, const char *text) {
        int e = diagnostics_add(r->diagnostics, IOV_ERROR, place, text);

        if (e < 0)
                return e;
        if (++r->n_errors < ERRORS_MAX)
                return 0;
        e = diagnostics_add(r->diagnostics, IOV_ERROR, &(struct place){.file = r->file},
                            "too many errors, the rest was not read");
        return e < 0 ? e : -EBADMSG;
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

int reader_unique(struct reader *r, const struct place *place, uint32_t space, const char *key, const char *format, ...) {
        struct place first;
        char text[400];
        va_list args;
        int n = diagnostics_note(r->diagnostics, space, key, place, &first);

        if (n != 0)
                return n < 0 ? n : 0;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        return reader_error(r, place, "%s; first at %s:%u:%u", text, diagnostics_file_name(r->diagnostics, first.file),
                            first.line, first.column);
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

int reader_advance(struct reader *r) {
        yaml_event_delete(&r->event);
        if (!yaml_parser_parse(&r->parser, &r->event)) {
                r->event.type = YAML_NO_EVENT;
                return syntax_error(r);
        }
        if (r->event.type == YAML_MAPPING_START_EVENT || r->event.type == YAML_SEQUENCE_START_EVENT) {
                if (++r->depth > DEPTH_MAX) {
                        struct place place = reader_place(r);

                        reader_error(r, &place, "nested more than %u deep", DEPTH_MAX);
                        return -EBADMSG;
                }
        } else if (r->event.type == YAML_MAPPING_END_EVENT || r->event.type == YAML_SEQUENCE_END_EVENT)
                r->depth--;
        return 0;
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

/* What YAML can do and we do not read: without aliases nothing can grow beyond the text. 1: fine, 0: refused and skipped. */
int reader_check(struct reader *r) {
        const yaml_char_t *anchor = NULL, *tag = NULL;

        switch (r->event.type) {
        case YAML_ALIAS_EVENT:
                return reader_refuse(r, "aliases (*%.40s) are not supported, write the value out", r->event.data.alias.anchor);
        case YAML_SCALAR_EVENT:
                anchor = r->event.data.scalar.anchor;
                tag = r->event.data.scalar.tag;
                break;
        case YAML_SEQUENCE_START_EVENT:
                anchor = r->event.data.sequence_start.anchor;
                tag = r->event.data.sequence_start.tag;
                break;
        case YAML_MAPPING_START_EVENT:
                anchor = r->event.data.mapping_start.anchor;
                tag = r->event.data.mapping_start.tag;
                break;
        default:
                break;
        }
        if (anchor)
                return reader_refuse(r, "anchors (&%.40s) are not supported, write the value out where it is needed", anchor);
        if (tag)
                return reader_refuse(r, "tags (%.40s) are not supported, leave it out", tag);
        return 1;
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

int reader_read_kind(struct reader *r, const struct key *key, void *object) {
        const char *text = NULL;
        char show[READER_SHOW_SIZE];
        int e = reader_text(r, key->name, &text);

        if (e <= 0 || strcmp(text, key->words) == 0)
                return e < 0 ? e : 0;
        e = reader_refuse(r, "kind: this is %s, and \"%s\" is wanted here", reader_show(show, text), key->words);
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
        return reader_error(r, &place, "name: this is %s, and %s at %s:%u:%u", name, have,
                            diagnostics_file_name(r->diagnostics, first.file), first.line, first.column);
}

static int read_root(struct reader *r, const char *kind, const struct key *keys, size_t n_keys) {
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
                e = reader_mapping(r, keys, n_keys, &subject, NULL, values);
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
                    struct iov_diagnostics *diagnostics, const char *kind, const struct key *keys, size_t n_keys) {
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
        e = read_root(&r, kind, keys, n_keys);
        yaml_event_delete(&r.event);
        yaml_parser_delete(&r.parser);
        return e < 0 ? e : r.n_errors ? -EBADMSG : 0;
}
