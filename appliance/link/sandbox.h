/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a worker may still do once it listens to a server: serve it. No capabilities, no new privileges, no file but those that it
 * was given as descriptors, no system call that serving does not need.
 */
#ifndef IOV_LINK_SANDBOX_H
#define IOV_LINK_SANDBOX_H

#include <stdbool.h>

/* For a worker and its escrow: capabilities, privileges, core dumps, and the file system where the kernel has Landlock. What the
 * kernel does not have is left out; -errno where it refuses what it has. */
int link_sandbox_enter(void);
/* For the worker alone: the list of system calls. Another one ends it by SIGSYS, after a line on stderr that names it. The
 * io_uring is made before, with a list of its own (loop_new_confined()), since it would lead past this one. `has_threads`: there
 * is none, but threads, which the list is for as well; it has what they do. */
int link_sandbox_filter(bool has_threads);
/* The list is longer: built with a sanitizer, whose run-time needs more. */
bool link_sandbox_is_loose(void);

#endif
