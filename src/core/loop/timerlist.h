/*
 * timerlist.h - what timer.c and clocks.c share
 */
#ifndef LOOP_TIMERLIST_H
#define LOOP_TIMERLIST_H

#include <pthread.h>

#include "base/check.h"
#include "loop/timerheap.h"
#include "qemu/atomic.h"
#include "qemu/queue.h"
#include "qemu/thread.h"

struct QEMUTimerList {
    /* Fixed at creation. */
    QEMUClockType clock;
    QEMUTimerListNotifyCB *notify_cb;
    void *notify_opaque;
    AioContext *ctx; /* whose it is; NULL: nobody's */

    /* atomic */
    bool locked;
    int refcnt;       /* the owner, and qemu_clock_enable() while it waits */
    int64_t head_key; /* written under the lock; INT64_MAX: no timers */

    /* the lock */
    TimerHeap heap;
    uint64_t last_sequence;
    int64_t earliest_key; /* during a pass: just after its time; else 0 */

    /* atomic; written by the thread that runs the timers.  idle is set while
     * running is zero. */
    unsigned running;
    pthread_t runner;
    QemuEvent idle;

    /* the lock of all clocks */
    QLIST_ENTRY(QEMUTimerList) next;
};

/* How many callbacks ran. */
uint64_t timerlist_run(QEMUTimerList *list);
uint64_t timerlistgroup_run(QEMUTimerListGroup *tlg);
/* Is one due?  Reads no clock that has no timers. */
bool timerlistgroup_expired(QEMUTimerListGroup *tlg);
/* Is none armed? */
static inline bool timerlistgroup_is_empty(const QEMUTimerListGroup *tlg)
{
    _Static_assert(QEMU_CLOCK_MAX == 4, "look at each list");
    return (qatomic_read_i64(&tlg->tl[0]->head_key) &
            qatomic_read_i64(&tlg->tl[1]->head_key) &
            qatomic_read_i64(&tlg->tl[2]->head_key) &
            qatomic_read_i64(&tlg->tl[3]->head_key)) == INT64_MAX;
}
void timerlist_unref(QEMUTimerList *list);
bool timerlist_is_running_elsewhere(QEMUTimerList *list);
/* First deadline of a timer with all attributes in @mask, or INT64_MAX. */
int64_t timerlist_first_with(QEMUTimerList *list, int mask);

/* clocks.c */
bool clock_is_enabled(QEMUClockType type);
void clock_add_list(QEMUTimerList *list);
void clock_remove_list(QEMUTimerList *list);
/* The main context's; aborts when there is none. */
QEMUTimerListGroup *timer_main_group(void);

#endif
