/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI function: image, configuration space, DMA windows, interrupts, resets and the model behind the BARs. It knows no socket:
 * the vfio-user server (server.h) drives it.
 */
#ifndef IOV_VPC_FUNCTION_H
#define IOV_VPC_FUNCTION_H

#include <stddef.h>
#include <stdint.h>

#include "loop/loop.h"
#include "vpc/model.h"
#include "vpc/report.h"

struct vpc_function;

/* Bytes of an image of a model. */
size_t vpc_image_size(const struct vpc_model *model);
/* Make a power-on image in `image` (zeroed, vpc_image_size() bytes, page aligned): configuration space, header, model state. */
int vpc_image_init(void *image, const struct vpc_model *model, const struct vpc_persona *persona);
/* Check one that comes from elsewhere: -EBADMSG not an image of that model, -EPROTONOSUPPORT another version. */
int vpc_image_check(const void *image, size_t size, const struct vpc_model *model);
/* What the function keeps for its life, see struct vpc_model: 0 where that is nothing, or the image not one of the model's.
 * `life` has room for VPC_LIFE_MAX bytes. */
uint64_t vpc_image_life_mark(const void *image, size_t size, const struct vpc_model *model, uint64_t now);
size_t vpc_image_life_take(const void *image, size_t size, const struct vpc_model *model, uint64_t now, void *life);
/* To a new image. -EBADMSG: it cannot be used, and the image is as it was. */
int vpc_image_life_give(void *image, const struct vpc_model *model, const void *life, size_t size);

/* What a function needs from the process it lives in. Called with `context`. */
struct vpc_environment {
        void *context;
        void (*io_submit)(void *context, unsigned int medium, struct vpc_io *io);
        /* Optional, see vpc_host. */
        bool (*io_try)(void *context, unsigned int medium, struct vpc_io *io, int *ret_error);
        void (*io_expect)(void *context, unsigned int medium, uint64_t offset, uint64_t length);
        /* Optional: a request has ended with an error, which the model is told next. */
        void (*io_failed)(void *context, unsigned int medium, const struct vpc_io *io, int error);
        /* Optional: what is under way is waited for; none of it must be held back. */
        void (*hurry)(void *context);
        /* Optional, see vpc_host. */
        const struct vpc_reservation_page *(*reservations)(void *context, unsigned int medium);
        void (*reserve)(void *context, const struct vpc_reserve_request *request);
        void (*fenced)(void *context, unsigned int medium, uint64_t change);
        const struct vpc_marks_pages *marks;
        /* Where vpc_function_pin() is called: not all is pinned; once for each reason, maybe from within. */
        void (*unpinned)(void *context, enum iov_unpinned why);
        void (*log)(void *context, int level, const char *text);
        uint32_t *doorbells; /* as in vpc_host, with its descriptor; both stay the caller's */
        int doorbells_fd;
};

/* `image` and `counters` stay the caller's and must outlive the function. */
int vpc_function_new(struct loop *loop, const struct vpc_model *model, void *image, struct iov_counter *counters,
                     const struct vpc_environment *environment, struct vpc_function **ret_function);
/*
 * Keep in `session` (the caller's, which must outlive the function) what the client sets up, and take over what a process before
 * this one has kept there. Right after vpc_function_new(), before anything else. Returns how many DMA windows could not be mapped
 * again; accesses to them fail.
 */
struct vpc_session;
int vpc_function_keep(struct vpc_function *function, struct vpc_session *session);
struct vpc_session *vpc_function_session(const struct vpc_function *function);
/* Only when idle, see vpc_function_quiesce(). Takes NULL. */
void vpc_function_free(struct vpc_function *function);

/*
 * Region access by vfio region index (0-5 BARs, 7 configuration space); 0, or a negative errno that becomes the error reply;
 * -EINVAL: not within the region (a read of the configuration space never fails: beyond its end are zeros). Unimplemented bytes
 * read as zero, never all ones while the function is in D0. Address decoding is the client's: a BAR answers by index whether
 * Memory Space Enable is set or not. In D3hot BARs read as all ones and writes are dropped (PCI Express Base 5.0,
 * section 5.3.1.4). A write returns VPC_QUIESCE_FIRST where it has reset the function or put it into D3hot: call
 * vpc_function_quiesce() before replying, so that software that waits for the reply finds no access to its memory under way.
 */
#define VPC_QUIESCE_FIRST 1
uint64_t vpc_function_region_size(const struct vpc_function *function, unsigned int region);
int vpc_function_region_read(struct vpc_function *function, unsigned int region, uint64_t offset, void *buffer, size_t length);
int vpc_function_region_write(struct vpc_function *function, unsigned int region, uint64_t offset, const void *buffer,
                              size_t length);
bool vpc_function_region_area(struct vpc_function *function, unsigned int region, struct vpc_area *ret_area);

/* DMA windows. The fd is taken over (closed on failure too); -1: a window without memory, which only makes accesses fail.
 * -EEXIST: overlaps another, -ENOSPC: too many (65535), -EINVAL: not page aligned, empty or wrapping. */
#define VPC_DMA_READABLE 1u /* protocol flag values */
#define VPC_DMA_WRITEABLE 2u
int vpc_function_dma_map(struct vpc_function *function, uint64_t address, uint64_t size, int fd, uint64_t fd_offset,
                         uint32_t flags);
/* The window is gone for new accesses at once; its memory is unmapped when requests under way are done: call
 * vpc_function_quiesce() before replying. -ENOENT: no window of exactly that range. */
int vpc_function_dma_unmap(struct vpc_function *function, uint64_t address, uint64_t size);
int vpc_function_dma_unmap_all(struct vpc_function *function);
/* Pin the memory of all windows, those that come as well, see loop_memory_add(); or of none any more, and then `why` not. Counted
 * in counters->pinned, and counters->unpinned is why there is not more. */
void vpc_function_pin(struct vpc_function *function, bool is_wanted, enum iov_unpinned why);
/*
 * Release the memory of windows that are gone, and call `done`, once every request that was under way at the time of the call has
 * ended: at once, from within the call, where none is. Only one at a time (-EBUSY).
 */
int vpc_function_quiesce(struct vpc_function *function, void (*done)(void *userdata), void *userdata);

/* Interrupts, by vfio irq index: 0 INTx, 1 MSI, 2 MSI-X. */
unsigned int vpc_function_irq_count(const struct vpc_function *function, unsigned int index);
/* Set eventfds of vectors start.. (n of them; -1: none). The fds are taken over, closed on failure too. -EINVAL: no such vectors,
 * or a descriptor that is no eventfd. They stay through resets. An interrupt goes out only where software has enabled MSI or
 * MSI-X and Bus Master Enable in the configuration space; enabled but without eventfd, masked or without Bus Master Enable it is
 * pending. */
int vpc_function_irq_set(struct vpc_function *function, unsigned int index, unsigned int start, const int *fds, unsigned int n);
int vpc_function_irq_mask(struct vpc_function *function, unsigned int index, unsigned int start, unsigned int n, bool masked);
int vpc_function_irq_trigger(struct vpc_function *function, unsigned int index, unsigned int start, unsigned int n);
void vpc_function_irq_disable(struct vpc_function *function, unsigned int index);

/* The media of the persona have changed, see vpc_model.show. -EOPNOTSUPP: the model shows what it is born with. */
int vpc_function_show(struct vpc_function *function, const struct vpc_medium *media, unsigned int n_media);
/* The reservations on a medium have changed, and the answer to a request for that, see vpc_model. A model without them is done at
 * once. */
void vpc_function_fence(struct vpc_function *function, unsigned int medium, uint64_t change);
void vpc_function_reserved(struct vpc_function *function, uint64_t ticket, enum vpc_reserve_result result);
/* The function is about to go: its model begins nothing more. vpc_function_quiesce() then says when it is idle. */
void vpc_function_stop(struct vpc_function *function);
/* Keep a report from now on, until the function is freed. */
void vpc_function_set_report(struct vpc_function *function, struct vpc_report *report);

void vpc_function_reset(struct vpc_function *function, enum vpc_reset scope);
/* The client that has driven the function is gone, which is what a loss of power looks like from here. */
void vpc_function_power_lost(struct vpc_function *function);
/* The client is gone: windows and eventfds are dropped, Bus Master Enable is cleared, the device state is kept. Follow it with
 * vpc_function_quiesce(), which lets go of the memory. */
void vpc_function_disconnect(struct vpc_function *function);

#endif
