/*
 * thread_pool_int.h - a pool's fields, for the files that make it up
 *
 * thread_pool.c runs the workers, thread_pool_done.c brings results home,
 * thread_pool_spin.c looks for either before sleeping, thread_pool_aiocb.c is
 * the public interface over all.
 */
#ifndef ENGINE_THREAD_POOL_INT_H
#define ENGINE_THREAD_POOL_INT_H

#include <pthread.h>

#include "engine/thread_pool.h"
#include "qemu/thread.h"

typedef struct Worker Worker;

/* About what a sleep and its wake-up take: of a worker that waits for a loop
 * which is woken itself; of the loop alone. */
enum { WORKER_SPIN_MAX_NS = 50000, LOOP_SPIN_MAX_NS = 20000 };

typedef struct Spin {
    int64_t ns; /* how long to look; 0: not at all */
    int64_t max_ns;
} Spin;

struct Worker {
    ThreadPool *pool;
    pthread_t thread;
    QemuCond wake;
    bool woken;        /* lock: taken off the idle list by somebody */
    Worker *next_idle; /* lock: in one of idle, left, spare */
    Worker *next_all;  /* lock */
};

struct ThreadPool {
    AioContext *ctx;

    /* Protected by lock. */
    QemuMutex lock;
    QemuCond someone_left;
    ThreadPoolItem *queue_head, *queue_tail;
    Worker *idle;  /* most recently used first */
    Worker *left;  /* their threads have ended, or are about to */
    Worker *spare; /* they have none, and nobody to join */
    Worker *all;
    int threads, min, max;
    bool waking;   /* a worker was woken and has not looked yet */
    bool spinning; /* a worker looks for work without the lock */
    Spin worker_spin;
    int64_t woken_ns; /* when the last one was woken */
    bool stopping;

    /* Lock-free: pushed by anyone, emptied by the home thread. */
    ThreadPoolItem *finished;
    int64_t finished_ns; /* atomic: when it was last empty before a push */

    /* Home thread only. */
    QEMUBH *bh;
    ThreadPoolItem *done, **done_tail; /* finished, in order */
    unsigned done_count;
    unsigned fork_count; /* when the threads were ours */
    unsigned in_flight;
    unsigned completing; /* nesting depth of the completion pass */
    Spin loop_spin;
    int64_t expect_since_ns; /* the loop looks for results since; or 0 */
};

/* thread_pool_done.c; any thread. */
void thread_pool_push_done(ThreadPool *pool, ThreadPoolItem *item);
void thread_pool_complete_bh(void *opaque);
/* Aborts, naming what is queued, unless all work has called back. */
void thread_pool_check_idle(ThreadPool *pool);

/* thread_pool_spin.c */
void spin_learn(Spin *spin, int64_t idle_ns);
/* A worker that is idle since @since_ns, with the lock, which is released
 * meanwhile: is there work? */
bool pool_spin(ThreadPool *pool, int64_t since_ns);
/* Home thread: it may wait for results; they have come. */
void pool_expect(ThreadPool *pool);
void pool_expected(ThreadPool *pool);

/* thread_pool_aiocb.c, for reports: the function that @item runs. */
const char *thread_pool_item_name(const ThreadPoolItem *item);

#endif
