/*
 * aiocb.c - BlockAIOCB: the reference-counted handle of one operation
 *
 * The count is not atomic: a handle belongs to the thread of its context.  The
 * operation holds one reference and drops it after its callback, which is how
 * bdrv_aio_cancel() knows that it has ended.
 */
#include <stdlib.h>

#include "base/check.h"
#include "block/aio.h"
#include "block/block.h"

void *qemu_aio_get(const AIOCBInfo *aiocb_info, BlockDriverState *bs,
                   BlockCompletionFunc *cb, void *opaque)
{
    BlockAIOCB *acb;

    CHECK(aiocb_info->aiocb_size >= sizeof(*acb));
    acb = check_malloc(aiocb_info->aiocb_size);
    *acb = (BlockAIOCB){
        .aiocb_info = aiocb_info,
        .bs = bs,
        .cb = cb,
        .opaque = opaque,
        .refcnt = 1,
    };
    return acb;
}

void qemu_aio_ref(void *p)
{
    BlockAIOCB *acb = p;

    CHECK(acb->refcnt > 0);
    acb->refcnt++;
}

void qemu_aio_unref(void *p)
{
    BlockAIOCB *acb = p;

    CHECK(acb->refcnt > 0);
    if (--acb->refcnt == 0) {
        free(acb);
    }
}

void bdrv_aio_cancel_async(BlockAIOCB *acb)
{
    if (acb->aiocb_info->cancel_async) {
        acb->aiocb_info->cancel_async(acb);
    }
}

void bdrv_aio_cancel(BlockAIOCB *acb)
{
    CHECK(acb->aiocb_info->get_aio_context);
    qemu_aio_ref(acb);
    bdrv_aio_cancel_async(acb);
    while (acb->refcnt > 1) { /* ends: the operation drops its reference */
        aio_poll(acb->aiocb_info->get_aio_context(acb), true);
    }
    qemu_aio_unref(acb);
}
