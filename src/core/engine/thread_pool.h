/*
 * thread_pool.h - the pool as the file engine sees it: items, not AIOCBs
 *
 * A ThreadPoolItem is part of the caller's own memory, so queueing work
 * allocates nothing.  run() is called in a worker, then complete() in the home
 * thread; a cancelled item gets complete() only.
 */
#ifndef ENGINE_THREAD_POOL_H
#define ENGINE_THREAD_POOL_H

#include "block/thread-pool.h"

typedef struct ThreadPoolItem ThreadPoolItem;

typedef enum ThreadPoolState {
    POOL_ITEM_QUEUED,
    POOL_ITEM_RUNNING,   /* or has run: only complete() may tell */
    POOL_ITEM_CANCELLED, /* never ran and never will */
    POOL_ITEM_FAILED,    /* never ran: no thread could be started */
} ThreadPoolState;

struct ThreadPoolItem {
    ThreadPoolItem *next; /* in the queue, then in the list of finished ones */
    ThreadPoolItem *prev;
    void (*run)(ThreadPoolItem *item);
    void (*complete)(ThreadPoolItem *item);
    int state; /* under the pool's lock until complete() */
};

/* Home thread only. */
void thread_pool_enqueue(ThreadPool *pool, ThreadPoolItem *item);

/* True when @item was still queued; complete() then sees CANCELLED. */
bool thread_pool_cancel(ThreadPool *pool, ThreadPoolItem *item);

/* The result of an item that did not run, 0 for one that did. */
int thread_pool_item_error(const ThreadPoolItem *item);

/* Before the context waits: results left by an outer, interrupted completion
 * pass are seen by a nested aio_poll(). */
void thread_pool_before_wait(ThreadPool *pool);

#endif
