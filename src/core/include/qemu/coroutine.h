/*
 * qemu/coroutine.h - coroutines for those who use them
 */
#ifndef QEMU_COROUTINE_H
#define QEMU_COROUTINE_H

#include "qemu/coroutine-core.h"
#include "qemu/queue.h"

AIOCTL_BEGIN_DECLS

/*
 * Finished coroutines are kept for reuse, up to a process-wide bound.  A user
 * that expects many at once raises the bound, and lowers it when done.
 */
void qemu_coroutine_inc_pool_size(unsigned int additional_pool_size);
void qemu_coroutine_dec_pool_size(unsigned int additional_pool_size);

AIOCTL_END_DECLS
#endif
