/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iovd: the appliance. With --worker it is the worker of one server link, which only iovd itself starts. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "control/mgmt/access.h"
#include "control/volumes/backend-helper.h"
#include "control/control.h"
#include "control/keeper/keeper.h"
#include "link/worker.h"
#include "media/direct.h"

#define EXIT_USAGE 2

static int usage_error(const char *what, const char *value) {
        fprintf(stderr, "iovd: %s%s%s; iovd --help lists the options\n", what, value ? ": " : "", value ? value : "");
        return EXIT_USAGE;
}

static void print_help(void) {
        puts("iovd [--state DIR] [--run DIR] [--chassis FILE] [--unplug-timeout S] [--poll-time US] [--media-cache MODE] "
             "[--log-level N] [--read-group G]\n"
             "\n"
             "The iov appliance: pools I/O adapters and gives servers vAdapters over vfio-user.\n"
             "\n"
             "  --state DIR     state and media, kept (default /var/lib/iov)\n"
             "  --run DIR       sockets: DIR/mgmt.sock and DIR/servers/SERVER/SLOT.sock (default /run/iov)\n"
             "  --chassis FILE  the hardware, kind: chassis (default STATE/chassis.yaml, else built in)\n"
             "  --unplug-timeout S  1 to 600: seconds a guest has to let go of a vAdapter (default 30)\n"
             "  --poll-time US  0 to 1000: microseconds that a worker looks out for work after the last at most (default 50)\n"
             "  --media-cache MODE  auto, page or direct: whether media go through the page cache (default auto: files do)\n"
             "  --log-level N   0 to 7, highest syslog level written to stderr (default 6)\n"
             "  --read-group G  members of this group may look, and change nothing\n"
             "  --sim-fd FD     serve one management connection on FD and nothing else; used by sim:\n"
             "  --help, --version");
}

static int number(const char *s, long max, int *ret_value) {
        char *end;
        long v = strtol(s, &end, 10);

        if (!*s || *end || v < 0 || v > max)
                return -1;
        *ret_value = (int)v;
        return 0;
}

static int cache_mode(const char *s, unsigned int *ret_mode) {
        static const char *const words[MEDIA_CACHES] = {
                [MEDIA_CACHE_AUTO] = "auto", [MEDIA_CACHE_PAGE] = "page", [MEDIA_CACHE_DIRECT] = "direct"};

        for (unsigned int i = 0; i < MEDIA_CACHES; i++)
                if (strcmp(words[i], s) == 0) {
                        *ret_mode = i;
                        return 0;
                }
        return -1;
}

/* This process becomes the keeper, one with the same arguments the control process. */
static int keep(int argc, char *argv[]) {
        char option[] = "--keeper-fd", value[16];
        char **with = calloc((size_t)argc + 3, sizeof(char *));

        if (!with)
                return EXIT_FAILURE;
        snprintf(value, sizeof(value), "%d", KEEPER_FD);
        memcpy(with, argv, (size_t)argc * sizeof(char *));
        with[argc] = option;
        with[argc + 1] = value;
        int status = keeper_run(with);
        free(with);
        return status;
}

enum {
        OPT_STATE = 1,
        OPT_RUN,
        OPT_CHASSIS,
        OPT_LOG_LEVEL,
        OPT_UNPLUG,
        OPT_POLL,
        OPT_CACHE,
        OPT_SIM_FD,
        OPT_READ_GROUP,
        OPT_KEEPER_FD,
        OPT_HELP,
        OPT_VERSION
};
static const struct option options[] = {{"state", required_argument, NULL, OPT_STATE},
                                        {"run", required_argument, NULL, OPT_RUN},
                                        {"chassis", required_argument, NULL, OPT_CHASSIS},
                                        {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
                                        {"unplug-timeout", required_argument, NULL, OPT_UNPLUG},
                                        {"poll-time", required_argument, NULL, OPT_POLL},
                                        {"media-cache", required_argument, NULL, OPT_CACHE},
                                        {"sim-fd", required_argument, NULL, OPT_SIM_FD},
                                        {"read-group", required_argument, NULL, OPT_READ_GROUP},
                                        {"keeper-fd", required_argument, NULL, OPT_KEEPER_FD},
                                        {"help", no_argument, NULL, OPT_HELP},
                                        {"version", no_argument, NULL, OPT_VERSION},
                                        {NULL, 0, NULL, 0}};

/* -1: go on; else this process ends with the status. */
static int parse_options(int argc, char *argv[], struct control_options *o) {
        int c, seconds, microseconds;

        opterr = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case OPT_STATE:
                        o->state_directory = optarg;
                        break;
                case OPT_RUN:
                        o->run_directory = optarg;
                        break;
                case OPT_CHASSIS:
                        o->chassis = optarg;
                        break;
                case OPT_LOG_LEVEL:
                        if (number(optarg, LOG_DEBUG, &o->log_level) < 0)
                                return usage_error("--log-level takes 0 to 7", optarg);
                        break;
                case OPT_UNPLUG:
                        if (number(optarg, 600, &seconds) < 0 || seconds == 0)
                                return usage_error("--unplug-timeout takes 1 to 600", optarg);
                        o->unplug_s = (unsigned int)seconds;
                        break;
                case OPT_POLL:
                        if (number(optarg, 1000, &microseconds) < 0)
                                return usage_error("--poll-time takes 0 to 1000", optarg);
                        o->poll_us = (unsigned int)microseconds;
                        break;
                case OPT_CACHE:
                        if (cache_mode(optarg, &o->cache) < 0)
                                return usage_error("--media-cache takes auto, page or direct", optarg);
                        break;
                case OPT_SIM_FD:
                        if (number(optarg, 65535, &o->sim_fd) < 0)
                                return usage_error("--sim-fd takes a descriptor", optarg);
                        break;
                case OPT_READ_GROUP:
                        if (access_parse_group(optarg, &o->read_group) < 0)
                                return usage_error("--read-group: there is no such group", optarg);
                        break;
                case OPT_KEEPER_FD: /* which the keeper adds */
                        if (number(optarg, 65535, &o->keeper_fd) < 0)
                                return usage_error("--keeper-fd takes a descriptor", optarg);
                        break;
                case OPT_HELP:
                        print_help();
                        return EXIT_SUCCESS;
                case OPT_VERSION:
                        puts("iovd " PACKAGE_VERSION);
                        return EXIT_SUCCESS;
                default:
                        return usage_error("unknown option, or one without its value", argv[optind - 1]);
                }
        if (optind < argc)
                return usage_error("unexpected argument", argv[optind]);
        return -1;
}

int main(int argc, char *argv[]) {
        struct control_options o = {.state_directory = "/var/lib/iov",
                                    .run_directory = "/run/iov",
                                    .sim_fd = -1,
                                    .keeper_fd = -1,
                                    .read_group = ACCESS_NO_GROUP,
                                    .log_level = LOG_INFO,
                                    .unplug_s = 30,
                                    .poll_us = 50};
        int r = 0;

        if (argc >= 2 && strcmp(argv[1], "--worker") == 0)
                _exit(link_worker_main(argv[1], argc >= 4 && strcmp(argv[3], "nbd") == 0));
        if (argc >= 2 && strcmp(argv[1], BACKEND_HELPER_ARGUMENT) == 0)
                _exit(backend_helper_main());
        r = parse_options(argc, argv, &o);
        if (r >= 0)
                return r;
        if (o.sim_fd >= 0) {
                o.run_directory = NULL;
                o.log_level = o.log_level == LOG_INFO ? LOG_ERR : o.log_level;
        }
        return o.sim_fd < 0 && o.keeper_fd < 0 ? keep(argc, argv) : control_main(&o);
}
