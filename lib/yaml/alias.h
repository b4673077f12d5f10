/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Aliases: what was anchored is kept as events, and played again where an alias stands for it. Nothing is expanded ahead, aliases
 * within what is skipped never are, and what all of them bring is limited, so that a small text cannot cost more than a large
 * one.
 */
#ifndef IOV_ALIAS_H
#define IOV_ALIAS_H

#include "reader.h"

struct aliases;
struct aliases *aliases_free(struct aliases *aliases);
/* The next event comes from what an alias stands for: 1, it is at hand; 0: it does not. */
int aliases_replay(struct reader *r);
/* What came from the text: `depth` is the one that its node is at. */
int aliases_record(struct reader *r, unsigned int depth);
/* An alias is at hand. 1: the first event of what it stands for is now; 0: refused. */
int aliases_expand(struct reader *r);

#endif
