/*
 * aiocb_test.c - BlockAIOCB: references, and cancelling with and without
 * waiting
 */
#include <stdlib.h>

#include "block/aio.h"
#include "block/block.h"
#include "test.h"

typedef struct Op {
    BlockAIOCB common; /* first */
    AioContext *ctx;
    int cancels;
} Op;

static int calls, last_ret;

static void op_end(void *opaque)
{
    Op *op = opaque;

    op->common.cb(op->common.opaque, op->cancels ? -1 : 0);
    qemu_aio_unref(op);
}

static void op_cancel_async(BlockAIOCB *acb)
{
    Op *op = (Op *)acb;

    if (op->cancels++ == 0) {
        aio_bh_schedule_oneshot(op->ctx, op_end, op);
    }
}

static AioContext *op_context(BlockAIOCB *acb)
{
    return ((Op *)acb)->ctx;
}

static const AIOCBInfo op_info = {
    .cancel_async = op_cancel_async,
    .get_aio_context = op_context,
    .aiocb_size = sizeof(Op),
};

static void op_done(void *opaque, int ret)
{
    ++*(int *)opaque;
    last_ret = ret;
}

static Op *op_new(AioContext *ctx)
{
    Op *op = qemu_aio_get(&op_info, NULL, op_done, &calls);

    op->ctx = ctx;
    op->cancels = 0;
    return op;
}

TEST(handle_begins_with_one_reference_and_what_it_was_given)
{
    Op *op = op_new(NULL);

    ASSERT_EQ(op->common.refcnt, 1);
    ASSERT_PTR_EQ(op->common.aiocb_info, &op_info);
    ASSERT_PTR_EQ(op->common.opaque, &calls);
    ASSERT_PTR_EQ(op->common.bs, NULL);
    qemu_aio_ref(op);
    ASSERT_EQ(op->common.refcnt, 2);
    qemu_aio_unref(op);
    ASSERT_EQ(op->common.refcnt, 1);
    qemu_aio_unref(op);
}

TEST(cancelling_asynchronously_may_be_repeated_and_calls_back_once_later)
{
    AioContext *ctx = aio_context_new(NULL);
    Op *op = op_new(ctx);

    bdrv_aio_cancel_async(&op->common);
    bdrv_aio_cancel_async(&op->common);
    ASSERT_EQ(calls, 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(calls, 1);
    ASSERT_EQ(last_ret, -1);
    aio_context_unref(ctx);
}

TEST(cancelling_synchronously_returns_after_the_callback)
{
    AioContext *ctx = aio_context_new(NULL);
    Op *op = op_new(ctx);

    bdrv_aio_cancel(&op->common);
    ASSERT_EQ(calls, 1);
    aio_context_unref(ctx);
}

static void unref_too_often(void *opaque)
{
    static char memory[sizeof(Op)];
    BlockAIOCB *acb = (BlockAIOCB *)memory;

    qemu_aio_unref(acb); /* as if all references were gone */
}

static void cancel_without_context(void *opaque)
{
    static const AIOCBInfo bare = {.aiocb_size = sizeof(BlockAIOCB)};

    bdrv_aio_cancel(qemu_aio_get(&bare, NULL, op_done, &calls));
}

static void size_too_small(void *opaque)
{
    static const AIOCBInfo small = {.aiocb_size = 4};

    qemu_aio_get(&small, NULL, op_done, &calls);
}

TEST(misuse_of_a_handle_aborts)
{
    ASSERT_ABORTS(unref_too_often, NULL, "refcnt > 0");
    ASSERT_ABORTS(cancel_without_context, NULL, "get_aio_context");
    ASSERT_ABORTS(size_too_small, NULL, "aiocb_size >= sizeof");
}
