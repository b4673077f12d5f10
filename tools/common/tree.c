/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables as a tree, and trees as JSON and YAML: numbers are numbers, in base units. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>
#include <yaml.h>

#include "tools/common/tool.h"
#include "util.h"

static const char *const format_names[] = {
        [FORMAT_TABLE] = "table", [FORMAT_WIDE] = "wide", [FORMAT_JSON] = "json", [FORMAT_YAML] = "yaml",
        [FORMAT_NAME] = "name",   [FORMAT_CSV] = "csv",   [FORMAT_DIFF] = "diff"};

const char *format_name(enum format format) {
        return format_names[format];
}

enum format format_find(const char *name) {
        unsigned int f = 0;

        while (f < FORMAT_COUNT && strcmp(format_names[f], name) != 0)
                f++;
        return (enum format)f;
}

static struct json_object *row_tree(const struct table *t, size_t row);

static struct json_object *rows_tree(const struct table *t) {
        struct json_object *array = json_object_new_array();

        for (size_t r = 0; r < table_n_rows(t); r++)
                json_object_array_add(array, row_tree(t, r));
        return array;
}

static struct json_object *cell_tree(const struct cell *cell) {
        char text[40];

        switch (cell->type) {
        case CELL_NULL:
                return NULL;
        case CELL_TEXT:
                return json_object_new_string(cell->text);
        case CELL_NUMBER:
        case CELL_HEX:
        case CELL_SIZE:
        case CELL_RATE:
                return json_object_new_uint64(cell->number);
        case CELL_REAL:
                snprintf(text, sizeof(text), "%.3f", cell->real);
                return json_object_new_double_s(cell->real, text);
        case CELL_BOOL:
                return json_object_new_boolean(cell->number != 0);
        case CELL_TABLE:
                return rows_tree(cell->table);
        case CELL_RECORD:
                return table_n_rows(cell->table) ? row_tree(cell->table, 0) : NULL;
        }
        return NULL;
}

static struct json_object *row_tree(const struct table *t, size_t row) {
        struct json_object *object = json_object_new_object();

        for (unsigned int c = 0; c < table_n_columns(t); c++)
                json_object_object_add(object, table_columns(t)[c].name, cell_tree(table_cell(t, row, c)));
        return object;
}

struct json_object *table_to_tree(const struct table *t) {
        struct json_object *root = json_object_new_object();

        json_object_object_add(root, "schema", json_object_new_int(1));
        json_object_object_add(root, table_plural(t), rows_tree(t));
        return root;
}

/* Plain where no reader could take the text for anything but a string. */
static bool is_plain(const char *s) {
        static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};

        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '/'))
                return false;
        for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
                if (strcasecmp(s, words[i]) == 0)
                        return false;
        return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-")] == 0;
}

static bool emit_scalar(yaml_emitter_t *emitter, const char *text, bool is_string) {
        yaml_event_t event;
        yaml_scalar_style_t style = is_string && !is_plain(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;

        return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1, style) &&
               yaml_emitter_emit(emitter, &event);
}

static bool emit_node(yaml_emitter_t *emitter, struct json_object *node) {
        enum json_type type = json_object_get_type(node);
        yaml_event_t event;

        if (type == json_type_array) {
                size_t n = json_object_array_length(node);

                if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                                          n ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE) ||
                    !yaml_emitter_emit(emitter, &event))
                        return false;
                for (size_t i = 0; i < n; i++)
                        if (!emit_node(emitter, json_object_array_get_idx(node, i)))
                                return false;
                return yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
        }
        if (type == json_type_object) {
                if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE) ||
                    !yaml_emitter_emit(emitter, &event))
                        return false;
                json_object_object_foreach(node, key, value) {
                        if (!emit_scalar(emitter, key, true) || !emit_node(emitter, value))
                                return false;
                }
                return yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
        }
        return emit_scalar(emitter, node ? json_object_get_string(node) : "null", type == json_type_string);
}

static int write_handler(void *data, unsigned char *buffer, size_t size) {
        return fwrite(buffer, 1, size, data) == size;
}

static int write_yaml(struct json_object *root, FILE *stream) {
        yaml_emitter_t emitter;
        yaml_event_t event;
        bool ok;

        if (!yaml_emitter_initialize(&emitter))
                return -ENOMEM;
        yaml_emitter_set_output(&emitter, write_handler, stream);
        yaml_emitter_set_unicode(&emitter, 1);
        ok = yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(&emitter, &event) &&
             yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && yaml_emitter_emit(&emitter, &event) &&
             emit_node(&emitter, root) && yaml_document_end_event_initialize(&event, 1) && yaml_emitter_emit(&emitter, &event) &&
             yaml_stream_end_event_initialize(&event) && yaml_emitter_emit(&emitter, &event);
        yaml_emitter_delete(&emitter);
        return ok ? 0 : -EIO;
}

int tree_write(struct json_object *root, enum format format, FILE *stream) {
        if (format == FORMAT_YAML)
                return write_yaml(root, stream);
        fprintf(stream, "%s\n",
                json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                             JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
}
