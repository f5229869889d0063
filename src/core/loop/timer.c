/*
 * timer.c - timers and lists of them
 *
 * A list is a heap under a spin lock: its critical sections are a few dozen
 * instructions, and arming a timer is too frequent for a mutex.  The first
 * deadline is also kept outside (head_key), so that a loop without due timers
 * neither locks nor, when there are none at all, reads the clock.
 *
 * A pass reads the clock once and runs what is due by then.  A timer that is
 * armed during the pass for a time that has come already is queued one
 * nanosecond after the pass's time: it runs in the next pass, and cannot keep
 * the others, or the rest of the tick, from running.
 *
 * The lock is acquired by an exchange, which pairs with the store that releases
 * it.
 *
 * Rule: a timer is in its list's heap exactly while expire_time is not -1; both
 * change together under the list's lock.
 */
#include <sched.h>

#include "base/clock.h"
#include "base/symbol.h"
#include "loop/context.h"
#include "loop/timerlist.h"
#include "qemu/atomic.h"

/* ---- the lock ----------------------------------------------------------- */

static void lock_slow(QEMUTimerList *list)
{
    enum { SPINS = 100 };

    do {
        for (int i = 0; i < SPINS && qatomic_read(&list->locked); i++) {
            cpu_relax();
        }
        if (qatomic_read(&list->locked)) {
            sched_yield(); /* the holder lost its processor */
        }
    } while (__atomic_exchange_n(&list->locked, true, __ATOMIC_ACQUIRE));
}

static inline void list_lock(QEMUTimerList *list)
{
    if (unlikely(__atomic_exchange_n(&list->locked, true, __ATOMIC_ACQUIRE))) {
        lock_slow(list);
    }
}

static inline void list_unlock(QEMUTimerList *list)
{
    __atomic_store_n(&list->locked, false, __ATOMIC_RELEASE);
}

/* ---- the head ----------------------------------------------------------- */

/* Lock held.  True when the first deadline has become sooner. */
static bool publish_head(QEMUTimerList *list)
{
    int64_t old = list->head_key;
    int64_t key = list->heap.count ? list->heap.entries[0].key : INT64_MAX;

    if (key != old) {
        qatomic_set_i64(&list->head_key, key);
    }
    return key < old;
}

bool timerlist_has_timers(QEMUTimerList *list)
{
    return qatomic_read_i64(&list->head_key) != INT64_MAX;
}

bool timerlist_expired(QEMUTimerList *list)
{
    int64_t key = qatomic_read_i64(&list->head_key);

    return key != INT64_MAX && key <= qemu_clock_get_ns(list->clock);
}

int64_t timerlist_deadline_ns(QEMUTimerList *list)
{
    int64_t key = qatomic_read_i64(&list->head_key);

    if (key == INT64_MAX || !clock_is_enabled(list->clock)) {
        return -1;
    }
    return MAX(0, key - qemu_clock_get_ns(list->clock));
}

QEMUClockType timerlist_get_clock(QEMUTimerList *list)
{
    return list->clock;
}

void timerlist_notify(QEMUTimerList *list)
{
    if (list->notify_cb) {
        list->notify_cb(list->notify_opaque, list->clock);
    }
}

int64_t timerlist_first_with(QEMUTimerList *list, int mask)
{
    int64_t first = INT64_MAX;

    list_lock(list);
    for (uint32_t i = 0; i < list->heap.count; i++) {
        const TimerHeapEntry *entry = &list->heap.entries[i];

        if ((entry->timer->attributes & ~mask) == 0) {
            first = MIN(first, entry->key);
        }
    }
    list_unlock(list);
    return first;
}

/* ---- creating and freeing lists ----------------------------------------- */

QEMUTimerList *timerlist_new(QEMUClockType type, QEMUTimerListNotifyCB *cb,
                             void *opaque)
{
    QEMUTimerList *list = check_calloc(1, sizeof(*list));

    list->clock = type;
    list->head_key = INT64_MAX;
    list->refcnt = 1;
    list->notify_cb = cb;
    list->notify_opaque = opaque;
    qemu_event_init(&list->idle, true);
    clock_add_list(list);
    return list;
}

void timerlist_unref(QEMUTimerList *list)
{
    if (qatomic_fetch_dec(&list->refcnt) == 1) {
        timerheap_free(&list->heap);
        qemu_event_destroy(&list->idle);
        free(list);
    }
}

static const char *callback_name(const QEMUTimer *timer)
{
    return symbol_name((const void *)(uintptr_t)timer->cb);
}

static void abort_over_pending(QEMUTimerList *list)
{
    const QEMUTimer *timer = list->heap.entries[0].timer;

    check_failedf(__FILE__, __LINE__, "list->heap.count == 0",
                  "%u timers still pending in a context that is being "
                  "destroyed, the first with callback %s, opaque %p, made at "
                  "%s; timer_del() them first",
                  list->heap.count, callback_name(timer), timer->opaque,
                  symbol_name(timer->creator));
}

void timerlist_free(QEMUTimerList *list)
{
    if (list->heap.count) {
        abort_over_pending(list);
    }
    clock_remove_list(list);
    timerlist_unref(list);
}

/* ---- timers ------------------------------------------------------------- */

void timer_init_full(QEMUTimer *ts, QEMUTimerListGroup *timer_list_group,
                     QEMUClockType type, int scale, int attributes,
                     QEMUTimerCB *cb, void *opaque)
{
    CHECKF(type >= 0 && type < QEMU_CLOCK_MAX,
           "a timer of the unknown clock %d, with callback %s", (int)type,
           symbol_name((const void *)(uintptr_t)cb));
    CHECKF(scale > 0, "a timer with a scale of %d ns, with callback %s", scale,
           symbol_name((const void *)(uintptr_t)cb));
    if (!timer_list_group) {
        timer_list_group = timer_main_group();
    }
    *ts = (QEMUTimer){
        .expire_time = -1,
        .timer_list = timer_list_group->tl[type],
        .cb = cb,
        .opaque = opaque,
        .scale = scale,
        .attributes = attributes,
        .creator = CALLER_ADDRESS,
    };
}

void timer_deinit(QEMUTimer *ts)
{
    CHECKF(!timer_pending(ts),
           "timer_deinit() of a pending timer, callback %s, made at %s; "
           "timer_del() it first",
           callback_name(ts), symbol_name(ts->creator));
    ts->timer_list = NULL;
}

static void set_expire_time(QEMUTimer *ts, int64_t expire_ns)
{
    qatomic_set_i64(&ts->expire_time, expire_ns);
}

void timer_del(QEMUTimer *ts)
{
    QEMUTimerList *list = ts->timer_list;

    if (!list) {
        return;
    }
    list_lock(list);
    if (ts->expire_time != -1) {
        timerheap_remove(&list->heap, ts);
        set_expire_time(ts, -1);
        publish_head(list);
    }
    list_unlock(list);
}

/* Lock held.  True when the loop has to be told. */
static bool arm(QEMUTimerList *list, QEMUTimer *ts, int64_t expire_ns)
{
    bool pending = ts->expire_time != -1;

    expire_ns = MAX(expire_ns, 0);
    int64_t key = MAX(expire_ns, list->earliest_key);

    set_expire_time(ts, expire_ns);
    ts->sequence = ++list->last_sequence;
    if (pending) {
        timerheap_move(&list->heap, ts, key);
    } else {
        timerheap_insert(&list->heap, ts, key);
    }
    DCHECK(timerheap_is_ordered(&list->heap));
    return publish_head(list);
}

static QEMUTimerList *list_of(const QEMUTimer *ts)
{
    CHECKF(ts->timer_list,
           "a timer is armed before timer_init() or after timer_deinit()");
    return ts->timer_list;
}

/* Drops the lock; from then on the timer may fire, and what it calls may end a
 * context of another thread: not while there are visitors. */
static void unlock_and_tell(QEMUTimerList *list, bool sooner)
{
    bool visits = sooner && list->ctx && !context_is_home(list->ctx);
    AioContext *ctx = visits ? list->ctx : NULL;

    if (ctx) {
        context_visit(ctx);
    }
    list_unlock(list);
    if (sooner) {
        timerlist_notify(list);
    }
    if (ctx) {
        context_end_visit(ctx);
    }
}

void timer_mod_ns(QEMUTimer *ts, int64_t expire_time)
{
    QEMUTimerList *list = list_of(ts);

    list_lock(list);
    unlock_and_tell(list, arm(list, ts, expire_time));
}

void timer_mod_anticipate_ns(QEMUTimer *ts, int64_t expire_time)
{
    QEMUTimerList *list = list_of(ts);
    bool sooner = false;

    list_lock(list);
    if (ts->expire_time == -1 || ts->expire_time > expire_time) {
        sooner = arm(list, ts, expire_time);
    }
    unlock_and_tell(list, sooner);
}

/* In nanoseconds, saturating: "never" times a million is never. */
static int64_t scaled(const QEMUTimer *ts, int64_t time)
{
    int64_t ns;

    if (__builtin_mul_overflow(time, (int64_t)ts->scale, &ns)) {
        return time < 0 ? 0 : INT64_MAX - 1;
    }
    return ns;
}

void timer_mod(QEMUTimer *ts, int64_t expire_time)
{
    timer_mod_ns(ts, scaled(ts, expire_time));
}

void timer_mod_anticipate(QEMUTimer *ts, int64_t expire_time)
{
    timer_mod_anticipate_ns(ts, scaled(ts, expire_time));
}

bool timer_pending(QEMUTimer *ts)
{
    return qatomic_read_i64(&ts->expire_time) >= 0;
}

bool timer_expired(QEMUTimer *ts, int64_t current_time)
{
    int64_t expire_ns = qatomic_read_i64(&ts->expire_time);

    return expire_ns >= 0 && expire_ns <= scaled(ts, current_time);
}

uint64_t timer_expire_time_ns(QEMUTimer *ts)
{
    return (uint64_t)qatomic_read_i64(&ts->expire_time);
}

/* ---- running ------------------------------------------------------------ */

/* Store of running, then load of "disabled" in run_due(): pairs with store of
 * "disabled", then load of running in qemu_clock_enable().  All of them are
 * sequentially consistent, so one sees the other. */
static void run_begin(QEMUTimerList *list)
{
    unsigned running = qatomic_read(&list->running);

    if (!running) {
        qatomic_set(&list->runner, pthread_self());
        qemu_event_reset(&list->idle);
    }
    __atomic_store_n(&list->running, running + 1, __ATOMIC_SEQ_CST);
}

static void run_end(QEMUTimerList *list)
{
    unsigned running = qatomic_read(&list->running) - 1;

    /* Pairs with timerlist_is_running_elsewhere(): what callbacks did is seen
     * by who finds them done. */
    qatomic_store_release(&list->running, running);
    if (!running) {
        qemu_event_set(&list->idle);
    }
}

bool timerlist_is_running_elsewhere(QEMUTimerList *list)
{
    return __atomic_load_n(&list->running, __ATOMIC_SEQ_CST) &&
           !pthread_equal(qatomic_read(&list->runner), pthread_self());
}

/* Takes the first timer off if it is due at @now.  Lock held. */
static QEMUTimer *take_due(QEMUTimerList *list, int64_t now)
{
    if (!list->heap.count || list->heap.entries[0].key > now) {
        return NULL;
    }
    QEMUTimer *ts = list->heap.entries[0].timer;
    timerheap_remove(&list->heap, ts);
    set_expire_time(ts, -1);
    publish_head(list);
    if (list->heap.count) { /* most likely the next, and far away */
        __builtin_prefetch(list->heap.entries[0].timer);
    }
    return ts;
}

static uint64_t run_due(QEMUTimerList *list, int64_t now)
{
    uint64_t count = 0;
    QEMUTimer *ts;

    list_lock(list);
    int64_t outer_key = list->earliest_key;
    list->earliest_key = MAX(outer_key, now + 1);
    /* Ends: what is armed from now on has a key after @now. */
    while (clock_is_enabled(list->clock) && (ts = take_due(list, now))) {
        QEMUTimerCB *cb = ts->cb;
        void *opaque = ts->opaque;

        list_unlock(list);
        cb(opaque); /* may free the timer */
        count++;
        list_lock(list);
    }
    list->earliest_key = outer_key;
    list_unlock(list);
    return count;
}

uint64_t timerlist_run(QEMUTimerList *list)
{
    uint64_t count = 0;
    int64_t key = qatomic_read_i64(&list->head_key);

    if (likely(key == INT64_MAX)) {
        return 0;
    }
    int64_t now = qemu_clock_get_ns(list->clock);
    if (key > now || !clock_is_enabled(list->clock)) {
        return 0; /* of a stopped clock, no list begins to run */
    }
    run_begin(list);
    count = run_due(list, now);
    run_end(list);
    return count;
}

bool timerlist_run_timers(QEMUTimerList *list)
{
    return timerlist_run(list) > 0;
}
