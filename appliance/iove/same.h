/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same volume or vAdapter in another model: by its id, since it may have another name there. */
#ifndef IOV_IOVE_SAME_H
#define IOV_IOVE_SAME_H

#include <stddef.h>

#include "iov/libiov.h"

struct same_id;
struct same {
        const struct iov_model *model; /* where it is looked for */
        struct same_id *ids;           /* made when one is missing under its name */
        size_t n;
};

/* NULL in *ret: it is not there any more. -ENOMEM: nobody knows. */
int same_volume(struct same *same, const struct iov_volume *volume, const struct iov_volume **ret);
int same_vadapter(struct same *same, const struct iov_vadapter *vadapter, const struct iov_vadapter **ret);
/* What was made is freed; `same` can be used again, for one kind at a time. */
void same_free(struct same *same);

#endif
