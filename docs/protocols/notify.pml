/*
 * notify.pml - how a context that waits is woken, and when it need not be
 *
 * Models src/core/loop/notify.c together with what poll.c, bh.c, busypoll.c and
 * gsource.c do around it; notify.md explains it.  The labels N1-N4 and L1-L5
 * are those of notify.c.
 *
 * The checker looks for a state in which nobody can go on and something is
 * left to do: a loop that sleeps on work.  With -DBUG=n a rule is broken, and
 * it must find such a state.
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef NOTIFIERS
#define NOTIFIERS 2 /* threads, each queues one item */
#endif
#ifndef CALLS
#define CALLS 1 /* items queued by a signal handler of the home thread */
#endif
#ifndef CHILDREN
#define CHILDREN 1 /* items queued at home by a callback */
#endif
#ifndef TIMERS
#define TIMERS 1 /* timers armed at home by a callback */
#endif
#ifndef PASSES
#define PASSES 2 /* oddities of a GMainContext in one run; 0: there is none */
#endif
#ifndef EDGE
#define EDGE 0 /* 1: the monitor reports each write once, nobody reads */
#endif
#define ALL (NOTIFIERS + CALLS + CHILDREN + TIMERS)

/* Nothing is queued, and only the home thread will ever queue more: a loop that
 * sleeps now does not sleep on work.  (The model lets it go on.) */
#define IDLE (done + children + timers == ALL)

/* Bits of notify_me. */
#define SOURCE 1
#define POLL 2
#define KICKED 4

bool notified;
byte notify_me;
bool eventfd;   /* readable; with EDGE: written and not reported yet */
byte co_remote; /* items on ctx->co_remote, from other threads */
byte bh_remote; /* items on ctx->bh_remote, from the signal handler */
bool in_signal; /* the home thread is in its signal handler */

/* Of the home thread, or of it and its signal handler. */
byte queue;      /* items at home, of either kind */
bool busy;       /* the queue is being changed */
byte source_bit; /* notify_me_home: SOURCE or 0 */
bool glib_wake;  /* the GMainContext's own wake-up */
bool timer_armed;
byte children = CHILDREN;
byte timers = TIMERS;
byte done;

/* ---- notifying ----------------------------------------------------------- */

/* N3 and N4.  @seen is a local variable of the caller. */
inline wake(seen)
{
    do
    :: seen = notify_me; /* N3 */
       if
       :: seen == 0 || (seen & KICKED) -> break
       :: else ->
          atomic { /* compare and exchange */
              if
              :: notify_me == seen -> notify_me = seen | KICKED
              :: else -> seen = 0
              fi
          }
          if
          :: seen != 0 -> eventfd = true; break /* N4 */
          :: else -> skip /* somebody was faster: look again */
          fi
       fi
    od
}

active [NOTIFIERS] proctype notifier()
{
    byte seen;

    co_remote++; /* N1: a push is one exchange */
    if
    :: BUG != 1 -> notified = true /* N2 */
    :: else -> skip
    fi;
    wake(seen)
}

#if CALLS
/*
 * A signal handler runs on the home thread's stack: that thread stands still
 * until it returns.  It finds the queue whole, or busy and leaves it alone.
 */
#define HOME_RUNS provided (!in_signal)

active [CALLS] proctype signal_handler()
{
    byte seen;

    atomic {
        !in_signal -> in_signal = true;
        if
        :: busy -> bh_remote++
        :: else -> queue++
        fi
    };
    if
    :: notify_me != 0 -> wake(seen)
    :: else -> skip
    fi;
    in_signal = false
}
#else
#define HOME_RUNS
#endif

/* ---- the home thread ------------------------------------------------------ */

/* Steps that touch only what no other thread sees are one with their
 * neighbour; a signal handler may come between any two steps. */

inline absorb_bhs()
{
    atomic { /* taking the whole stack is one exchange */
        busy = true;
        queue = queue + bh_remote;
        bh_remote = 0
    };
    busy = false
}

inline absorb_all()
{
    absorb_bhs();
    atomic { queue = queue + co_remote; co_remote = 0 }
}

/* notify_interrupted(): what is queued at home wakes only a GMainContext. */
inline at_home()
{
    if
    :: notify_me != 0 && BUG != 6 -> wake(seen)
    :: else -> skip
    fi
}

inline queue_child()
{
    atomic { children > 0 -> children--; queue++ };
    at_home()
}

inline arm_timer()
{
    atomic { timers > 0 -> timers--; timer_armed = true };
    at_home()
}

/* A callback. */
inline run_item()
{
    if
    :: queue_child()
    :: arm_timer()
    :: true -> skip
    fi
}

/* A slice: what is queued when it begins. */
inline run_queue()
{
    absorb_all();
    slice = queue;
    do
    :: atomic { slice > 0 -> slice--; queue--; done++ };
       run_item()
    :: else -> break
    od
}

inline run_timers()
{
    if
    :: atomic { timer_armed -> timer_armed = false; done++ }
    :: true -> skip /* not due yet */
    fi
}

inline accept()
{
    if
    :: notified -> notified = false /* L5 */
    :: else -> skip
    fi
}

/* What follows the wait in every tick. */
inline run_phases()
{
    accept();
    run_queue();
    if
    :: event && !EDGE -> atomic { eventfd = false; event = false } /* read */
    :: event && EDGE -> event = false
    :: else -> skip
    fi;
    run_timers()
}

/* What the monitor reports. */
inline harvest()
{
    atomic {
        event = eventfd;
        eventfd = eventfd && !EDGE
    }
}

inline announce()
{
    if
    :: BUG == 4 -> notify_me = notify_me | POLL
    :: else -> notify_me = source_bit | POLL /* L1: also clears KICKED */
    fi
}

inline look_at_work()
{
    absorb_all();
    sleepy = sleepy && queue == 0
}

/* After L1 only bottom halves are looked at again: they are what a signal
 * handler may queue.  All else relies on L2. */
inline look_at_bhs()
{
    absorb_bhs();
    sleepy = sleepy && queue == 0
}

inline sleep()
{
    if
    :: BUG == 2 -> sleepy = !notified; announce()
    :: else -> announce(); sleepy = !notified /* L2 */
    fi;
    if
    :: BUG != 5 -> look_at_bhs()
    :: else -> skip
    fi;
    if
    :: sleepy -> (eventfd || timer_armed || IDLE) /* L3 */
    :: else -> skip
    fi;
    harvest();
    notify_me = source_bit /* L4 */
}

/* Rounds of busy polling end early when something has been notified. */
inline busy_poll()
{
    if
    :: notified -> sleepy = false
    :: true -> skip /* the budget was used up, or was zero */
    fi
}

inline aio_poll(blocking)
{
    sleepy = blocking;
    look_at_work();
    if
    :: sleepy && BUG == 7 -> accept()
    :: sleepy && BUG != 7 -> busy_poll()
    :: else -> skip
    fi;
    if
    :: sleepy -> sleep()
    :: else ->
       if
       :: harvest()
       :: event = false /* not asked: nothing but the notifier to watch */
       fi
    fi;
    run_phases();
    /* The end of a tick. */
    glib_wake = glib_wake || (source_bit != 0 && BUG != 3)
}

inline prepare()
{
    source_bit = SOURCE;
    notify_me = source_bit; /* L1 */
    sleepy = !notified;     /* L2 */
    look_at_work();
    plan = timer_armed;
    glib_sleeps = sleepy
}

inline check_and_dispatch()
{
    source_bit = 0;
    notify_me = source_bit; /* L4 */
    harvest();
    run_phases()
}

/*
 * One iteration of a GMainContext.  Between prepare and GLib's sleep somebody
 * may call aio_poll() or queue something, and GLib may pass over check when another source is more
 * urgent; then the bit stays.
 */
inline glib_pass()
{
    prepare();
    do
    :: oddities > 0 -> oddities--; aio_poll(false)
    :: oddities > 0 -> oddities--; aio_poll(true)
    :: queue_child()
    :: true -> break
    od;
    if
    :: glib_sleeps -> (eventfd || glib_wake || plan || IDLE)
    :: else -> skip
    fi;
    glib_wake = false;
    if
    :: true -> check_and_dispatch()
    :: oddities > 0 -> oddities--
    fi
}

active proctype home() HOME_RUNS
{
    byte seen, slice;
    byte oddities = PASSES;
    bool sleepy, event, plan, glib_sleeps;

    do
    :: done == ALL -> break
    :: done < ALL -> aio_poll(true)
    :: done < ALL -> aio_poll(false)
    :: queue_child()
    :: arm_timer()
#if PASSES
    :: done < ALL -> glib_pass()
#endif
    od;
    assert(co_remote == 0 && bh_remote == 0 && queue == 0 && !timer_armed);
    assert(!(notify_me & POLL))
}
