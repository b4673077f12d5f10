/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of iovctl. Each takes its words and returns an exit code. */
#ifndef IOV_TOOLS_IOVCTL_H
#define IOV_TOOLS_IOVCTL_H

#include "tools/common/tool.h"

int objects_list(struct tool *tool, char **words, unsigned int n_words);
int objects_show(struct tool *tool, char **words, unsigned int n_words);
int server_args(struct tool *tool, char **words, unsigned int n_words);
int vadapter_attach(struct tool *tool, char **words, unsigned int n_words);
int vadapter_detach(struct tool *tool, char **words, unsigned int n_words);
int vadapter_move(struct tool *tool, char **words, unsigned int n_words);
int object_add(struct tool *tool, char **words, unsigned int n_words);
int object_set(struct tool *tool, char **words, unsigned int n_words);
int object_rename(struct tool *tool, char **words, unsigned int n_words);
int profile_add(struct tool *tool, char **words, unsigned int n_words);
int profile_set(struct tool *tool, char **words, unsigned int n_words);
int profile_wear(struct tool *tool, char **words, unsigned int n_words);
int profile_move(struct tool *tool, char **words, unsigned int n_words);
int profile_take_off(struct tool *tool, char **words, unsigned int n_words);
int identity_list(struct tool *tool, char **words, unsigned int n_words);
int identity_show(struct tool *tool, char **words, unsigned int n_words);
int event_list(struct tool *tool, char **words, unsigned int n_words);
int event_follow(struct tool *tool, char **words, unsigned int n_words);
int event_wait(struct tool *tool, char **words, unsigned int n_words);
int link_up(struct tool *tool, char **words, unsigned int n_words);
int link_down(struct tool *tool, char **words, unsigned int n_words);
int link_retrain(struct tool *tool, char **words, unsigned int n_words);
int inject_show(struct tool *tool, char **words, unsigned int n_words);
int inject_list(struct tool *tool, char **words, unsigned int n_words);
int inject_clear(struct tool *tool, char **words, unsigned int n_words);
int inject_link_down(struct tool *tool, char **words, unsigned int n_words);
int inject_surprise_removal(struct tool *tool, char **words, unsigned int n_words);
int inject_media_error(struct tool *tool, char **words, unsigned int n_words);
int inject_latency(struct tool *tool, char **words, unsigned int n_words);
int inject_volume_full(struct tool *tool, char **words, unsigned int n_words);
int inject_worker_crash(struct tool *tool, char **words, unsigned int n_words);
int inject_mailbox_timeout(struct tool *tool, char **words, unsigned int n_words);
int reservation_list(struct tool *tool, char **words, unsigned int n_words);
int reservation_show(struct tool *tool, char **words, unsigned int n_words);
int reservation_clear(struct tool *tool, char **words, unsigned int n_words);
int adapter_insert(struct tool *tool, char **words, unsigned int n_words);
int adapter_remove(struct tool *tool, char **words, unsigned int n_words);
int object_remove(struct tool *tool, char **words, unsigned int n_words);

extern const struct option args_options[], attach_options[], detach_options[], move_options[], wear_options[], add_options[],
        volume_add_options[], vadapter_add_options[], set_options[], volume_set_options[], remove_options[], list_options[],
        follow_options[], wait_options[], clear_options[], link_down_options[], adapter_remove_options[],
        reservation_clear_options[];
extern const struct column identity_columns[], event_columns[], reservation_columns[];

#endif
