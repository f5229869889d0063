/*
 * coro/thread.c - per-thread state
 *
 * The variable is initial-exec: an addition to reach, also from the shared
 * library and from a dlopen'ed module.  Only coroutine_thread() touches it.
 */
#include "coro/thread.h"

#include <pthread.h>

#include "base/check.h"
#include "coro/checkers.h"

__thread CoroutineThread coroutine_this_thread;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;

static void thread_ends(void *opaque)
{
    CoroutineThread *thread = opaque;
    CHECKF(thread->current == &thread->leader,
           "a thread ends inside of a coroutine");
    coroutine_pool_remove_thread(thread);
    coroutine_fault_remove_thread(thread);
    thread->ready = false;
}

static void make_key(void)
{
    int err = pthread_key_create(&key, thread_ends);
    CHECKF(err == 0, "thread-specific data: %s", strerror(err));
}

/* Costs reading /proc/self/maps in the main thread, so only when needed. */
void coroutine_measure_leader(Coroutine *leader)
{
    pthread_attr_t attr;
    void *base;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        if (pthread_attr_getstack(&attr, &base, &leader->stack_size) == 0) {
            leader->stack_base = base;
        }
        pthread_attr_destroy(&attr);
    }
}

QEMU_NOINLINE CoroutineThread *coroutine_thread_begin(CoroutineThread *thread)
{
    thread->ready = true;
    thread->current = &thread->leader;
    thread->leader.name = "the thread itself";
    QSIMPLEQ_INIT(&thread->leader.co_queue_wakeup);
    QSIMPLEQ_INIT(&thread->woken);
    QSLIST_INIT(&thread->cache);
    checker_adopt_thread(&thread->leader);
    pthread_once(&key_once, make_key);
    pthread_setspecific(key, thread);
    coroutine_pool_add_thread(thread);
    coroutine_fault_add_thread(thread);
    return thread;
}

QEMU_NOINLINE CoroutineThread *coroutine_thread_slow(void)
{
    CoroutineThread *thread = &coroutine_this_thread;
    __asm__ volatile("" : "+r"(thread));
    return thread;
}

AioContext *coroutine_thread_context(void)
{
    return coroutine_thread()->ctx;
}

void coroutine_set_thread_context(AioContext *ctx)
{
    coroutine_thread()->ctx = ctx;
}
