/*
 * lockcnt.pml - QemuLockCnt: visitors, and a lock that keeps the first one out
 *
 * Models src/core/base/lockcnt.c; lockcnt.md explains it.  The futex word is
 * `word`: state + visitors * ONE.  Each function of the API is an inline of the
 * same name without the prefix.
 *
 * Checked: the lock excludes; who holds it and has seen no visitors meets none;
 * who left as the last one and got the lock is alone; nobody sleeps for ever.
 * With -DBUG=n a rule is broken, and the checker must find that.
 */
#ifndef BUG
#define BUG 0
#endif
#ifndef THREADS
#define THREADS 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif

#define FREE 0
#define LOCKED 1
#define WAITERS 2
#define ONE 4
#define STATE(w) ((w) % ONE)
#define VISITORS(w) ((w) / ONE)

byte word;
bool asleep[THREADS];

/* What the users of the lock see. */
byte holders;   /* in the lock */
byte visiting;  /* between inc and dec */
bool freeing;   /* somebody frees what visitors look at */

/* ---- one step each -------------------------------------------------------- */

/* Compare and exchange: w is refreshed on failure. */
inline change(next)
{
    atomic {
        if
        :: word == w -> word = next; changed = true
        :: else -> w = word; changed = false
        fi
    }
}

/* FUTEX_WAIT compares and falls asleep in one step. */
inline futex_wait(expected)
{
    atomic {
        if
        :: word == expected -> asleep[_pid] = true
        :: else -> skip
        fi
    };
    !asleep[_pid]
}

inline futex_wake_all()
{
    d_step {
        other = 0;
        do
        :: other < THREADS ->
           if
           :: asleep[other] && BUG == 2 -> asleep[other] = false; break
           :: else -> asleep[other] = false
           fi;
           other++
        :: else -> break
        od;
        other = 0
    }
}

/* ---- the functions -------------------------------------------------------- */

inline sleep_on_lock()
{
    if
    :: w != w - STATE(w) + WAITERS && BUG != 3 ->
       change(w - STATE(w) + WAITERS)
    :: else -> changed = true
    fi;
    if
    :: changed && BUG != 3 ->
       futex_wait(w - STATE(w) + WAITERS);
       w = word
    :: changed && BUG == 3 -> /* sleeps without saying so */
       futex_wait(w);
       w = word
    :: else -> skip
    fi
}

inline inc()
{
    w = word;
    do
    :: VISITORS(w) == 0 && STATE(w) != FREE && BUG != 1 -> sleep_on_lock()
    :: else ->
       change(w + ONE);
       if
       :: changed -> break
       :: else -> skip
       fi
    od
}

inline dec()
{
    atomic {
        assert(VISITORS(word) > 0);
        word = word - ONE
    }
}

inline lock()
{
    w = word;
    do
    :: STATE(w) == FREE ->
       change(w + LOCKED);
       if
       :: changed -> break
       :: else -> skip
       fi
    :: else -> sleep_on_lock()
    od
}

inline dec_and_lock()
{
#if BUG == 4
    dec(); /* two steps: another visitor may come in between */
    lock();
    last = true
#else
    w = word;
    do
    :: VISITORS(w) > 1 ->
       change(w - ONE);
       if
       :: changed -> last = false; break
       :: else -> skip
       fi
    :: VISITORS(w) == 1 && STATE(w) == FREE ->
       change(LOCKED);
       if
       :: changed -> last = true; break
       :: else -> skip
       fi
    :: VISITORS(w) == 1 && STATE(w) != FREE -> sleep_on_lock()
    od
#endif
}

inline dec_if_lock()
{
    w = word;
    last = false;
    do
    :: w == ONE ->
       change(LOCKED);
       if
       :: changed -> last = true; break
       :: else -> skip
       fi
    :: else -> break
    od
}

inline unlock_adding(n)
{
    w = word;
    do
    :: true ->
       assert(STATE(w) != FREE);
       change(w - STATE(w) + n);
       if
       :: changed -> break
       :: else -> skip
       fi
    od;
    if
    :: STATE(w) == WAITERS -> futex_wake_all()
    :: else -> skip
    fi
}

/* ---- users ---------------------------------------------------------------- */

inline begin_visit()
{
    atomic { visiting++; assert(!freeing) }
}

inline hold()
{
    atomic { holders++; assert(holders == 1) }
}

/* Holding the lock, and having seen that there are no visitors. */
inline free_elements()
{
    atomic { freeing = true; assert(visiting == 0) };
    freeing = false
}

inline release(n)
{
    holders--;
    unlock_adding(n)
}

inline leave()
{
    visiting--;
    if
    :: dec()
    :: dec_and_lock();
       if
       :: last -> hold(); free_elements(); release(0)
       :: else -> skip
       fi
    :: dec_if_lock();
       if
       :: last -> hold(); free_elements(); release(0)
       :: else -> dec()
       fi
    fi
}

inline visit()
{
    inc();
    begin_visit();
    leave()
}

inline write()
{
    lock();
    hold();
    if
    :: VISITORS(word) == 0 -> free_elements()
    :: else -> skip
    fi;
    if
    :: release(0)
    :: true -> /* inc_and_unlock */
       visiting++;
       release(ONE);
       leave()
    fi
}

active [THREADS] proctype user()
{
    byte w, other, left = ROUNDS;
    bool changed, last;

    do
    :: left > 0 ->
       left--;
       if
       :: visit()
       :: write()
       fi
    :: else -> break
    od
}
