/*
 * thread_pool_aiocb.c - block/thread-pool.h: functions with a callback, with a
 * coroutine, or with nobody waiting
 *
 * Each is an item in an AIOCB.  The pool owns one reference to it until the
 * callback has returned.
 */
#include <errno.h>

#include "base/check.h"
#include "base/symbol.h"
#include "engine/thread_pool_int.h"
#include "loop/context.h"
#include "qemu/coroutine.h"

typedef struct PoolAIOCB {
    BlockAIOCB common; /* first: the handle callers hold */
    ThreadPoolItem item;
    ThreadPool *pool;
    ThreadPoolFunc *func;
    void *arg;
    int ret;
} PoolAIOCB;

static PoolAIOCB *acb_of(ThreadPoolItem *item)
{
    return (PoolAIOCB *)((char *)item - offsetof(PoolAIOCB, item));
}

static void acb_run(ThreadPoolItem *item)
{
    PoolAIOCB *acb = acb_of(item);

    acb->ret = acb->func(acb->arg);
}

static void acb_complete(ThreadPoolItem *item)
{
    PoolAIOCB *acb = acb_of(item);
    int ret = thread_pool_item_error(item);

    if (acb->common.cb) {
        acb->common.cb(acb->common.opaque, ret < 0 ? ret : acb->ret);
    }
    qemu_aio_unref(acb);
}

static void acb_cancel_async(BlockAIOCB *common)
{
    PoolAIOCB *acb = (PoolAIOCB *)common;

    thread_pool_cancel(acb->pool, &acb->item);
}

static AioContext *acb_context(BlockAIOCB *common)
{
    return ((PoolAIOCB *)common)->pool->ctx;
}

static const AIOCBInfo pool_aiocb_info = {
    .cancel_async = acb_cancel_async,
    .get_aio_context = acb_context,
    .aiocb_size = sizeof(PoolAIOCB),
};

BlockAIOCB *thread_pool_submit_aio(ThreadPool *pool, ThreadPoolFunc *func,
                                   void *arg, BlockCompletionFunc *cb,
                                   void *opaque)
{
    PoolAIOCB *acb = qemu_aio_get(&pool_aiocb_info, NULL, cb, opaque);

    acb->pool = pool;
    acb->func = func;
    acb->arg = arg;
    acb->item.run = acb_run;
    acb->item.complete = acb_complete;
    thread_pool_enqueue(pool, &acb->item);
    return &acb->common;
}

void thread_pool_submit(ThreadPool *pool, ThreadPoolFunc *func, void *arg)
{
    thread_pool_submit_aio(pool, func, arg, NULL, NULL);
}

/* In the frame of the coroutine that waits: nothing is allocated. */
typedef struct PoolWait {
    ThreadPoolItem item;
    ThreadPoolFunc *func;
    void *arg;
    int ret;
    Coroutine *co;
} PoolWait;

static PoolWait *wait_of(ThreadPoolItem *item)
{
    return (PoolWait *)((char *)item - offsetof(PoolWait, item));
}

static void wait_run(ThreadPoolItem *item)
{
    PoolWait *wait = wait_of(item);

    wait->ret = wait->func(wait->arg);
}

static void wait_complete(ThreadPoolItem *item)
{
    aio_co_wake(wait_of(item)->co);
}

const char *thread_pool_item_name(const ThreadPoolItem *item)
{
    ThreadPoolItem *it = (ThreadPoolItem *)(uintptr_t)item;
    uintptr_t func = (uintptr_t)item->run;

    if (item->run == acb_run) {
        func = (uintptr_t)acb_of(it)->func;
    } else if (item->run == wait_run) {
        func = (uintptr_t)wait_of(it)->func;
    }
    return symbol_name((const void *)func);
}

int coroutine_fn thread_pool_submit_co(ThreadPool *pool, ThreadPoolFunc *func,
                                       void *arg)
{
    PoolWait wait = {
        .item = {.run = wait_run, .complete = wait_complete},
        .func = func,
        .arg = arg,
        .co = qemu_coroutine_self(),
    };
    int ret;

    CHECKF(qemu_in_coroutine(), "thread_pool_submit_co() outside of "
                                "coroutines");
    thread_pool_enqueue(pool, &wait.item);
    qemu_coroutine_yield();
    ret = thread_pool_item_error(&wait.item);
    return ret < 0 ? ret : wait.ret;
}
