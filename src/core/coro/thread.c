/*
 * coro/thread.c - per-thread state
 *
 * The variable is initial-exec: one instruction to reach, also from the shared
 * library and from a dlopen'ed module.  Only coroutine_thread() touches it, and
 * is never inlined, so that no caller can keep its address over a switch.
 */
#include "coro/thread.h"

#include <pthread.h>

#include "base/check.h"
#include "coro/checkers.h"

static __thread CoroutineThread this_thread
    __attribute__((tls_model("initial-exec")));

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

static QEMU_NOINLINE void thread_begins(CoroutineThread *thread)
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
}

QEMU_NOINLINE CoroutineThread *coroutine_thread(void)
{
    CoroutineThread *thread = &this_thread;
    /* Hides from the compiler that the answer may be the same again. */
    __asm__ volatile("" : "+r"(thread));
    if (unlikely(!thread->ready)) {
        thread_begins(thread);
    }
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
