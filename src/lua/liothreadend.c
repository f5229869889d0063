/*
 * liothreadend.c - how a thread is closed, from the owner's side
 *
 * Closing asks the thread to end and waits: a task parks, a callback leaves
 * that to a task, the collector blocks, with a limit, for the thread might
 * never come back from somebody's C code.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "liothread.h"

#define JOIN_NS (4 * CLOCK_NS_PER_S)   /* a VM gives up on its tasks sooner */
#define KICK_NS (50 * CLOCK_NS_PER_MS) /* between two interruptions */

void thread_set_counted(Thread *t, bool counted)
{
    uint64_t *refd = &t->owner->vm->priv->iothreads_refd;

    *refd += (uint64_t)counted - (uint64_t)t->counted;
    t->counted = counted;
}

/* The thread has said that it is over. */
void thread_over(PortNode *node)
{
    Thread *t = (Thread *)((char *)node - offsetof(Thread, over));

    t->ended = true;
    thread_set_counted(t, false);
    waitq_wake_all(&t->closers);
    thread_unref(t);
}

static void thread_end(Thread *t)
{
    if (t->closing) {
        return;
    }
    t->closing = true;
    thread_ref(t);
    if (port_post(t->port, &t->close) != PORT_POSTED) {
        thread_unref(t); /* it has ended by itself */
    } else {
        thread_kick(t);
    }
}

/* Blocks; false when it does not come back. */
static bool wait_done(Thread *t)
{
    int64_t now = clock_realtime_ns(), until = now + JOIN_NS;

    pthread_mutex_lock(&t->lock);
    while (!t->done && now < until) {
        struct timespec next = clock_timespec(now + KICK_NS);

        pthread_cond_timedwait(&t->done_cond, &t->lock, &next);
        now = clock_realtime_ns();
        thread_kick(t); /* what spins may have begun after the last one */
    }
    bool done = t->done;
    pthread_mutex_unlock(&t->lock);
    return done;
}

void thread_join(Thread *t)
{
    if (t->iothread && !t->stuck) {
        iothread_destroy(t->iothread);
        t->iothread = NULL;
    }
}

static void forget(IOThreadHandle *h)
{
    LuaVMPrivate *priv = h->object.vm->priv;

    thread_set_counted(h->thread, false);
    *(h->prev ? &h->prev->next : &priv->iothreads) = h->next;
    if (h->next) {
        h->next->prev = h->prev;
    }
    h->thread = NULL;
}

/* Without a task.  A thread that does not end is left behind, with all that it
 * might use. */
static void close_blocking(IOThreadHandle *h)
{
    Thread *t = h->thread;

    thread_end(t);
    forget(h);
    if (wait_done(t)) {
        thread_join(t);
        thread_unref(t);
    }
}

static void close_parking(IOThreadHandle *h, LuaTask *task)
{
    Thread *t = thread_ref(h->thread);
    Waiter w;

    thread_end(t);
    while (!t->ended) {
        w = (Waiter){0};
        task->deaf = true; /* as for I/O: it is over when it is over */
        if (waitq_wait(&t->closers, &w, task, task_deadline(KICK_NS)) ==
            PARK_TIMEOUT) {
            thread_kick(t);
        }
        task->deaf = false;
    }
    if (h->thread) { /* the first closer to wake */
        forget(h);
        thread_join(t);
        thread_unref(t);
    }
    thread_unref(t);
}

/* Body of a task: iothread. */
static int close_body(lua_State *L)
{
    IOThreadHandle *h = lua_touserdata(L, 1);

    if (h->thread) {
        close_parking(h, task_on_this_stack());
    }
    return 0;
}

/* From a callback: it goes on, and a task waits for the thread's end. */
static void close_later(lua_State *L, IOThreadHandle *h)
{
    if (!h->thread->closing) {
        lua_pushcfunction(L, close_body);
        lua_pushvalue(L, 1);
        task_spawn(L, h->object.vm, 1)->must_run = true;
        thread_end(h->thread);
    }
}

/* Not in finalizers, nor when the program ends: then nobody runs tasks. */
static bool may_close_later(lua_State *L, const LuaVM *vm)
{
    return vm->callback && !vm->exiting && !vm->priv->closed &&
           lua_gc(L, LUA_GCCOUNT, 0) >= 0;
}

/**
 * thread:close()
 *
 * Cancels what runs there, also Lua code that spins, and waits for the
 * thread's end. Parks; a callback goes on. May be called twice. A thread that
 * is collected is closed, but calls in flight keep it.
 */
int iothread_close(lua_State *L)
{
    IOThreadHandle *h = alua_check(L, 1, &iothread_class);

    if (!h->thread) {
        return 0;
    }
    if (task_may_park(L)) {
        close_parking(h, h->object.vm->current);
    } else if (may_close_later(L, h->object.vm)) {
        close_later(L, h);
    } else {
        close_blocking(h);
    }
    return 0;
}

int iothread_gc(lua_State *L)
{
    IOThreadHandle *h = lua_touserdata(L, 1);

    if (h->thread) {
        lua_warning(L, "aio.iothread collected while open: ", 1);
        lua_warning(L, h->thread->name, 0);
        close_blocking(h);
    }
    return 0;
}

void iothread_end_all(LuaVM *vm)
{
    for (IOThreadHandle *h = vm->priv->iothreads; h; h = h->next) {
        thread_end(h->thread);
    }
}

void iothread_join_all(LuaVM *vm)
{
    while (vm->priv->iothreads) {
        close_blocking(vm->priv->iothreads);
    }
}
