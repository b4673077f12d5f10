/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of the objects of an appliance: what iovctl lists and shows, and the bundle holds. */
#ifndef IOV_TOOLS_OBJECTS_H
#define IOV_TOOLS_OBJECTS_H

#include "tools/common/session.h"

extern const struct column server_columns[], adapter_columns[], volume_columns[], vadapter_columns[], namespace_columns[],
        lun_columns[], drive_columns[], network_columns[], qos_columns[], profile_columns[], pool_columns[], link_columns[],
        fault_columns[];

/* The table of a kind (server, adapter, volume, vadapter, namespace), by name; `name` NULL: all. Empty where there is none of
 * that name. */
struct table *objects_table(const struct snapshot *snapshot, enum iov_kind kind, const char *name);
/* The kind of an object word of the command line, IOV_KIND_COUNT: none. */
enum iov_kind objects_kind(const char *word);
/* `server`, `vAdapter`...: the word for messages. */
const char *kind_word(enum iov_kind kind);

#endif
