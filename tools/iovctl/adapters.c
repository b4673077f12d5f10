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

static int put(const struct tool *tool, struct iov_adapter *a, const char *word) {
        const char *value = strchr(word, '=');
        uint64_t ports = 0;
        int r = -EINVAL;

        if (!value)
                return report_error(tool, STATUS_USAGE, "'%s': ports=, rate=, capacity= or model= is wanted", word);
        value++;
        if (strncmp(word, "ports=", 6) == 0) {
                r = iov_count_parse(value, &ports);
                a->ports = (uint32_t)ports;
                r = r == 0 && ports != a->ports ? -ERANGE : r;
        } else if (strncmp(word, "rate=", 5) == 0) {
                r = iov_rate_parse(value, &a->rate);
        } else if (strncmp(word, "capacity=", 9) == 0) {
                r = iov_size_parse(value, &a->capacity);
        } else if (strncmp(word, "model=", 6) == 0) {
                r = field_set(a->model, sizeof(a->model), value);
        } else {
                return report_error(tool, STATUS_USAGE, "'%s': ports=, rate=, capacity= or model= is wanted", word);
        }
        return r < 0 ? report_error(tool, STATUS_USAGE, "'%s': ports=2, rate=10Gbit, capacity=1TiB or model=TEXT is wanted", word)
                     : STATUS_DONE;
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
