/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iovtop: what every vAdapter does, now. */
#include <string.h>
#include <unistd.h>

#include "tools/common/report.h"
#include "tools/iovtop/iovtop.h"

static bool arg_batch;
static unsigned int arg_frames;
static double arg_delay = 2;

static const struct option options[] = {
        {"batch", 'b', VALUE_FLAG, NULL, &arg_batch,
         "print frames instead of a screen; the default where the output is no terminal"},
        {"iterations", 'n', VALUE_NUMBER, "N", &arg_frames, "end after N frames"},
        {"delay", 'd', VALUE_SECONDS, "SECONDS", &arg_delay, "time between frames, fractions allowed; default 2"},
        {0},
};

int report_lost(const struct tool *tool, int r) {
        return report_error(tool, STATUS_NO_APPLIANCE, "the appliance does not answer any more: %s", report_reason(r));
}

static int run(struct tool *tool, char **words, unsigned int n_words) {
        struct top top = {tool, arg_frames, arg_delay};

        /* Formats for programs, and a choice of columns, make no screen. */
        if (arg_batch || tool->output_option || !isatty(STDOUT_FILENO))
                return batch_run(&top);
        return screen_run(&top);
}

static const struct command commands[] = {
        {NULL, NULL, "Show what every vAdapter of an iov appliance does", NULL, options, sample_columns,
         FORMATS_TREE | FORMAT_BIT(FORMAT_WIDE) | FORMAT_BIT(FORMAT_CSV), run},
        {0},
};

static const struct tool_info info = {"iovtop", "Show what every vAdapter of an iov appliance does", commands};

int main(int argc, char **argv) {
        return tool_main(&info, argc, argv);
}
