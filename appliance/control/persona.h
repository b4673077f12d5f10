/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_CONTROL_PERSONA_H
#define IOV_CONTROL_PERSONA_H

#include "iov/libiov.h"
#include "vpc/model.h"

/* All that a device model is told of a vAdapter, and the volumes that are its media, in the same order. Every byte of the persona
 * is set, so that two are the same exactly when memcmp() says so. Returns the device model; NULL where the vAdapter's kind has
 * none. */
const struct vpc_model *persona_make(const struct iov_model *model, const struct iov_vadapter *vadapter,
                                     struct vpc_persona *ret_persona, const struct iov_volume *ret_volumes[VPC_MEDIA_MAX]);

#endif
