/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One typed table model, rendered in every format. Printers only read it. */
#ifndef IOV_TOOLS_OUTPUT_H
#define IOV_TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum format { FORMAT_TABLE, FORMAT_WIDE, FORMAT_JSON, FORMAT_YAML, FORMAT_NAME, FORMAT_CSV, FORMAT_DIFF, FORMAT_COUNT };
#define FORMAT_BIT(f) (1u << (f))
#define FORMATS_OBJECTS                                                                                                          \
        (FORMAT_BIT(FORMAT_TABLE) | FORMAT_BIT(FORMAT_WIDE) | FORMAT_BIT(FORMAT_JSON) | FORMAT_BIT(FORMAT_YAML) |                \
         FORMAT_BIT(FORMAT_NAME))
#define FORMATS_TREE (FORMAT_BIT(FORMAT_TABLE) | FORMAT_BIT(FORMAT_JSON) | FORMAT_BIT(FORMAT_YAML))

/* How to render. */
struct output {
        enum format format;
        const char *columns; /* `a,b`: only these, in that order; NULL: the format's own */
        bool no_headings, bytes, no_color;
};

enum column_flags {
        COLUMN_WIDE = 1,   /* in wide, show, JSON and YAML */
        COLUMN_DETAIL = 2, /* in show, JSON and YAML */
        COLUMN_RIGHT = 4,  /* numbers */
        COLUMN_TREE = 8,   /* a table whose rows are shown under this row in text */
};
/* Lists end with a NULL name. The name is the key in JSON, and in capitals the heading. */
struct column {
        const char *name;
        unsigned int flags;
        const char *help;
};

enum cell_type {
        CELL_NULL,
        CELL_TEXT,
        CELL_NUMBER,
        CELL_HEX,  /* a number that people read in base 16; `digits` of them */
        CELL_SIZE, /* bytes */
        CELL_RATE, /* bit/s */
        CELL_REAL,
        CELL_BOOL,
        CELL_TABLE,  /* rows: an array of objects */
        CELL_RECORD, /* a table of one row: an object */
};
struct table;
struct cell {
        enum cell_type type;
        unsigned int digits;
        uint64_t number;
        double real;
        char *text;
        struct table *table;
};

/* `plural` is the key of the root array. Strings of columns stay the caller's. */
struct table *table_new(const char *plural, const struct column *columns);
struct table *table_free(struct table *table);
static inline void free_table(struct table **t) {
        table_free(*t);
}
#define CLEANUP_TABLE __attribute__((cleanup(free_table)))

/* Start a row; then one put for each column, in order. */
void table_row(struct table *table);
/* Take back the row that was started last. */
void table_drop_row(struct table *table);
void put_null(struct table *table);
/* NULL and "" are null. */
void put_text(struct table *table, const char *text);
/* A field of a record, which need not be terminated. */
void put_field(struct table *table, const char *field, size_t size);
void put_number(struct table *table, uint64_t number);
void put_hex(struct table *table, uint64_t number, unsigned int digits);
void put_size(struct table *table, uint64_t bytes);
void put_rate(struct table *table, uint64_t bits);
void put_real(struct table *table, double real);
/* CLOCK_REALTIME in ns, as UTC; 0 is null. */
void put_time(struct table *table, uint64_t time_ns);
void put_bool(struct table *table, bool value);
/* Takes the sub-table over. */
void put_table(struct table *table, struct table *sub);
void put_record(struct table *table, struct table *sub);

/* Keep the `n` rows with these indexes, each at most once, in this order. */
void table_select(struct table *table, const size_t *rows, size_t n);

const char *table_plural(const struct table *table);
const struct column *table_columns(const struct table *table);
unsigned int table_n_columns(const struct table *table);
size_t table_n_rows(const struct table *table);
const struct cell *table_cell(const struct table *table, size_t row, unsigned int column);
/* Index of a column by name, ignoring case and taking '-' for '_'; -1. */
int column_find(const struct column *columns, const char *name, size_t length);

/* Text of a cell for people; the caller frees it. */
char *cell_format(const struct cell *cell, bool bytes);
/* The same to a stream. */
void cell_write(const struct cell *cell, bool bytes, FILE *stream);
/* `1.5GiB`, `10Gbit`, and 12.3M for a plain number. */
void human_size(uint64_t bytes, char *buffer, size_t size);
void human_rate(uint64_t bits, char *buffer, size_t size);
void human_number(double number, char *buffer, size_t size);

/* Text, as a table or, with `show`, one value a line. 0 or -errno. */
int table_write_text(const struct table *table, const struct output *output, bool show, FILE *stream);

/* The same as a tree: {"schema": 1, PLURAL: [{...}]}. The caller owns it. */
struct json_object;
struct json_object *table_to_tree(const struct table *table);
/* What tree_write() writes of that tree as JSON, without the tree: it costs more than all else of a long list. */
void table_write_json(const struct table *table, FILE *stream);
/* Write a tree as JSON or YAML. 0 or -errno. */
int tree_write(struct json_object *root, enum format format, FILE *stream);

const char *format_name(enum format format);
/* FORMAT_COUNT: unknown. */
enum format format_find(const char *name);

struct tool;
/* Print to stdout in the format asked for; returns an exit code. */
int output_table(const struct tool *tool, const struct table *table, bool show);
int output_tree(const struct tool *tool, struct json_object *root);

#endif
