/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What keys of a topology are that are not given, where it is not zero: the reader sets it, the writer leaves it out. */
#ifndef IOV_DEFAULTS_H
#define IOV_DEFAULTS_H

#define DEFAULT_MTU 1500
#define DEFAULT_WEIGHT IOV_WEIGHT_DEFAULT
#define DEFAULT_REST 3600 /* seconds */

#endif
