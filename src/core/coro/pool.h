/*
 * coro/pool.h - coroutine objects with their stacks, reused
 */
#ifndef AIOCTL_CORO_POOL_H
#define AIOCTL_CORO_POOL_H

#include "coro/thread.h"

/* @first is what a new stack runs; it must never return. */
Coroutine *pool_get(CoroutineThread *thread, unsigned cls,
                    void (*first)(void *), Error **errp);

/* @co has ended, and nobody stands on its stack. */
void pool_put(CoroutineThread *thread, Coroutine *co);

#endif
