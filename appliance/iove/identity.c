/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identities: their fields in a vAdapter, and what makes a good one, or a good pool of them. */
#include "iove/identity-private.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "util.h"

static const struct {
        size_t offset, size;
} fields[IOV_IDENTITY_COUNT] = {
        [IOV_IDENTITY_MAC] = {offsetof(struct iov_vadapter, mac), sizeof(((struct iov_vadapter *)0)->mac)},
        [IOV_IDENTITY_WWNN] = {offsetof(struct iov_vadapter, wwnn), sizeof(((struct iov_vadapter *)0)->wwnn)},
        [IOV_IDENTITY_WWPN] = {offsetof(struct iov_vadapter, wwpn), sizeof(((struct iov_vadapter *)0)->wwpn)},
        [IOV_IDENTITY_SERIAL] = {offsetof(struct iov_vadapter, serial), sizeof(((struct iov_vadapter *)0)->serial)},
        [IOV_IDENTITY_NQN] = {offsetof(struct iov_vadapter, nqn), sizeof(((struct iov_vadapter *)0)->nqn)},
};

const char *identity_of(const struct iov_vadapter *v, enum iov_identity_type type) {
        return (const char *)v + fields[type].offset;
}

void identity_put(struct iov_vadapter *v, enum iov_identity_type type, const char *value) {
        field_set((char *)v + fields[type].offset, fields[type].size, value);
}

bool identity_applies(uint32_t adapter_kind, enum iov_identity_type type) {
        switch (type) {
        case IOV_IDENTITY_MAC:
                return adapter_kind == IOV_ADAPTER_NIC;
        case IOV_IDENTITY_WWNN:
        case IOV_IDENTITY_WWPN:
                return adapter_kind == IOV_ADAPTER_HBA;
        case IOV_IDENTITY_NQN:
                return adapter_kind == IOV_ADAPTER_SSD;
        default:
                return true;
        }
}

bool identity_parse_octets(const char *s, unsigned int n, uint64_t *ret_value) {
        uint64_t value = 0;

        for (unsigned int i = 0; i < n * 3; i++) {
                char c = s[i];

                if (i % 3 == 2) {
                        if (c != (i + 1 < n * 3 ? ':' : 0))
                                return false;
                        continue;
                }
                if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
                        return false;
                value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        *ret_value = value;
        return true;
}

void identity_format_octets(uint64_t value, unsigned int n, char *s) {
        for (unsigned int i = 0; i < n; i++)
                snprintf(s + (size_t)i * 3, 4, "%02x%s", (unsigned int)(value >> (8 * (n - 1 - i)) & 0xff), i + 1 < n ? ":" : "");
}

unsigned int identity_octets(enum iov_identity_type type) {
        return type == IOV_IDENTITY_MAC ? 6 : type == IOV_IDENTITY_WWNN || type == IOV_IDENTITY_WWPN ? 8 : 0;
}

/* IEEE 802-2014 section 8.2: the group bit is the lowest of the first octet. */
static const char *mac_check(uint64_t mac) {
        if (mac >> 40 & 1)
                return "MAC is a group address: the first octet must be even";
        return mac ? NULL : "MAC is all zero";
}

/* FC-FS-3 section 14: the first four bits are the Network Address Authority; 0 and 4, 7 to B and D to F are no port's or node's.
 */
static const char *wwn_check(uint64_t wwn) {
        unsigned int naa = (unsigned int)(wwn >> 60);

        return naa == 1 || naa == 2 || naa == 3 || naa == 5 || naa == 6 || naa == 0xc
                       ? NULL
                       : "WWN has no Network Address Authority: it must begin with 1, 2, 3, 5, 6 or c";
}

/* NVMe 1.4 section 5.15.2.2: serial numbers are ASCII, section 1.5: 20h to 7Eh, left justified and padded with spaces. */
static const char *serial_check(const char *serial) {
        size_t n = strlen(serial);

        if (n > IOV_SERIAL_MAX)
                return "serial has more than 20 characters";
        for (size_t i = 0; i < n; i++)
                if (serial[i] < 0x20 || serial[i] > 0x7e)
                        return "serial has a character that is not printable ASCII";
        if (strcmp(serial, "auto") == 0)
                return "serial auto is the word for one that the appliance chooses: leave it empty";
        if (n && (serial[0] == ' ' || serial[n - 1] == ' '))
                return "serial starts or ends with a space";
        return NULL;
}

/* NVMe 1.4 section 7.9: UTF-8 is allowed, but what other systems compare is ASCII without spaces. */
static const char *nqn_check(const char *nqn) {
        if (strncmp(nqn, "nqn.", 4) != 0)
                return "NQN does not begin with nqn.";
        for (const char *c = nqn; *c; c++)
                if (*c <= 0x20 || *c > 0x7e)
                        return "NQN has a character that is not printable ASCII";
        return NULL;
}

const char *identity_check(enum iov_identity_type type, const char *value) {
        uint64_t octets;

        if (!*value)
                return NULL;
        switch (type) {
        case IOV_IDENTITY_MAC:
                return identity_parse_octets(value, 6, &octets) ? mac_check(octets)
                                                                : "MAC is not six octets such as 02:1a:4a:00:07:01";
        case IOV_IDENTITY_WWNN:
        case IOV_IDENTITY_WWPN:
                return identity_parse_octets(value, 8, &octets) ? wwn_check(octets)
                                                                : "WWN is not eight octets such as 50:01:43:80:12:34:56:78";
        case IOV_IDENTITY_SERIAL:
                return serial_check(value);
        case IOV_IDENTITY_NQN:
                return nqn_check(value);
        default:
                return "unknown type of identity";
        }
}

const char *identity_pool_check(const struct iov_pool *pool) {
        uint64_t first, last;
        uint32_t type;

        if (iov_identity_type_from_string(pool->name, &type) < 0)
                return "pools are named mac, wwnn, wwpn, serial and nqn";
        if (pool->rest > UINT64_C(10) * 366 * 86400)
                return "rest is longer than ten years";
        if (!*pool->first)
                return *pool->last ? "last without first" : NULL;
        unsigned int n = identity_octets((enum iov_identity_type)type);
        if (!n && *pool->last)
                return "this pool has a prefix, no first and last";
        if (!n)
                return type == IOV_IDENTITY_SERIAL && strlen(pool->first) > 12
                               ? "prefix of serials has more than 12 characters"
                               : identity_check((enum iov_identity_type)type, pool->first);
        const char *wrong = identity_check((enum iov_identity_type)type, pool->first);
        if (!wrong)
                wrong = *pool->last ? identity_check((enum iov_identity_type)type, pool->last) : "first without last";
        if (wrong)
                return wrong;
        if (!identity_parse_octets(pool->first, n, &first) || !identity_parse_octets(pool->last, n, &last))
                return "first and last are no addresses";
        return last < first ? "last is before first" : NULL;
}
