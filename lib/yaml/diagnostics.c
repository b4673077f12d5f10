/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of findings, and the hash of the places where things were defined. */
#include "diagnostics.h"

#include <errno.h>

#include "hash.h"
#include "near.h"
#include "pages.h"
#include "source.h"
#include "util.h"

#define ARENA_CHUNK 65536
#define COMPARISONS_MAX 1000000 /* of names, in search of what was meant: a fraction of a second */

struct finding {
        struct iov_diagnostic diagnostic;
        char *text, *source;
        int shift; /* columns that `source` is cut off in front */
};

/* Keys of noted places are kept in chunks: there may be a hundred thousand. */
struct chunk {
        struct chunk *next;
        size_t used, size;
        char bytes[];
};

/* A name that was used, to be looked for when all files are read. */
struct reference {
        enum iov_kind kind;
        const char *name;
        struct place place;
};

struct noted {
        uint32_t space;
        const char *key;
        struct place place;
};

/* With the hash at hand, a look-up seldom touches what is noted. */
struct bucket {
        uint32_t hash;
        uint32_t entry; /* index into noted + 1, 0: free */
};

struct iov_diagnostics {
        struct finding *findings[FINDINGS_MAX];
        size_t n_findings, n_more;
        struct iov_diagnostic more; /* the last finding, where n_more */
        char more_text[80];
        struct source *files;
        uint32_t n_files;
        struct noted *noted;
        size_t noted_size; /* bytes mapped */
        uint32_t n_noted;
        struct bucket *buckets; /* open addressing; a power of two of them, at most half in use */
        size_t buckets_size;
        uint32_t n_buckets;
        struct chunk *chunks;
        uint32_t n_spaces;
        size_t last_references[IOV_KIND_COUNT]; /* of each kind, + 1 */
        struct reference *references;
        size_t references_size, n_references;
};

int iov_diagnostics_new(struct iov_diagnostics **ret_diagnostics) {
        struct iov_diagnostics *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        *ret_diagnostics = d;
        return 0;
}

struct iov_diagnostics *iov_diagnostics_unref(struct iov_diagnostics *d) {
        if (!d)
                return NULL;
        for (size_t i = 0; i < d->n_findings; i++) {
                free(d->findings[i]->text);
                free(d->findings[i]->source);
                free(d->findings[i]);
        }
        for (uint32_t i = 0; i < d->n_files; i++) {
                free(d->files[i].name);
                free(d->files[i].text);
        }
        while (d->chunks) {
                struct chunk *next = d->chunks->next;

                free(d->chunks);
                d->chunks = next;
        }
        free(d->files);
        pages_free(d->references, d->references_size);
        pages_free(d->noted, d->noted_size);
        pages_free(d->buckets, d->buckets_size);
        free(d);
        return NULL;
}

size_t iov_diagnostics_count(const struct iov_diagnostics *d, enum iov_severity severity) {
        size_t n = 0;

        for (size_t i = 0; i < d->n_findings; i++)
                n += d->findings[i]->diagnostic.severity == severity;
        return n + (d->n_more && d->more.severity == severity);
}

const struct iov_diagnostic *iov_diagnostics_get(const struct iov_diagnostics *d, size_t i) {
        if (i == d->n_findings && d->n_more)
                return &d->more;
        return i < d->n_findings ? &d->findings[i]->diagnostic : NULL;
}

int iov_diagnostics_print(const struct iov_diagnostics *d, FILE *stream) {
        for (size_t i = 0; i < d->n_findings; i++) {
                const struct iov_diagnostic *f = &d->findings[i]->diagnostic;

                if (f->file)
                        fprintf(stream, "%s:", f->file);
                if (f->line)
                        fprintf(stream, "%u:%u:", f->line, f->column);
                fprintf(stream, "%s%s: %s\n", f->file ? " " : "", f->severity == IOV_ERROR ? "error" : "warning", f->text);
                if (!f->source || !*f->source || !f->line)
                        continue;
                fprintf(stream, "%s\n", f->source);
                source_caret(f->source, (unsigned int)((int)f->column - d->findings[i]->shift), f->length, stream);
        }
        if (d->n_more)
                fprintf(stream, "%s: %s\n", d->more.severity == IOV_ERROR ? "error" : "warning", d->more.text);
        return ferror(stream) ? -EIO : 0;
}

int diagnostics_add_file(struct iov_diagnostics *d, const char *name, const char *text, size_t length, uint32_t *ret_file) {
        CLEANUP_FREE char *own_name = strdup(strcmp(name, "-") == 0 ? "<stdin>" : name);
        CLEANUP_FREE char *own_text = malloc(length ? length : 1);
        struct source *files = realloc(d->files, (d->n_files + 1) * sizeof(*files));

        if (files)
                d->files = files;
        if (!own_name || !own_text || !files)
                return -ENOMEM;
        if (length)
                memcpy(own_text, text, length);
        files[d->n_files] = (struct source){.name = TAKE_PTR(own_name), .text = TAKE_PTR(own_text), .length = length};
        *ret_file = d->n_files++;
        return 0;
}

const char *diagnostics_file_name(const struct iov_diagnostics *d, uint32_t file) {
        return d->files[file].name;
}

struct place diagnostics_place_of_byte(struct iov_diagnostics *d, uint32_t file, size_t offset) {
        struct place place = {.file = file, .length = 1};

        source_position(&d->files[file], offset, &place.line, &place.column);
        return place;
}

unsigned char diagnostics_byte_at(struct iov_diagnostics *d, const struct place *place) {
        struct source *source = &d->files[place->file];
        size_t offset = source_byte(source, place->line, place->column);

        return offset < source->length ? (unsigned char)source->text[offset] : 0;
}

/* Findings past the limit cost next to nothing: a hostile file can have millions. */
static void add_more(struct iov_diagnostics *d, enum iov_severity severity) {
        if (d->n_more++ == 0 || severity == IOV_ERROR)
                d->more.severity = severity;
        snprintf(d->more_text, sizeof(d->more_text), "and %zu more, which %s not shown", d->n_more,
                 d->n_more == 1 ? "is" : "are");
        d->more.text = d->more_text;
}

int diagnostics_add_related(struct iov_diagnostics *d, enum iov_severity severity, const struct place *place, const char *text,
                            const char *relation, const struct place *related) {
        if (d->n_findings == FINDINGS_MAX) {
                add_more(d, severity);
                return 0;
        }
        CLEANUP_FREE struct finding *f = calloc(1, sizeof(*f));
        CLEANUP_FREE char *own_text = strdup(text), *source = NULL;
        if (!f || !own_text)
                return -ENOMEM;
        f->diagnostic.severity = severity;
        if (place && place->line) {
                source = source_excerpt(&d->files[place->file], place->line, place->column, &f->shift);
                if (!source)
                        return -ENOMEM;
                f->diagnostic.line = place->line;
                f->diagnostic.column = place->column;
                f->diagnostic.length = place->length ? place->length : 1;
        }
        if (place)
                f->diagnostic.file = d->files[place->file].name;
        if (related && related->line) {
                f->diagnostic.related_text = relation;
                f->diagnostic.related_file = d->files[related->file].name;
                f->diagnostic.related_line = related->line;
                f->diagnostic.related_column = related->column;
                f->diagnostic.related_length = related->length ? related->length : 1;
        }
        f->diagnostic.text = f->text = TAKE_PTR(own_text);
        f->diagnostic.source = f->source = TAKE_PTR(source);
        d->findings[d->n_findings++] = TAKE_PTR(f);
        return 0;
}

int diagnostics_add(struct iov_diagnostics *d, enum iov_severity severity, const struct place *place, const char *text) {
        return diagnostics_add_related(d, severity, place, text, NULL, NULL);
}

/* ---- places ---- */

static uint32_t key_hash(uint32_t space, const char *key) {
        return (uint32_t)hash_text(key, space);
}

static uint32_t bucket_of(const struct iov_diagnostics *d, uint32_t space, const char *key, uint32_t hash) {
        uint32_t mask = d->n_buckets - 1, b = hash & mask;

        for (; d->buckets[b].entry; b = (b + 1) & mask) {
                if (d->buckets[b].hash != hash)
                        continue;
                const struct noted *n = &d->noted[d->buckets[b].entry - 1];
                if (n->space == space && strcmp(n->key, key) == 0)
                        break;
        }
        return b;
}

static int grow_buckets(struct iov_diagnostics *d) {
        uint32_t n = d->n_buckets ? d->n_buckets * 2 : 4096;
        size_t size = 0;
        void *pages = NULL;
        int r = pages_new(&pages, &size, n * sizeof(struct bucket));
        struct bucket *buckets = pages;

        if (r < 0)
                return r;
        /* All keys are different: the first free bucket is theirs. */
        for (uint32_t i = 0; i < d->n_buckets; i++) {
                uint32_t b = d->buckets[i].hash & (n - 1);

                if (!d->buckets[i].entry)
                        continue;
                while (buckets[b].entry)
                        b = (b + 1) & (n - 1);
                buckets[b] = d->buckets[i];
        }
        pages_free(d->buckets, d->buckets_size);
        d->buckets = buckets;
        d->buckets_size = size;
        d->n_buckets = n;
        return 0;
}

static int grow(struct iov_diagnostics *d) {
        void *noted = d->noted;
        size_t need = (d->n_noted + 1) * sizeof(*d->noted);
        int r = need > d->noted_size ? pages_grow(&noted, &d->noted_size, need) : 0;

        d->noted = noted;
        return r < 0 || (d->n_noted + 1) * 2 <= d->n_buckets ? r : grow_buckets(d);
}

static char *keep_key(struct iov_diagnostics *d, const char *key) {
        size_t size = strlen(key) + 1;

        if (!d->chunks || d->chunks->size - d->chunks->used < size) {
                size_t room = size > ARENA_CHUNK ? size : ARENA_CHUNK;
                struct chunk *chunk = malloc(sizeof(*chunk) + room);

                if (!chunk)
                        return NULL;
                *chunk = (struct chunk){.next = d->chunks, .size = room};
                d->chunks = chunk;
        }
        char *kept = memcpy(d->chunks->bytes + d->chunks->used, key, size);
        d->chunks->used += size;
        return kept;
}

int diagnostics_note(struct iov_diagnostics *d, uint32_t space, const char *key, const struct place *place,
                     struct place *ret_first) {
        uint32_t hash = key_hash(space, key);

        if (grow(d) < 0)
                return -ENOMEM;
        uint32_t b = bucket_of(d, space, key, hash);
        if (d->buckets[b].entry) {
                if (ret_first)
                        *ret_first = d->noted[d->buckets[b].entry - 1].place;
                return 0;
        }
        const char *kept = keep_key(d, key);
        if (!kept)
                return -ENOMEM;
        d->noted[d->n_noted] = (struct noted){.space = space, .key = kept, .place = *place};
        d->buckets[b] = (struct bucket){.hash = hash, .entry = ++d->n_noted};
        return 1;
}

uint32_t diagnostics_new_space(struct iov_diagnostics *d) {
        return PLACE_OWN + d->n_spaces++;
}

const struct place *diagnostics_find(const struct iov_diagnostics *d, uint32_t space, const char *key) {
        if (!d->n_buckets)
                return NULL;
        uint32_t b = bucket_of(d, space, key, key_hash(space, key));
        return d->buckets[b].entry ? &d->noted[d->buckets[b].entry - 1].place : NULL;
}

static const struct place *find(const struct iov_diagnostics *d, enum iov_kind kind, const char *name) {
        uint32_t space = PLACE_OBJECT + (uint32_t)kind;

        return space < IOV_KIND_COUNT ? diagnostics_find(d, space, name) : NULL;
}

int iov_diagnostics_locate(const struct iov_diagnostics *d, enum iov_kind kind, const char *name,
                           struct iov_diagnostic *ret_place) {
        const struct place *place = find(d, kind, name);

        if (!place)
                return -ENOENT;
        *ret_place = (struct iov_diagnostic){.severity = IOV_ERROR,
                                             .file = d->files[place->file].name,
                                             .line = place->line,
                                             .column = place->column,
                                             .length = place->length,
                                             .text = ""};
        return 0;
}

int iov_diagnostics_add_object(struct iov_diagnostics *d, enum iov_severity severity, enum iov_kind kind, const char *name,
                               const char *text) {
        return diagnostics_add(d, severity, find(d, kind, name), text);
}

/* ---- references ---- */

int diagnostics_refer(struct iov_diagnostics *d, enum iov_kind kind, const char *name, const struct place *place) {
        size_t *last = &d->last_references[kind];

        /* Ten thousand volumes of one adapter are one reference to it. */
        if (*last && strcmp(d->references[*last - 1].name, name) == 0)
                return 0;
        void *references = d->references;
        size_t need = (d->n_references + 1) * sizeof(*d->references);
        int r = need > d->references_size ? pages_grow(&references, &d->references_size, need) : 0;

        d->references = references;
        if (r < 0)
                return r;
        const char *kept = keep_key(d, name);
        if (!kept)
                return -ENOMEM;
        d->references[d->n_references++] = (struct reference){.kind = kind, .name = kept, .place = *place};
        *last = d->n_references;
        return 0;
}

/* Names that differ in digits alone are of a series: the other is as likely to exist as this one. */
static bool in_series(const char *a, const char *b) {
        for (; *a && *b; a++, b++)
                if (*a != *b && (*a < '0' || *a > '9' || *b < '0' || *b > '9'))
                        return false;
        return *a == *b;
}

/* What may have been meant by a name that is not there: one of the files, or one of the appliance. */
struct meant {
        const char *name; /* NULL: nothing is near */
        const struct noted *noted;
        unsigned int edits;
};

static void consider(struct meant *meant, const char *asked, const char *name, const struct noted *noted) {
        unsigned int edits = near_distance(asked, name);

        if (edits < meant->edits && edits < strlen(name) && !in_series(asked, name))
                *meant = (struct meant){.name = name, .noted = noted, .edits = edits};
}

/* The name that is nearest; `budget` are the comparisons left: names may be a hundred thousand. */
static struct meant nearest(const struct iov_diagnostics *d, const struct iov_model *have, const struct reference *reference,
                            uint32_t *budget) {
        struct meant meant = {.edits = NEAR_EDITS + 1};
        const char *record; /* begins with its name */

        for (uint32_t i = 0; i < d->n_noted && *budget; i++) {
                if (d->noted[i].space != PLACE_OBJECT + (uint32_t)reference->kind)
                        continue;
                (*budget)--;
                consider(&meant, reference->name, d->noted[i].key, &d->noted[i]);
        }
        if (!have)
                return meant;
        iov_model_foreach (have, reference->kind, record) {
                if (!*budget)
                        break;
                (*budget)--;
                consider(&meant, reference->name, record, NULL);
        }
        return meant;
}

/* With an appliance, what it does not have either is an error; without, only what looks like a slip is told. */
static int tell_missing(struct iov_diagnostics *d, const struct iov_model *have, const struct reference *reference,
                        const struct meant *meant) {
        const char *kind = iov_records_get(reference->kind)->name;
        const char *who = !have                                 ? "no file defines"
                          : reference->kind == IOV_KIND_ADAPTER ? "the appliance has no"
                                                                : "neither a file nor the appliance has a";
        char text[512];

        if (!meant->name) {
                snprintf(text, sizeof(text), "%s %s %s", who, kind, reference->name);
                return diagnostics_add(d, IOV_ERROR, &reference->place, text);
        }
        if (!meant->noted) {
                snprintf(text, sizeof(text), "%s %s %s; did you mean %s?", who, kind, reference->name, meant->name);
                return diagnostics_add(d, IOV_ERROR, &reference->place, text);
        }
        struct place place = meant->noted->place;
        snprintf(text, sizeof(text), "%s %s %s; did you mean %s, at %s:%u:%u?", who, kind, reference->name, meant->name,
                 d->files[place.file].name, place.line, place.column);
        return diagnostics_add_related(d, have ? IOV_ERROR : IOV_WARNING, &reference->place, text, "defined here", &place);
}

int iov_diagnostics_check_references(struct iov_diagnostics *d, const struct iov_model *have) {
        uint32_t budget = COMPARISONS_MAX, told = diagnostics_new_space(d);
        bool missing = false;
        int r = 0;

        for (size_t i = 0; i < d->n_references && r >= 0; i++) {
                const struct reference *reference = &d->references[i];
                char key[IOV_NAME_SIZE + 16];

                if (find(d, reference->kind, reference->name) || (have && iov_model_get(have, reference->kind, reference->name)))
                        continue;
                missing |= have != NULL;
                snprintf(key, sizeof(key), "%u %s", (unsigned int)reference->kind, reference->name);
                r = diagnostics_note(d, told, key, &reference->place, NULL);
                if (r <= 0)
                        continue;
                struct meant meant = nearest(d, have, reference, &budget);
                if (have || meant.name)
                        r = tell_missing(d, have, reference, &meant);
        }
        return r < 0 ? r : missing ? -EBADMSG : 0;
}
