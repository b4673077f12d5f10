/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of VLAN ids as text: `10,20,100-199`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iov/libiov.h"
#include "util.h"

static bool carries(const uint8_t vlans[IOV_VLANS_SIZE], uint32_t id) {
        return vlans[id / 8] >> (id % 8) & 1;
}

int iov_vlans_add(uint8_t vlans[IOV_VLANS_SIZE], uint32_t first, uint32_t last) {
        if (first < 1 || last > IOV_VLAN_MAX || first > last)
                return -ERANGE;
        for (uint32_t id = first; id <= last; id++)
                vlans[id / 8] |= (uint8_t)(1u << (id % 8));
        return 0;
}

static int parse_id(const char **s, uint32_t *ret_id) {
        char *end;

        if (**s < '0' || **s > '9')
                return -EINVAL;
        unsigned long id = strtoul(*s, &end, 10);
        if (id > IOV_VLAN_MAX)
                return -ERANGE;
        *s = end;
        *ret_id = (uint32_t)id;
        return 0;
}

int iov_vlans_parse(const char *s, uint8_t ret_vlans[IOV_VLANS_SIZE]) {
        uint8_t vlans[IOV_VLANS_SIZE] = {0};

        while (*s) {
                uint32_t first = 0;
                int r = parse_id(&s, &first);
                uint32_t last = first;

                if (r == 0 && *s == '-') {
                        s++;
                        r = parse_id(&s, &last);
                }
                if (r == 0)
                        r = iov_vlans_add(vlans, first, last);
                if (r < 0)
                        return r;
                if (*s == ',' && s[1])
                        s++;
                else if (*s)
                        return -EINVAL;
        }
        memcpy(ret_vlans, vlans, sizeof(vlans));
        return 0;
}

bool iov_vlans_next(const uint8_t vlans[IOV_VLANS_SIZE], uint32_t from, uint32_t *ret_first, uint32_t *ret_last) {
        uint32_t first = from ? from : 1, last;

        while (first <= IOV_VLAN_MAX && !carries(vlans, first))
                first++;
        if (first > IOV_VLAN_MAX)
                return false;
        for (last = first; last < IOV_VLAN_MAX && carries(vlans, last + 1);)
                last++;
        *ret_first = first;
        *ret_last = last;
        return true;
}

int iov_vlans_format(const uint8_t vlans[IOV_VLANS_SIZE], char **ret_text) {
        const size_t size = IOV_VLAN_MAX * sizeof("4094") + 1;
        char *text = malloc(size);
        uint32_t first = 0, last = 0;
        size_t n = 0;

        if (!text)
                return -ENOMEM;
        *text = 0;
        for (uint32_t from = 1; iov_vlans_next(vlans, from, &first, &last); from = last + 1) {
                n += (size_t)snprintf(text + n, size - n, "%s%u", n ? "," : "", first);
                if (first != last)
                        n += (size_t)snprintf(text + n, size - n, "-%u", last);
        }
        *ret_text = text;
        return 0;
}
