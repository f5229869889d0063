/*
 * thread_pool_queue.h - the work that waits, oldest first
 *
 * The lock is held; but queue_head is also looked at without it, by a worker
 * that spins.
 */
#ifndef ENGINE_THREAD_POOL_QUEUE_H
#define ENGINE_THREAD_POOL_QUEUE_H

#include "engine/thread_pool_int.h"
#include "qemu/atomic.h"

static inline void queue_push(ThreadPool *pool, ThreadPoolItem *item)
{
    item->next = NULL;
    item->prev = pool->queue_tail;
    if (pool->queue_tail) {
        pool->queue_tail->next = item;
    } else {
        qatomic_set(&pool->queue_head, item);
    }
    pool->queue_tail = item;
}

static inline void queue_remove(ThreadPool *pool, ThreadPoolItem *item)
{
    if (item->prev) {
        item->prev->next = item->next;
    } else {
        qatomic_set(&pool->queue_head, item->next);
    }
    if (item->next) {
        item->next->prev = item->prev;
    } else {
        pool->queue_tail = item->prev;
    }
    item->next = item->prev = NULL;
}

static inline ThreadPoolItem *queue_pop(ThreadPool *pool)
{
    ThreadPoolItem *item = pool->queue_head;

    if (item) {
        queue_remove(pool, item);
    }
    return item;
}

#endif
