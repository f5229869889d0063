/*
 * block/block.h - what C code needs of block nodes: requests in flight
 */
#ifndef BLOCK_H
#define BLOCK_H

#include "block/aio.h"

AIOCTL_BEGIN_DECLS

/*
 * bdrv_aio_cancel: cancel a request and wait until its callback has run
 *
 * Polls the request's context; home thread only.  The callback gets -ECANCELED
 * when the request never started, else its real result.
 */
void bdrv_aio_cancel(BlockAIOCB *acb);

/* The same without waiting: the callback comes later, exactly once. */
void bdrv_aio_cancel_async(BlockAIOCB *acb);

AIOCTL_END_DECLS
#endif
