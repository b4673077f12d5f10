/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "alias.h"

#include <errno.h>
#include <limits.h>

#include "util.h"

#define ANCHORS_MAX 1024
#define EVENTS_MAX 1000000 /* kept for anchors, and played for aliases, of one text */
#define NO_TARGET UINT32_MAX

struct logged {
        yaml_event_type_t type;
        yaml_scalar_style_t style;
        char *text; /* of a scalar; the name of an alias */
        size_t length;
        char *tag;
        uint32_t target; /* the anchor that an alias stands for */
        struct place place;
};

struct anchor {
        char *name;
        uint32_t hash;
        size_t first, end; /* in the log */
        unsigned int depth;
        bool open; /* its end was not read yet */
};

struct frame {
        size_t first, at, end;
};

struct aliases {
        struct logged *log;
        size_t n_log, n_log_allocated;
        struct anchor anchors[ANCHORS_MAX];
        uint32_t n_anchors;
        uint32_t open[READER_DEPTH_MAX + 2]; /* anchors whose end was not read yet, the innermost last */
        unsigned int n_open;
        struct frame frames[READER_DEPTH_MAX + 4];
        unsigned int n_frames;
        uint32_t target;  /* of the alias at hand, where it was played */
        struct place use; /* of the alias in the text */
        uint32_t n_played;
};

struct aliases *aliases_free(struct aliases *a) {
        if (!a)
                return NULL;
        for (size_t i = 0; i < a->n_log; i++) {
                free(a->log[i].text);
                free(a->log[i].tag);
        }
        for (uint32_t i = 0; i < a->n_anchors; i++)
                free(a->anchors[i].name);
        free(a->log);
        free(a);
        return NULL;
}

static uint32_t hash(const char *s) {
        uint32_t h = UINT32_C(2166136261);

        for (; *s; s++)
                h = (h ^ (unsigned char)*s) * UINT32_C(16777619);
        return h;
}

/* The latest of that name: YAML 1.2 section 3.2.2.2, an anchor need not be unique. */
static uint32_t find(const struct aliases *a, const char *name) {
        uint32_t h = hash(name);

        for (uint32_t i = a ? a->n_anchors : 0; i > 0; i--)
                if (a->anchors[i - 1].hash == h && strcmp(a->anchors[i - 1].name, name) == 0)
                        return i - 1;
        return NO_TARGET;
}

/* ---- keeping ---- */

static const char *anchor_of(const yaml_event_t *event) {
        const yaml_char_t *anchor = NULL;

        if (event->type == YAML_SCALAR_EVENT)
                anchor = event->data.scalar.anchor;
        else if (event->type == YAML_SEQUENCE_START_EVENT)
                anchor = event->data.sequence_start.anchor;
        else if (event->type == YAML_MAPPING_START_EVENT)
                anchor = event->data.mapping_start.anchor;
        return (const char *)anchor;
}

static int open_anchor(struct reader *r, const char *name, unsigned int depth) {
        struct aliases *a = r->aliases;

        if (!a)
                a = r->aliases = calloc(1, sizeof(*a));
        if (!a)
                return -ENOMEM;
        if (a->n_anchors == ANCHORS_MAX) {
                struct place place = reader_place(r);
                int e = reader_error(r, &place, "more than %u anchors", ANCHORS_MAX);

                return e < 0 ? e : -EBADMSG;
        }
        char *own_name = strdup(name);
        if (!own_name)
                return -ENOMEM;
        a->anchors[a->n_anchors++] =
                (struct anchor){.name = own_name, .hash = hash(name), .first = a->n_log, .depth = depth, .open = true};
        a->open[a->n_open++] = a->n_anchors - 1;
        return 0;
}

static int copy_event(struct aliases *a, const yaml_event_t *event, const struct place *place, struct logged *ret_logged) {
        struct logged l = {.type = event->type, .target = NO_TARGET, .place = *place};
        const yaml_char_t *tag = NULL, *text = NULL;

        if (event->type == YAML_SCALAR_EVENT) {
                text = event->data.scalar.value;
                tag = event->data.scalar.tag;
                l.length = event->data.scalar.length;
                l.style = event->data.scalar.style;
        } else if (event->type == YAML_SEQUENCE_START_EVENT) {
                tag = event->data.sequence_start.tag;
        } else if (event->type == YAML_MAPPING_START_EVENT) {
                tag = event->data.mapping_start.tag;
        } else if (event->type == YAML_ALIAS_EVENT) {
                text = event->data.alias.anchor;
                l.length = strlen((const char *)text);
                l.target = find(a, (const char *)text);
        }
        CLEANUP_FREE char *own_text = text ? malloc(l.length + 1) : NULL, *own_tag = tag ? strdup((const char *)tag) : NULL;
        if ((text && !own_text) || (tag && !own_tag))
                return -ENOMEM;
        if (own_text)
                memcpy(own_text, text, l.length + 1);
        l.text = TAKE_PTR(own_text);
        l.tag = TAKE_PTR(own_tag);
        *ret_logged = l;
        return 0;
}

static int keep(struct reader *r) {
        struct aliases *a = r->aliases;
        struct place place = reader_place(r);

        if (a->n_log == EVENTS_MAX) {
                int e = reader_error(r, &place, "what is anchored has more than %u parts", EVENTS_MAX);

                return e < 0 ? e : -EBADMSG;
        }
        if (a->n_log == a->n_log_allocated) {
                size_t n = a->n_log ? a->n_log * 2 : 64;
                struct logged *log = realloc(a->log, n * sizeof(*log));

                if (!log)
                        return -ENOMEM;
                a->log = log;
                a->n_log_allocated = n;
        }
        int e = copy_event(a, &r->event, &place, &a->log[a->n_log]);
        if (e == 0)
                a->n_log++;
        return e;
}

/* Anchors end in the reverse order of their beginnings. */
static void close_anchor(struct aliases *a, unsigned int depth) {
        struct anchor *anchor = &a->anchors[a->open[a->n_open - 1]];

        if (anchor->depth != depth)
                return;
        anchor->open = false;
        anchor->end = a->n_log;
        a->n_open--;
}

int aliases_record(struct reader *r, unsigned int depth) {
        const char *name = anchor_of(&r->event);
        bool scalar = r->event.type == YAML_SCALAR_EVENT;
        int e = 0;

        if (name)
                e = open_anchor(r, name, scalar ? UINT_MAX : depth);
        if (e < 0 || !r->aliases || !r->aliases->n_open)
                return e;
        e = keep(r);
        if (e == 0 && scalar && name)
                close_anchor(r->aliases, UINT_MAX);
        else if (e == 0 && (r->event.type == YAML_MAPPING_END_EVENT || r->event.type == YAML_SEQUENCE_END_EVENT))
                close_anchor(r->aliases, depth);
        return e;
}

/* ---- playing ---- */

static void play(struct reader *r, const struct logged *l, const struct frame *frame) {
        const struct aliases *a = r->aliases;
        yaml_event_t *event = &r->event;
        bool ends = l->type == YAML_MAPPING_END_EVENT || l->type == YAML_SEQUENCE_END_EVENT;

        *event = (yaml_event_t){.type = l->type};
        /* Whatever is found in it is found where it is used. */
        event->start_mark.line = event->end_mark.line = a->use.line - 1;
        event->start_mark.column = a->use.column - 1;
        event->end_mark.column = event->start_mark.column + a->use.length;
        r->borrowed = true;
        r->defined = ends ? a->log[frame->first].place : l->place;
        if (l->type == YAML_SCALAR_EVENT) {
                event->data.scalar.value = (yaml_char_t *)l->text;
                event->data.scalar.length = l->length;
                event->data.scalar.style = l->style;
                event->data.scalar.tag = (yaml_char_t *)l->tag;
        } else if (l->type == YAML_SEQUENCE_START_EVENT) {
                event->data.sequence_start.tag = (yaml_char_t *)l->tag;
        } else if (l->type == YAML_MAPPING_START_EVENT) {
                event->data.mapping_start.tag = (yaml_char_t *)l->tag;
        } else if (l->type == YAML_ALIAS_EVENT) {
                event->data.alias.anchor = (yaml_char_t *)l->text;
        }
}

int aliases_replay(struct reader *r) {
        struct aliases *a = r->aliases;

        while (a->n_frames && a->frames[a->n_frames - 1].at == a->frames[a->n_frames - 1].end)
                a->n_frames--;
        if (!a->n_frames)
                return 0;
        if (a->n_played++ == EVENTS_MAX) {
                int e = reader_error(r, &a->use, "aliases stand for more than %u parts: write out what is needed", EVENTS_MAX);

                return e < 0 ? e : -EBADMSG;
        }
        struct frame *frame = &a->frames[a->n_frames - 1];
        const struct logged *l = &a->log[frame->at++];
        a->target = l->target;
        play(r, l, frame);
        return 1;
}

int aliases_expand(struct reader *r) {
        const char *name = (const char *)r->event.data.alias.anchor;
        struct aliases *a = r->aliases;
        uint32_t target = r->borrowed ? a->target : find(a, name);

        if (target == NO_TARGET)
                return reader_refuse(r, "alias *%.40s: nothing in front of it has the anchor &%.40s", name, name);
        if (a->anchors[target].open)
                return reader_refuse(r, "alias *%.40s is inside of what it stands for", name);
        if (a->n_frames == ARRAY_LENGTH(a->frames))
                return reader_refuse(r, "alias *%.40s: too many aliases in each other", name);
        if (!r->borrowed)
                a->use = reader_place(r);
        a->frames[a->n_frames++] =
                (struct frame){.first = a->anchors[target].first, .at = a->anchors[target].first, .end = a->anchors[target].end};
        int e = reader_advance(r);
        return e < 0 ? e : 1;
}
