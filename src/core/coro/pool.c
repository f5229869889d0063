/*
 * coro/pool.c - finished coroutines wait here for their next function
 *
 * Two levels.  Each thread has a cache without locks (CACHE_MAX); what it has
 * too much of, or too little, moves in batches to and from a global list per
 * stack class, bounded by pool_max.  Beyond that a coroutine is destroyed and
 * its stack returns to its slab.
 *
 * A pooled coroutine keeps its object (at the top of its stack) and the hot
 * part of the stack; it stands in its first function's loop, ready to go on.
 *
 * Statistics are computed when asked for: created - pooled = in use.
 */
#include "coro/pool.h"

#include "base/check.h"
#include "coro/checkers.h"
#include "coro/stack.h"
#include "coro/switch.h"
#include "qapi/error.h"
#include "qemu/thread.h"

#define CACHE_MAX 256
#define BATCH 32
#define POOL_DEFAULT 2048

/* Every so many uses of a stack the kernel is asked how much it holds. */
#define THOROUGH_EVERY 512

/* Objects start at different cache sets, though all stacks are aligned. */
#define COLOURS 8
#define COLOUR_BYTES 128

typedef struct PoolClass {
    QSLIST_HEAD(, Coroutine) list;
    unsigned count;
    unsigned max;
} PoolClass;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static PoolClass pool[STACK_CLASSES] = {
    {.max = POOL_DEFAULT},
    {.max = 16},
    {.max = 1},
};
static size_t existing; /* objects, in use or pooled; under the lock */
static QLIST_HEAD(, CoroutineThread) threads;

/* ---- objects ------------------------------------------------------------ */

static Coroutine *place_object(const Stack *stack)
{
    size_t colour = (stack->slot % COLOURS) * COLOUR_BYTES;
    char *top = stack->base + stack->size - colour;
    return QEMU_ALIGN_PTR_DOWN((Coroutine *)(top - sizeof(Coroutine)), 64);
}

static Coroutine *new_object(unsigned cls, void (*first)(void *))
{
    Stack stack;
    if (stack_alloc(cls, &stack) < 0) {
        return NULL;
    }
    Coroutine *co = place_object(&stack);
    *co = (Coroutine){
        .stack_class = (uint16_t)cls,
        .canary = stack.canary,
        .stack_base = stack.base,
        .stack_size = stack.size,
        .slab = stack.slab,
    };
    QSIMPLEQ_INIT(&co->co_queue_wakeup);
    checker_add_stack(co);
    co->sp = coro_prepare(co->stack_base, (char *)co, first, co);
    pthread_mutex_lock(&lock);
    existing++;
    pthread_mutex_unlock(&lock);
    return co;
}

static void destroy_object(Coroutine *co)
{
    checker_remove_stack(co);
    stack_free(co->stack_base, co->slab);
}

/* ---- the global lists --------------------------------------------------- */

static Coroutine *take_global(unsigned cls)
{
    PoolClass *p = &pool[cls];
    pthread_mutex_lock(&lock);
    Coroutine *co = QSLIST_FIRST(&p->list);
    if (co) {
        QSLIST_REMOVE_HEAD(&p->list, pool_next);
        p->count--;
    }
    pthread_mutex_unlock(&lock);
    return co;
}

static void give_global(Coroutine *co)
{
    PoolClass *p = &pool[co->stack_class];
    pthread_mutex_lock(&lock);
    bool keep = p->count < p->max;
    if (keep) {
        QSLIST_INSERT_HEAD(&p->list, co, pool_next);
        p->count++;
    } else {
        existing--;
    }
    pthread_mutex_unlock(&lock);
    if (!keep) {
        destroy_object(co);
    }
}

/* ---- the threads' caches ------------------------------------------------ */

static Coroutine *cache_pop(CoroutineThread *thread)
{
    Coroutine *co = QSLIST_FIRST(&thread->cache);
    if (co) {
        QSLIST_REMOVE_HEAD(&thread->cache, pool_next);
        qatomic_set(&thread->cached, thread->cached - 1);
    }
    return co;
}

static void cache_push(CoroutineThread *thread, Coroutine *co)
{
    QSLIST_INSERT_HEAD(&thread->cache, co, pool_next);
    qatomic_set(&thread->cached, thread->cached + 1);
}

static QEMU_NOINLINE void cache_drain(CoroutineThread *thread, unsigned n)
{
    while (n-- > 0) {
        give_global(cache_pop(thread));
    }
}

static QEMU_NOINLINE void cache_fill(CoroutineThread *thread)
{
    PoolClass *p = &pool[STACK_DEFAULT_CLASS];
    pthread_mutex_lock(&lock);
    for (int i = 0; i < BATCH && p->count > 0; i++) {
        Coroutine *co = QSLIST_FIRST(&p->list);
        QSLIST_REMOVE_HEAD(&p->list, pool_next);
        p->count--;
        cache_push(thread, co);
    }
    pthread_mutex_unlock(&lock);
}

void coroutine_pool_add_thread(CoroutineThread *thread)
{
    pthread_mutex_lock(&lock);
    QLIST_INSERT_HEAD(&threads, thread, next);
    pthread_mutex_unlock(&lock);
}

void coroutine_pool_remove_thread(CoroutineThread *thread)
{
    cache_drain(thread, thread->cached);
    pthread_mutex_lock(&lock);
    QLIST_REMOVE(thread, next);
    pthread_mutex_unlock(&lock);
}

/* ---- get and put -------------------------------------------------------- */

static QEMU_NOINLINE Coroutine *get_slow(CoroutineThread *thread, unsigned cls,
                                         void (*first)(void *), Error **errp)
{
    Coroutine *co;
    if (cls == STACK_DEFAULT_CLASS) {
        cache_fill(thread);
        co = cache_pop(thread);
    } else {
        co = take_global(cls);
    }
    if (!co) {
        co = new_object(cls, first);
    }
    if (!co) {
        error_setg(errp,
                   "coroutine: no address space for a C stack of %zu KiB "
                   "(see ulimit -v, vm.overcommit_memory and "
                   "vm.max_map_count)",
                   stack_class_size(cls) >> 10);
    }
    return co;
}

Coroutine *pool_get(CoroutineThread *thread, unsigned cls,
                    void (*first)(void *), Error **errp)
{
    if (likely(cls == STACK_DEFAULT_CLASS)) {
        Coroutine *co = cache_pop(thread);
        if (likely(co)) {
            return co;
        }
    }
    return get_slow(thread, cls, first, errp);
}

/* Of the usual class, when there are enough of them: without a look at its
 * stack, which would make one more page present. */
static QEMU_NOINLINE bool destroy_excess(Coroutine *co)
{
    const PoolClass *p = &pool[STACK_DEFAULT_CLASS];
    pthread_mutex_lock(&lock);
    bool excess = p->count >= p->max;
    existing -= excess;
    pthread_mutex_unlock(&lock);
    if (excess) {
        destroy_object(co);
    }
    return excess;
}

void pool_put(CoroutineThread *thread, Coroutine *co)
{
    if (unlikely(thread->cached >= CACHE_MAX) &&
        co->stack_class == STACK_DEFAULT_CLASS && destroy_excess(co)) {
        return;
    }
    bool thorough = ++co->uses % THOROUGH_EVERY == 0;
    if (unlikely(checker_on_valgrind())) {
        thorough = true;
        checker_recycle_stack(co);
    }
    stack_trim(co->stack_base, co->stack_size, thorough);
    if (unlikely(co->stack_class != STACK_DEFAULT_CLASS)) {
        give_global(co);
        return;
    }
    cache_push(thread, co);
    if (unlikely(thread->cached > CACHE_MAX)) {
        cache_drain(thread, BATCH);
    }
}

/* ---- configuration and statistics --------------------------------------- */

void qemu_coroutine_inc_pool_size(unsigned int additional_pool_size)
{
    PoolClass *p = &pool[STACK_DEFAULT_CLASS];
    pthread_mutex_lock(&lock);
    p->max += MIN(additional_pool_size, UINT_MAX - p->max);
    pthread_mutex_unlock(&lock);
}

void qemu_coroutine_dec_pool_size(unsigned int additional_pool_size)
{
    PoolClass *p = &pool[STACK_DEFAULT_CLASS];
    pthread_mutex_lock(&lock);
    CHECKF(p->max >= additional_pool_size, "coroutine pool of %u lowered by %u",
           p->max, additional_pool_size);
    p->max -= additional_pool_size;
    bool excess = p->count > p->max;
    pthread_mutex_unlock(&lock);
    /* Ends: each round destroys one of a bounded list. */
    while (excess) {
        Coroutine *co = take_global(STACK_DEFAULT_CLASS);
        if (!co) {
            break;
        }
        give_global(co);
        pthread_mutex_lock(&lock);
        excess = p->count > p->max;
        pthread_mutex_unlock(&lock);
    }
}

void aio_co_stack_stats(AioStackStats *stats)
{
    CoroutineThread *thread;
    size_t pooled = 0;
    pthread_mutex_lock(&lock);
    for (int cls = 0; cls < STACK_CLASSES; cls++) {
        pooled += pool[cls].count;
    }
    QLIST_FOREACH(thread, &threads, next) {
        pooled += qatomic_read(&thread->cached);
    }
    stats->mapped = existing;
    stats->in_use = existing - MIN(pooled, existing);
    pthread_mutex_unlock(&lock);
    stats->guard = stack_guard_name();
    stats->switcher = coro_switch_name;
}
