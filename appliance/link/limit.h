/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much memory this process may pin: RLIMIT_MEMLOCK. */
#ifndef IOV_LINK_LIMIT_H
#define IOV_LINK_LIMIT_H

/* As much as it is let, and never so much that the machine has none left. Before capabilities are dropped, which help. */
void link_limit_memory(void);
/* The ring is made: from here on a part is left for those of others. */
void link_limit_memory_rest(void);

#endif
