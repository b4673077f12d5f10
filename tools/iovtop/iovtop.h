/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IOV_TOOLS_IOVTOP_H
#define IOV_TOOLS_IOVTOP_H

#include "tools/iovtop/sample.h"

/* How to run: the options. */
struct top {
        struct tool *tool;
        unsigned int frames; /* 0: for ever */
        double delay;        /* seconds */
};

extern const struct column sample_columns[];
/* The views; each returns an exit code. */
int batch_run(const struct top *top);
int screen_run(const struct top *top);
/* Tell that sampling failed; returns an exit code. */
int report_lost(const struct tool *tool, int r);

#endif
