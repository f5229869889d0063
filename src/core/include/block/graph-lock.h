/*
 * block/graph-lock.h - the lock of the graph of block nodes
 *
 * Coroutines of any thread read the graph; the thread of the main loop changes
 * it, when nobody reads.  Every AioContext counts its readers by itself, so
 * that reading touches no cache line of another thread.
 *
 * A reader may go on in another context and unlock there.  The thread of the
 * main loop, outside of coroutines, reads without taking anything: nobody else
 * ever writes.
 */
#ifndef GRAPH_LOCK_H
#define GRAPH_LOCK_H

#include "qemu/osdep.h"

typedef struct BdrvGraphRWlock BdrvGraphRWlock;

/* What a function expects of its caller; documentation. */
#define GRAPH_WRLOCK
#define GRAPH_RDLOCK
#define GRAPH_RDLOCK_PTR
#define GRAPH_WRLOCK_PTR
#define GRAPH_UNLOCKED

AIOCTL_BEGIN_DECLS

/* Prepares @ctx for readers, and undoes that, keeping count of readers that
 * have left it.  Done without asking; again: nothing.  Home thread. */
void register_aiocontext(AioContext *ctx);
void unregister_aiocontext(AioContext *ctx);

/*
 * bdrv_graph_wrlock: wait until nobody reads, and keep new readers waiting
 *
 * Thread of the main loop, outside of coroutines; runs the main context
 * meanwhile.  While it waits, readers come and go: it ends when there is a
 * moment without any.  So the caller stops the sources of requests first; those
 * that are external handlers are disabled here until bdrv_graph_wrunlock(), in
 * all contexts that have ever read.
 */
void bdrv_graph_wrlock(void);
void bdrv_graph_wrunlock(void);

/*
 * bdrv_graph_co_rdlock: read from here on; waits while somebody writes
 *
 * Coroutines of a thread with a context.  May be nested.
 */
void coroutine_fn bdrv_graph_co_rdlock(void);
void coroutine_fn bdrv_graph_co_rdunlock(void);

/* The same for the thread of the main loop, outside of coroutines.  Only
 * checks that. */
void bdrv_graph_rdlock_main_loop(void);
void bdrv_graph_rdunlock_main_loop(void);

/* Abort when the graph may not be read (somebody does, or this is the main
 * thread), or not be written.  The first is costly. */
void assert_bdrv_graph_readable(void);
void assert_bdrv_graph_writable(void);

AIOCTL_END_DECLS

/* ---- for a scope -------------------------------------------------------- */

typedef struct GraphLockable {
    bool held;
} GraphLockable;
typedef GraphLockable GraphLockableMainloop;

static inline GraphLockable graph_lockable_auto_lock(void)
{
    GraphLockable guard = {true};
    bdrv_graph_co_rdlock();
    return guard;
}

static inline void graph_lockable_auto_unlock(GraphLockable *guard)
{
    if (guard->held) {
        bdrv_graph_co_rdunlock();
        guard->held = false;
    }
}

static inline GraphLockableMainloop graph_lockable_auto_lock_mainloop(void)
{
    GraphLockableMainloop guard = {true};
    bdrv_graph_rdlock_main_loop();
    return guard;
}

static inline void
graph_lockable_auto_unlock_mainloop(GraphLockableMainloop *guard)
{
    bdrv_graph_rdunlock_main_loop();
    guard->held = false;
}

/* Until the end of the enclosing block. */
#define GRAPH_RDLOCK_GUARD()                                                   \
    __attribute__((unused, cleanup(graph_lockable_auto_unlock))) GraphLockable \
    glue(graph_lockable_auto, __COUNTER__) = graph_lockable_auto_lock()
#define GRAPH_RDLOCK_GUARD_MAINLOOP()                                     \
    __attribute__((unused, cleanup(graph_lockable_auto_unlock_mainloop))) \
    GraphLockableMainloop                                                 \
    glue(graph_lockable_auto, __COUNTER__) =                              \
        graph_lockable_auto_lock_mainloop()

/* For the statements that follow; return, break and goto unlock, too. */
#define WITH_GRAPH_RDLOCK_GUARD_(var)                         \
    for (__attribute__((cleanup(graph_lockable_auto_unlock))) \
         GraphLockable var = graph_lockable_auto_lock();      \
         var.held; graph_lockable_auto_unlock(&var))
#define WITH_GRAPH_RDLOCK_GUARD() \
    WITH_GRAPH_RDLOCK_GUARD_(glue(graph_lockable_auto, __COUNTER__))

#endif
