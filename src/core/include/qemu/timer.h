/*
 * qemu/timer.h - clocks and timers
 *
 * A timer belongs to a list; a list belongs to one clock; a group holds one
 * list per clock, and every AioContext has a group.  Expired timers run in the
 * last-but-one phase of the context's tick, in the order of their deadlines,
 * equal deadlines in the order in which they were armed.
 *
 * Deadlines are absolute, in units of the timer's scale (nanoseconds for the
 * functions ending in _ns), and never negative: earlier than 0 counts as 0.
 *
 * Threads: arming, deleting and looking at a timer is safe from any thread.
 * timer_del() from another thread does not wait for a callback that is already
 * running.  The callback runs in the home thread of the context, with the timer
 * no longer pending, so that it may arm or free it.
 */
#ifndef QEMU_TIMER_H
#define QEMU_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "aioctl/decls.h"

AIOCTL_BEGIN_DECLS

#define NANOSECONDS_PER_SECOND 1000000000LL

/* How many nanoseconds one unit of a timer's deadline is. */
#define SCALE_MS 1000000
#define SCALE_US 1000
#define SCALE_NS 1

typedef enum QEMUClockType {
    QEMU_CLOCK_REALTIME = 0,   /* monotonic, never steps */
    QEMU_CLOCK_VIRTUAL = 1,    /* monotonic; the one usually disabled */
    QEMU_CLOCK_HOST = 2,       /* the wall clock: steps when it is set */
    QEMU_CLOCK_VIRTUAL_RT = 3, /* monotonic; for code that paces VIRTUAL */
    QEMU_CLOCK_MAX
} QEMUClockType;

typedef struct AioContext AioContext;
typedef struct QEMUTimer QEMUTimer;
typedef struct QEMUTimerList QEMUTimerList;
typedef struct QEMUTimerListGroup QEMUTimerListGroup;
typedef void QEMUTimerCB(void *opaque);
typedef void QEMUTimerListNotifyCB(void *opaque, QEMUClockType type);

struct QEMUTimerListGroup {
    QEMUTimerList *tl[QEMU_CLOCK_MAX];
};

/* The timer is no business of the outside world (kept, without effect). */
#define QEMU_TIMER_ATTR_EXTERNAL ((int)1 << 0)
#define QEMU_TIMER_ATTR_ALL 0xffffffff

/* Complete so that it can be embedded; all fields are private.  What arming
 * looks at comes first, in 32 bytes. */
struct QEMUTimer {
    int64_t expire_time; /* ns; -1 while not pending */
    QEMUTimerList *timer_list;
    uint64_t sequence;   /* order of arming, decides equal deadlines */
    uint32_t heap_index; /* where the list's heap has us */
    int scale;
    QEMUTimerCB *cb;
    void *opaque;
    int attributes;
    const void *creator; /* for reports: the code that initialised it */
};

/* ---- clocks ------------------------------------------------------------- */

/*
 * Makes the calling thread wake from timed waits as exactly as the kernel can
 * (the timer slack is one nanosecond); qemu_init_main_loop() does it.  Threads
 * that are started later inherit it.
 */
void init_clocks(QEMUTimerListNotifyCB *notify_cb);

/* Time on a clock; goes on while the clock's timers are disabled. */
int64_t qemu_clock_get_ns(QEMUClockType type);
int64_t qemu_clock_get_us(QEMUClockType type);
int64_t qemu_clock_get_ms(QEMUClockType type);

/*
 * qemu_clock_enable: stop or restart the timers of a clock, in all lists
 *
 * Disabling waits until callbacks that other threads are running for this clock
 * have returned; it may be called from such a callback itself.  Enabling wakes
 * every context that has timers on the clock.
 */
void qemu_clock_enable(QEMUClockType type, bool enabled);

/* Wakes everybody who waits for a timer of this clock. */
void qemu_clock_notify(QEMUClockType type);

/* Do any timers, in any list, wait on the clock (or are they overdue)? */
bool qemu_clock_has_timers(QEMUClockType type);
bool qemu_clock_expired(QEMUClockType type);

/* May the clock's deadline be slept on?  (Always, in this implementation.) */
bool qemu_clock_use_for_deadline(QEMUClockType type);

/* Nanoseconds until the first deadline in any list of the clock whose timer's
 * attributes are all in @attr_mask; -1: none. */
int64_t qemu_clock_deadline_ns_all(QEMUClockType type, int attr_mask);

/* Runs the expired timers of the main context on one clock, or on all. */
bool qemu_clock_run_timers(QEMUClockType type);
bool qemu_clock_run_all_timers(void);

/* The sooner of two timeouts, where -1 is "never". */
int64_t qemu_soonest_timeout(int64_t timeout1, int64_t timeout2);

/* Milliseconds for poll(2): rounded up, never overflowing; -1 stays -1. */
int qemu_timeout_ns_to_ms(int64_t ns);

/* Now, by the monotonic clock and by the wall clock. */
int64_t get_clock(void);
int64_t get_clock_realtime(void);

/* ---- lists: for owners of an event loop --------------------------------- */

/* @cb is called, from any thread, when the first deadline has become sooner. */
QEMUTimerList *timerlist_new(QEMUClockType type, QEMUTimerListNotifyCB *cb,
                             void *opaque);
/* Aborts, naming them, when timers are still pending. */
void timerlist_free(QEMUTimerList *timer_list);
bool timerlist_has_timers(QEMUTimerList *timer_list);
bool timerlist_expired(QEMUTimerList *timer_list);
/* Nanoseconds until the first deadline: 0 when overdue, -1 when there is none
 * or the clock is disabled. */
int64_t timerlist_deadline_ns(QEMUTimerList *timer_list);
QEMUClockType timerlist_get_clock(QEMUTimerList *timer_list);
/* Runs what had expired when called; true when a callback ran. */
bool timerlist_run_timers(QEMUTimerList *timer_list);
void timerlist_notify(QEMUTimerList *timer_list);

void timerlistgroup_init(QEMUTimerListGroup *tlg, QEMUTimerListNotifyCB *cb,
                         void *opaque);
void timerlistgroup_deinit(QEMUTimerListGroup *tlg);
bool timerlistgroup_run_timers(QEMUTimerListGroup *tlg);
int64_t timerlistgroup_deadline_ns(QEMUTimerListGroup *tlg);

/* ---- timers ------------------------------------------------------------- */

/*
 * timer_init_full: prepare a timer in memory of the caller's
 * @timer_list_group: whose timer it is; NULL: the main context's
 * @scale: SCALE_MS, SCALE_US or SCALE_NS
 * @attributes: 0 or QEMU_TIMER_ATTR_* or'ed together
 */
void timer_init_full(QEMUTimer *ts, QEMUTimerListGroup *timer_list_group,
                     QEMUClockType type, int scale, int attributes,
                     QEMUTimerCB *cb, void *opaque);
void timer_init(QEMUTimer *ts, QEMUClockType type, int scale, QEMUTimerCB *cb,
                void *opaque);
void timer_init_ns(QEMUTimer *ts, QEMUClockType type, QEMUTimerCB *cb,
                   void *opaque);
void timer_init_us(QEMUTimer *ts, QEMUClockType type, QEMUTimerCB *cb,
                   void *opaque);
void timer_init_ms(QEMUTimer *ts, QEMUClockType type, QEMUTimerCB *cb,
                   void *opaque);

/* The same, allocated; to be given back with timer_free(). */
QEMUTimer *timer_new_full(QEMUTimerListGroup *timer_list_group,
                          QEMUClockType type, int scale, int attributes,
                          QEMUTimerCB *cb, void *opaque);
QEMUTimer *timer_new(QEMUClockType type, int scale, QEMUTimerCB *cb,
                     void *opaque);
QEMUTimer *timer_new_ns(QEMUClockType type, QEMUTimerCB *cb, void *opaque);
QEMUTimer *timer_new_us(QEMUClockType type, QEMUTimerCB *cb, void *opaque);
QEMUTimer *timer_new_ms(QEMUClockType type, QEMUTimerCB *cb, void *opaque);

/* Detaches a timer that is not pending (aborts if it is). */
void timer_deinit(QEMUTimer *ts);
/* Deletes and frees; NULL is ignored. */
void timer_free(QEMUTimer *ts);

/* No longer pending; harmless when it was not. */
void timer_del(QEMUTimer *ts);

/* Arm, or move; wakes the context when this became the first deadline. */
void timer_mod(QEMUTimer *ts, int64_t expire_time);
void timer_mod_ns(QEMUTimer *ts, int64_t expire_time);

/* The same, but never moves a pending timer to a later time. */
void timer_mod_anticipate(QEMUTimer *ts, int64_t expire_time);
void timer_mod_anticipate_ns(QEMUTimer *ts, int64_t expire_time);

bool timer_pending(QEMUTimer *ts);
/* Is @ts pending and due at @current_time (in units of its scale)? */
bool timer_expired(QEMUTimer *ts, int64_t current_time);
/* The deadline in nanoseconds, -1 when not pending. */
uint64_t timer_expire_time_ns(QEMUTimer *ts);

AIOCTL_END_DECLS
#endif
