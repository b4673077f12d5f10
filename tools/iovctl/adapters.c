/* SPDX-License-Identifier: GPL-2.0-or-later */
/* adapter insert and remove: the hardware of a software chassis. */
#include <errno.h>
#include <string.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovctl/change.h"
#include "tools/iovctl/iovctl.h"
#include "tools/iovctl/operate.h"
#include "util.h"

const struct option adapter_remove_options[] = {OPTION_YES, {0}};

static const struct {
        const char *key;
        size_t offset;
        int (*parse)(const char *text, uint64_t *ret_value);
} quantities[] = {
        {"rate=", offsetof(struct iov_adapter, rate), iov_rate_parse},
        {"capacity=", offsetof(struct iov_adapter, capacity), iov_size_parse},
        {"iops=", offsetof(struct iov_adapter, iops), iov_count_parse},
        {"bandwidth=", offsetof(struct iov_adapter, bandwidth), iov_rate_parse},
};

static int parse(struct iov_adapter *a, const char *word) {
        const char *value = strchr(word, '=');
        uint64_t number = 0;

        if (!value)
                return -EINVAL;
        value++;
        if (strncmp(word, "model=", 6) == 0)
                return field_set(a->model, sizeof(a->model), value);
        if (strncmp(word, "backend=", 8) == 0)
                return *value ? field_set(a->backend, sizeof(a->backend), value) : -EINVAL;
        if (strncmp(word, "ports=", 6) == 0) {
                int r = iov_count_parse(value, &number);

                a->ports = (uint32_t)number;
                return r == 0 && number != a->ports ? -ERANGE : r;
        }
        for (size_t i = 0; i < ARRAY_LENGTH(quantities); i++) {
                const size_t length = strlen(quantities[i].key);

                if (strncmp(word, quantities[i].key, length) != 0)
                        continue;
                int r = quantities[i].parse(value, &number);
                if (r == 0)
                        memcpy((char *)a + quantities[i].offset, &number, sizeof(number));
                return r;
        }
        return -EINVAL;
}

static int put(const struct tool *tool, struct iov_adapter *a, const char *word) {
        return parse(a, word) == 0 ? STATUS_DONE
                                   : report_error(tool, STATUS_USAGE,
                                                  "'%s': ports=2, rate=10Gbit, capacity=1TiB, iops=400k, bandwidth=16Gbit, "
                                                  "backend=PATH or URI, or model=TEXT is wanted",
                                                  word);
}

int adapter_insert(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        struct iov_mb_error error = {0};
        struct iov_adapter a = {0};
        int status = STATUS_DONE;

        if (!iov_name_is_valid(words[0]))
                return report_error(tool, STATUS_USAGE, "'%s': names have letters, digits, '.', '_' and '-', at most %d of them",
                                    words[0], IOV_NAME_MAX);
        field_set(a.name, sizeof(a.name), words[0]);
        if (iov_adapter_kind_from_string(words[1], &a.kind) < 0)
                return report_error(tool, STATUS_USAGE, "'%s': a kind of adapter is wanted: nic, hba, raid, ssd or sata",
                                    words[1]);
        for (unsigned int i = 2; status == STATUS_DONE && i < n_words; i++)
                status = put(tool, &a, words[i]);
        if (status == STATUS_DONE)
                status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = iov_adapter_insert(appliance, &a, &error);
        return operate_result(tool, words[0], r, &error);
}

int adapter_remove(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        CLEANUP_FREE char *target = xasprintf("adapter %s", words[0]);
        struct iov_mb_error error = {0};
        int status = operate_agree(tool, target, "be removed");

        if (status == STATUS_DONE)
                status = session_open(tool, &appliance);
        if (status != STATUS_DONE)
                return status;
        int r = iov_adapter_remove(appliance, words[0], &error);
        return operate_result(tool, words[0], r, &error);
}
