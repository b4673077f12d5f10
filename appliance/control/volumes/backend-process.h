/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question to a helper (backend-helper.h), from the event loop. */
#ifndef IOV_CONTROL_BACKEND_PROCESS_H
#define IOV_CONTROL_BACKEND_PROCESS_H

#include "control/volumes/backend-helper.h"
#include "loop/loop.h"

#define BACKEND_TIMEOUT_S 10

struct backend_process;
/* Called once: `fd` is the callee's, -1: none. */
typedef void (*backend_process_fn)(void *userdata, const struct backend_answer *answer, int fd);

/* *ret_process becomes NULL when the process is gone, which may be long after its answer was given up. */
int backend_process_start(struct loop *loop, const struct backend_request *request, backend_process_fn done, void *userdata,
                          struct backend_process **ret_process);
/* Kill it; `done` is not called, and what ret_process was is not touched any more. Takes NULL, returns NULL. */
struct backend_process *backend_process_cancel(struct backend_process *process);
/* How many are being waited for. */
unsigned int backend_process_count(void);

#endif
