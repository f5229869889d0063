/*
 * block/thread-pool.h - blocking functions off the loop
 *
 * One pool per AioContext (aio_get_thread_pool() makes it when first asked).
 * Work is handed out in FIFO order to at most thread_pool_max threads; each
 * result comes back as one callback in the home thread of the context.
 *
 * All functions but thread_pool_update_params() are for the home thread; none
 * of them blocks except thread_pool_free().
 */
#ifndef QEMU_THREAD_POOL_H
#define QEMU_THREAD_POOL_H

#include "aioctl/decls.h"
#include "block/aio.h"

AIOCTL_BEGIN_DECLS

/* Runs in a worker thread with all signals blocked; returns the result. */
typedef int ThreadPoolFunc(void *opaque);

typedef struct ThreadPool ThreadPool;

/*
 * thread_pool_new: a pool of its own, beside the context's (NULL: the context
 * of the main loop).  Takes the limits from the context's parameters.
 */
ThreadPool *thread_pool_new(struct AioContext *ctx);

/*
 * thread_pool_free: end all threads of @pool and release it (NULL: nothing)
 *
 * Waits until every worker has left.  No work may be queued or running.
 */
void thread_pool_free(ThreadPool *pool);

/*
 * thread_pool_submit_aio: run @func(@arg) in a worker
 * @cb: called in the home thread with @opaque and func's result; NULL: nobody
 *      wants to know
 *
 * Returns: a handle, valid until @cb returns, for bdrv_aio_cancel_async():
 * work that no thread has taken yet ends with -ECANCELED, work that runs ends
 * normally, and with -EAGAIN when the pool has no thread and none can be
 * started.  In any case @cb is called exactly once.
 */
BlockAIOCB *thread_pool_submit_aio(ThreadPool *pool, ThreadPoolFunc *func,
                                   void *arg, BlockCompletionFunc *cb,
                                   void *opaque);

/* thread_pool_submit_co: the same; parks the calling coroutine, which resumes
 * in the context it was in.  Returns func's result. */
int coroutine_fn thread_pool_submit_co(ThreadPool *pool, ThreadPoolFunc *func,
                                       void *arg);

/* thread_pool_submit: fire and forget. */
void thread_pool_submit(ThreadPool *pool, ThreadPoolFunc *func, void *arg);

/*
 * thread_pool_update_params: take over min and max from @ctx
 *
 * More threads than max leave as they finish what they run; fewer than min are
 * started.  Work in flight is not disturbed.
 */
void thread_pool_update_params(ThreadPool *pool, struct AioContext *ctx);

AIOCTL_END_DECLS
#endif
