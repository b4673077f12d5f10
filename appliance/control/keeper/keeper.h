/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper: the parent of the control process, and all that is left when that dies. It holds descriptors with a note to each,
 * which the control process has given it, starts the next control process and gives them to it. It understands none of them.
 *
 * keeping_*() is the control process's side. There is none in a simulator: then nothing is kept (NULL).
 */
#ifndef IOV_CONTROL_KEEPER_H
#define IOV_CONTROL_KEEPER_H

#include <stddef.h>
#include <stdint.h>

#define KEEPER_FD 3          /* where the control process finds its end of the socket */
#define KEEPER_NOTE_MAX 6144 /* bytes */
#define KEEPER_FDS_MAX 4
#define KEEPER_HAND_OVER 75 /* exit status of a control process that wants the next one to go on, maybe of another version */

/* Life of the keeper: start `argv` with --keeper-fd as the control process again and again. Returns its exit status. */
int keeper_run(char *const argv[]);

struct keeping;

/* One thing that was kept. */
struct keeping_record {
        uint64_t key; /* the control process's choice */
        const void *note;
        size_t size;
        int fds[KEEPER_FDS_MAX]; /* whoever takes one puts -1 in its place */
        unsigned int n_fds;
};

/* Take over the socket and receive what a control process before this one has left. */
int keeping_open(int fd, struct keeping **ret_keeping);
struct keeping *keeping_close(struct keeping *keeping);
/* The n-th record of those, NULL: there are no more. */
struct keeping_record *keeping_get(struct keeping *keeping, size_t n);
/* Keep copies of descriptors under a key, in place of what was there. When it returns they are safe. */
int keeping_store(struct keeping *keeping, uint64_t key, const void *note, size_t size, const int *fds, unsigned int n_fds);
/* Another note to the descriptors that are kept there. */
int keeping_note(struct keeping *keeping, uint64_t key, const void *note, size_t size);
void keeping_remove(struct keeping *keeping, uint64_t key);

#endif
