/*
 * clocks.c - the four clocks, which can be stopped, and groups of timer lists
 *
 * Stopping a clock stops its timers, in all contexts; the time it shows goes
 * on. Each clock knows its lists, under one lock that is never held during a
 * callback: qemu_clock_enable() takes a reference to a list, lets go of the
 * lock, and only then waits for the list's callbacks to return.
 */
#include <errno.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/symbol.h"
#include "loop/timerlist.h"
#include "qemu/atomic.h"

typedef struct Clock {
    bool disabled;                     /* atomic */
    QLIST_HEAD(, QEMUTimerList) lists; /* clocks_lock */
} Clock;

static Clock clocks[QEMU_CLOCK_MAX];
static pthread_mutex_t clocks_lock = PTHREAD_MUTEX_INITIALIZER;

static void lock_clocks(void)
{
    CHECK(pthread_mutex_lock(&clocks_lock) == 0);
}

static void unlock_clocks(void)
{
    CHECK(pthread_mutex_unlock(&clocks_lock) == 0);
}

void init_clocks(QEMUTimerListNotifyCB *notify_cb)
{
    int ret = prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);

    CHECKF(ret == 0, "PR_SET_TIMERSLACK: %s", strerror(errno));
}

/* Pairs with the exchange in qemu_clock_enable(): see timer.c, run_begin(). */
bool clock_is_enabled(QEMUClockType type)
{
    return !__atomic_load_n(&clocks[type].disabled, __ATOMIC_SEQ_CST);
}

void clock_add_list(QEMUTimerList *list)
{
    lock_clocks();
    QLIST_INSERT_HEAD(&clocks[list->clock].lists, list, next);
    unlock_clocks();
}

void clock_remove_list(QEMUTimerList *list)
{
    lock_clocks();
    QLIST_REMOVE(list, next);
    unlock_clocks();
}

/* ---- time --------------------------------------------------------------- */

int64_t get_clock(void)
{
    return clock_monotonic_ns();
}

int64_t get_clock_realtime(void)
{
    return clock_realtime_ns();
}

int64_t qemu_clock_get_ns(QEMUClockType type)
{
    return type == QEMU_CLOCK_HOST ? clock_realtime_ns() : clock_monotonic_ns();
}

int64_t qemu_clock_get_us(QEMUClockType type)
{
    return qemu_clock_get_ns(type) / SCALE_US;
}

int64_t qemu_clock_get_ms(QEMUClockType type)
{
    return qemu_clock_get_ns(type) / SCALE_MS;
}

int64_t qemu_soonest_timeout(int64_t timeout1, int64_t timeout2)
{
    /* As unsigned numbers, -1 is later than any other. */
    return (int64_t)MIN((uint64_t)timeout1, (uint64_t)timeout2);
}

int qemu_timeout_ns_to_ms(int64_t ns)
{
    if (ns < 0) {
        return -1;
    }
    /* Up, so that the deadline has come when the wait is over. */
    int64_t ms = ns / SCALE_MS + (ns % SCALE_MS != 0);
    return (int)MIN(ms, (int64_t)INT32_MAX);
}

/* ---- all lists of a clock ----------------------------------------------- */

void qemu_clock_notify(QEMUClockType type)
{
    QEMUTimerList *list;

    lock_clocks();
    QLIST_FOREACH(list, &clocks[type].lists, next) {
        timerlist_notify(list);
    }
    unlock_clocks();
}

/* Fills @busy with referenced lists whose callbacks another thread runs. */
static size_t collect_busy(QEMUClockType type, QEMUTimerList **busy, size_t max)
{
    size_t count = 0;
    QEMUTimerList *list;

    lock_clocks();
    QLIST_FOREACH(list, &clocks[type].lists, next) {
        if (count < max && timerlist_is_running_elsewhere(list)) {
            qatomic_inc(&list->refcnt);
            busy[count++] = list;
        }
    }
    unlock_clocks();
    return count;
}

static void wait_for_callbacks(QEMUClockType type)
{
    enum { BATCH = 16 };
    QEMUTimerList *busy[BATCH];
    size_t count;

    /* Ends: with the clock disabled no list begins to run again. */
    while ((count = collect_busy(type, busy, BATCH)) > 0) {
        for (size_t i = 0; i < count; i++) {
            qemu_event_wait(&busy[i]->idle);
            timerlist_unref(busy[i]);
        }
    }
}

void qemu_clock_enable(QEMUClockType type, bool enabled)
{
    bool was_disabled =
        __atomic_exchange_n(&clocks[type].disabled, !enabled, __ATOMIC_SEQ_CST);

    if (enabled && was_disabled) {
        qemu_clock_notify(type);
    } else if (!enabled && !was_disabled) {
        wait_for_callbacks(type);
    }
}

bool qemu_clock_use_for_deadline(QEMUClockType type)
{
    return true;
}

bool qemu_clock_has_timers(QEMUClockType type)
{
    bool found = false;
    QEMUTimerList *list;

    lock_clocks();
    QLIST_FOREACH(list, &clocks[type].lists, next) {
        found |= timerlist_has_timers(list);
    }
    unlock_clocks();
    return found;
}

bool qemu_clock_expired(QEMUClockType type)
{
    bool found = false;
    QEMUTimerList *list;

    lock_clocks();
    QLIST_FOREACH(list, &clocks[type].lists, next) {
        found |= timerlist_expired(list);
    }
    unlock_clocks();
    return found;
}

int64_t qemu_clock_deadline_ns_all(QEMUClockType type, int attr_mask)
{
    int64_t deadline = -1;
    QEMUTimerList *list;

    if (!clock_is_enabled(type)) {
        return -1;
    }
    int64_t now = qemu_clock_get_ns(type);
    lock_clocks();
    QLIST_FOREACH(list, &clocks[type].lists, next) {
        int64_t key = timerlist_first_with(list, attr_mask);

        if (key != INT64_MAX) {
            deadline = qemu_soonest_timeout(deadline, MAX(0, key - now));
        }
    }
    unlock_clocks();
    return deadline;
}

bool qemu_clock_run_timers(QEMUClockType type)
{
    return timerlist_run_timers(timer_main_group()->tl[type]);
}

bool qemu_clock_run_all_timers(void)
{
    return timerlistgroup_run_timers(timer_main_group());
}

/* ---- groups ------------------------------------------------------------- */

void timerlistgroup_init(QEMUTimerListGroup *tlg, QEMUTimerListNotifyCB *cb,
                         void *opaque)
{
    for (int type = 0; type < QEMU_CLOCK_MAX; type++) {
        tlg->tl[type] = timerlist_new((QEMUClockType)type, cb, opaque);
    }
}

void timerlistgroup_deinit(QEMUTimerListGroup *tlg)
{
    for (int type = 0; type < QEMU_CLOCK_MAX; type++) {
        timerlist_free(tlg->tl[type]);
        tlg->tl[type] = NULL;
    }
}

uint64_t timerlistgroup_run(QEMUTimerListGroup *tlg)
{
    uint64_t count = 0;

    for (int type = 0; type < QEMU_CLOCK_MAX; type++) {
        count += timerlist_run(tlg->tl[type]);
    }
    return count;
}

bool timerlistgroup_expired(QEMUTimerListGroup *tlg)
{
    bool expired = false;

    for (int type = 0; type < QEMU_CLOCK_MAX && !expired; type++) {
        expired = timerlist_expired(tlg->tl[type]);
    }
    return expired;
}

bool timerlistgroup_run_timers(QEMUTimerListGroup *tlg)
{
    return timerlistgroup_run(tlg) > 0;
}

int64_t timerlistgroup_deadline_ns(QEMUTimerListGroup *tlg)
{
    int64_t deadline = -1;

    for (int type = 0; type < QEMU_CLOCK_MAX; type++) {
        deadline = qemu_soonest_timeout(deadline,
                                        timerlist_deadline_ns(tlg->tl[type]));
    }
    return deadline;
}

/* ---- short forms -------------------------------------------------------- */

void timer_init(QEMUTimer *ts, QEMUClockType type, int scale, QEMUTimerCB *cb,
                void *opaque)
{
    timer_init_full(ts, NULL, type, scale, 0, cb, opaque);
    ts->creator = CALLER_ADDRESS;
}

void timer_init_ns(QEMUTimer *ts, QEMUClockType type, QEMUTimerCB *cb,
                   void *opaque)
{
    timer_init(ts, type, SCALE_NS, cb, opaque);
    ts->creator = CALLER_ADDRESS;
}

void timer_init_us(QEMUTimer *ts, QEMUClockType type, QEMUTimerCB *cb,
                   void *opaque)
{
    timer_init(ts, type, SCALE_US, cb, opaque);
    ts->creator = CALLER_ADDRESS;
}

void timer_init_ms(QEMUTimer *ts, QEMUClockType type, QEMUTimerCB *cb,
                   void *opaque)
{
    timer_init(ts, type, SCALE_MS, cb, opaque);
    ts->creator = CALLER_ADDRESS;
}

QEMUTimer *timer_new_full(QEMUTimerListGroup *timer_list_group,
                          QEMUClockType type, int scale, int attributes,
                          QEMUTimerCB *cb, void *opaque)
{
    QEMUTimer *ts = check_malloc(sizeof(*ts));

    timer_init_full(ts, timer_list_group, type, scale, attributes, cb, opaque);
    ts->creator = CALLER_ADDRESS;
    return ts;
}

QEMUTimer *timer_new(QEMUClockType type, int scale, QEMUTimerCB *cb,
                     void *opaque)
{
    QEMUTimer *ts = timer_new_full(NULL, type, scale, 0, cb, opaque);

    ts->creator = CALLER_ADDRESS;
    return ts;
}

QEMUTimer *timer_new_ns(QEMUClockType type, QEMUTimerCB *cb, void *opaque)
{
    QEMUTimer *ts = timer_new(type, SCALE_NS, cb, opaque);

    ts->creator = CALLER_ADDRESS;
    return ts;
}

QEMUTimer *timer_new_us(QEMUClockType type, QEMUTimerCB *cb, void *opaque)
{
    QEMUTimer *ts = timer_new(type, SCALE_US, cb, opaque);

    ts->creator = CALLER_ADDRESS;
    return ts;
}

QEMUTimer *timer_new_ms(QEMUClockType type, QEMUTimerCB *cb, void *opaque)
{
    QEMUTimer *ts = timer_new(type, SCALE_MS, cb, opaque);

    ts->creator = CALLER_ADDRESS;
    return ts;
}

void timer_free(QEMUTimer *ts)
{
    if (ts) {
        timer_del(ts);
        free(ts);
    }
}
