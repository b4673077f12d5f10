/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "plan-read.h"
#include "scalar.h"
#include "util.h"

int plan_value_read(struct reader *r, const char *what, struct plan_value *value) {
        value->place = reader_place(r);
        if (r->event.type != YAML_SCALAR_EVENT)
                return reader_refuse(r, "%s: text, a number or null wanted", what);
        const char *text = (const char *)r->event.data.scalar.value;
        enum scalar type = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? scalar_resolve(text) : SCALAR_TEXT;
        if (type == SCALAR_NULL) {
                value->type = PLAN_VALUE_NULL;
                return 0;
        }
        /* Flags are numbers that plans write so. */
        if (type == SCALAR_BOOL) {
                value->number = *text == 't' || *text == 'T';
                value->type = PLAN_VALUE_NUMBER;
                return 0;
        }
        if (type == SCALAR_INTEGER) {
                int e = reader_number(r, what, 0, UINT64_MAX, &value->number);

                value->type = e > 0 ? PLAN_VALUE_NUMBER : PLAN_VALUE_NOT_GIVEN;
                return e < 0 ? e : 0;
        }
        int e = reader_text(r, what, &text);
        if (e <= 0)
                return e;
        value->text = strdup(text);
        if (!value->text)
                return -ENOMEM;
        value->type = PLAN_VALUE_TEXT;
        return 0;
}

/* Numbers that plans write as words. */
static const struct {
        enum iov_kind kind;
        const char *field;
        int (*from_string)(const char *s, uint32_t *ret_value);
} words[] = {
        {IOV_KIND_VOLUME, "on_remove", iov_on_remove_from_string},
        {IOV_KIND_VOLUME, "provisioning", iov_provisioning_from_string},
        {IOV_KIND_VOLUME, "block_size", iov_block_size_from_string},
        {IOV_KIND_VADAPTER, "vlan_mode", iov_vlan_mode_from_string},
        {IOV_KIND_VADAPTER, "interrupts", iov_interrupts_from_string},
};

static int put_text(struct reader *r, const struct plan_value *value, const struct iov_rfield_info *field, char *to) {
        char show[READER_SHOW_SIZE];

        if (value->type != PLAN_VALUE_TEXT)
                return reader_error(r, &value->place, "%s: text wanted, not a number", field->name);
        for (const unsigned char *c = (const unsigned char *)value->text; *c; c++)
                if (*c < 0x20 || *c > 0x7e)
                        return reader_error(r, &value->place, "%s: %s is not printable ASCII", field->name,
                                            reader_show(show, value->text));
        return field_set(to, field->count, value->text) == 0
                       ? 0
                       : reader_error(r, &value->place, "%s: %s is longer than %u characters", field->name,
                                      reader_show(show, value->text), field->count - 1);
}

static int put_number(struct reader *r, const struct plan_value *value, const struct iov_rfield_info *field, void *to) {
        if (value->type != PLAN_VALUE_NUMBER)
                return reader_error(r, &value->place, "%s: a number wanted, not text", field->name);
        if (field->size < sizeof(uint64_t) && value->number >> (8 * field->size))
                return reader_error(r, &value->place, "%s: %llu is more than %u bits hold", field->name,
                                    (unsigned long long)value->number, 8 * field->size);
        memcpy(to, &value->number, field->size); /* little-endian hosts only, see registers.c */
        return 0;
}

static int put_word(struct reader *r, const struct plan_value *value, size_t i, void *to) {
        char show[READER_SHOW_SIZE], digits[24];
        const char *text = value->text;
        uint32_t number = 0;

        /* Some words are numbers, such as the size of a block. */
        if (value->type == PLAN_VALUE_NUMBER) {
                snprintf(digits, sizeof(digits), "%" PRIu64, value->number);
                text = digits;
        }
        if (!text || words[i].from_string(text, &number) < 0)
                return reader_error(r, &value->place, "%s: %s is not one of its words", words[i].field,
                                    reader_show(show, text ? text : ""));
        memcpy(to, &number, sizeof(number));
        return 0;
}

static int put_vlans(struct reader *r, const struct plan_value *value, uint8_t *to) {
        char show[READER_SHOW_SIZE];

        if (value->type != PLAN_VALUE_TEXT || iov_vlans_parse(value->text, to) < 0)
                return reader_error(r, &value->place, "vlans: %s is not a list such as \"10,20,100-199\"",
                                    reader_show(show, value->text ? value->text : ""));
        return 0;
}

int plan_value_put(struct reader *r, const struct plan_value *value, enum iov_kind kind, const struct iov_rfield_info *field,
                   void *record) {
        char *to = (char *)record + field->offset;

        if (value->type == PLAN_VALUE_NOT_GIVEN || value->type == PLAN_VALUE_NULL)
                return 0;
        if (field->type == IOV_TYPE_chars)
                return put_text(r, value, field, to);
        if (kind == IOV_KIND_NETWORK && strcmp(field->name, "vlans") == 0)
                return put_vlans(r, value, (uint8_t *)to);
        for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
                if (words[i].kind == kind && strcmp(words[i].field, field->name) == 0)
                        return put_word(r, value, i, to);
        return put_number(r, value, field, to);
}
