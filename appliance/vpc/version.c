/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VERSION: agreement on the protocol and its capabilities. */
#include <errno.h>
#include <json.h>

#include "util.h"
#include "vpc/dma.h"
#include "vpc/server-private.h"

#define JSON_DEPTH 8
#define PAGE_SIZES 4096

static void free_json(struct json_object **object) {
        json_object_put(*object);
}
#define CLEANUP_JSON __attribute__((cleanup(free_json)))

/* The client's capabilities, which end in a NUL; NULL with 0: it has sent none. */
static int parse(const uint8_t *text, size_t length, struct json_object **ret_object) {
        struct json_tokener *tokener = NULL;
        struct json_object *object = NULL;
        int r = 0;

        *ret_object = NULL;
        if (!length)
                return 0;
        if (memchr(text, 0, length) != text + length - 1)
                return -EINVAL;
        tokener = json_tokener_new_ex(JSON_DEPTH);
        if (!tokener)
                return -ENOMEM;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        object = json_tokener_parse_ex(tokener, (const char *)text, (int)length);
        if (json_tokener_get_error(tokener) != json_tokener_success || !json_object_is_type(object, json_type_object))
                r = -EINVAL;
        json_tokener_free(tokener);
        if (r < 0) {
                json_object_put(object);
                return r;
        }
        *ret_object = object;
        return 0;
}

/* Our value of a numeric capability, where the client has it too: the lower of both, or ours. -EINVAL: not a number. */
static int answer_number(struct json_object *theirs, struct json_object *ours, const char *name, int64_t value, bool lower) {
        struct json_object *asked = NULL;
        int64_t n = 0;

        if (!json_object_object_get_ex(theirs, name, &asked))
                return 0;
        if (!json_object_is_type(asked, json_type_int))
                return -EINVAL;
        n = json_object_get_int64(asked);
        if (n < 0)
                return -EINVAL;
        return json_object_object_add(ours, name, json_object_new_int64(lower && n < value ? n : value)) < 0 ? -ENOMEM : 0;
}

static int answer_flag(struct json_object *theirs, struct json_object *ours, const char *name) {
        struct json_object *asked = NULL;

        if (!json_object_object_get_ex(theirs, name, &asked))
                return 0;
        if (!json_object_is_type(asked, json_type_boolean))
                return -EINVAL;
        if (!json_object_get_boolean(asked))
                return 0;
        return json_object_object_add(ours, name, json_object_new_boolean(true)) < 0 ? -ENOMEM : 0;
}

/* The answer is a subset of what was proposed; what we do not know is left out. */
static int answer(struct json_object *request, struct json_object *ours) {
        struct json_object *theirs = NULL;
        int r = 0;

        if (!request || !json_object_object_get_ex(request, "capabilities", &theirs))
                return 0;
        if (!json_object_is_type(theirs, json_type_object))
                return -EINVAL;
        r = answer_number(theirs, ours, "max_msg_fds", SERVER_FDS_MAX, false);
        if (r >= 0)
                r = answer_number(theirs, ours, "max_data_xfer_size", SERVER_TRANSFER_ANNOUNCED, true);
        if (r >= 0)
                r = answer_number(theirs, ours, "max_dma_maps", VPC_DMA_WINDOWS_MAX, true);
        if (r >= 0)
                r = answer_number(theirs, ours, "pgsizes", PAGE_SIZES, false);
        if (r >= 0)
                r = answer_flag(theirs, ours, "write_multiple");
        return r;
}

int server_version(struct vpc_function *function, struct server_message *message, struct server_reply *reply) {
        CLEANUP_JSON struct json_object *request = NULL, *capabilities = NULL, *object = NULL;
        struct vfio_user_version version;
        const char *text = NULL;
        size_t length = 0;
        int r = 0;

        memcpy(&version, message->payload, sizeof(version));
        if (version.major != VFIO_USER_MAJOR)
                return -EPROTONOSUPPORT;
        r = parse(message->payload + sizeof(version), message->length - sizeof(version), &request);
        if (r < 0)
                return r;
        capabilities = json_object_new_object();
        object = json_object_new_object();
        if (!capabilities || !object)
                return -ENOMEM;
        r = answer(request, capabilities);
        if (r < 0)
                return r;
        if (json_object_object_add(object, "capabilities", capabilities) < 0)
                return -ENOMEM;
        capabilities = NULL;
        text = json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN, &length);
        if (!text)
                return -ENOMEM;
        version = (struct vfio_user_version){VFIO_USER_MAJOR, VFIO_USER_MINOR};
        memcpy(reply->payload, &version, sizeof(version));
        memcpy(reply->payload + sizeof(version), text, length + 1);
        reply->length = sizeof(version) + length + 1;
        return 0;
}
