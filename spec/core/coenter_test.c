/*
 * coenter_test.c - where and when a coroutine runs that somebody enters, wakes
 * or sends elsewhere: from the same context, another one or none; from inside
 * or outside of coroutines
 */
#include <pthread.h>
#include <stdlib.h>

#include "aioctl/iothread.h"
#include "everywhere.h"
#include "loop/context.h"
#include "qemu/coroutine.h"
#include "sysemu/iothread.h"

static char trace[64];

static void note(char c)
{
    trace[strlen(trace)] = c;
}

/* ---- the coroutine that is entered -------------------------------------- */

typedef struct Guest {
    Coroutine *co;
    AioContext *ctx; /* where it ran last */
    int thread_id;   /* atomic: in which thread */
    unsigned locked; /* how often its context was acquired */
    int runs;        /* atomic */
    bool stay;       /* yields once more */
    bool quiet;      /* takes no notes: the trace is of another thread */
} Guest;

static void coroutine_fn guest_main(void *opaque)
{
    Guest *guest = opaque;

    do {
        guest->ctx = qemu_get_current_aio_context();
        guest->locked = guest->ctx ? context_lock_depth(guest->ctx) : 0;
        ASSERT_PTR_EQ(guest->ctx,
                      qemu_coroutine_get_aio_context(qemu_coroutine_self()));
        qatomic_set(&guest->thread_id, qemu_get_thread_id());
        if (!guest->quiet) {
            note('g');
        }
        qatomic_store_release(&guest->runs, guest->runs + 1);
        if (guest->stay) {
            qemu_coroutine_yield();
        }
    } while (guest->stay);
}

static void guest_init(Guest *guest)
{
    *guest = (Guest){.stay = true};
    guest->co = qemu_coroutine_create(guest_main, guest);
}

static void guest_end(Guest *guest)
{
    guest->stay = false;
    qemu_coroutine_enter(guest->co);
}

static void wait_for_runs(Guest *guest, int runs)
{
    while (qatomic_load_acquire(&guest->runs) < runs) {
        sched_yield();
    }
}

/* ---- who enters it ------------------------------------------------------ */

typedef enum How { ENTER, WAKE, SCHEDULE } How;

typedef struct Host {
    Guest *guest;
    AioContext *target;
    How how;
    bool yields;
    Coroutine *co;
} Host;

static void act(Host *host)
{
    switch (host->how) {
    case ENTER:
        aio_co_enter(host->target, host->guest->co);
        break;
    case WAKE:
        aio_co_wake(host->guest->co);
        break;
    case SCHEDULE:
        aio_co_schedule(host->target, host->guest->co);
        break;
    }
}

static void coroutine_fn host_main(void *opaque)
{
    Host *host = opaque;

    note('h');
    act(host);
    note('H');
    if (host->yields) {
        qemu_coroutine_yield();
        note('e');
    }
}

/* In a coroutine of @ctx. */
static void act_inside(Host *host, AioContext *ctx)
{
    host->co = qemu_coroutine_create(host_main, host);
    if (ctx) {
        aio_co_enter(ctx, host->co);
    } else {
        qemu_coroutine_enter(host->co);
    }
}

static void clear(void)
{
    memset(trace, 0, sizeof(trace));
}

/* ---- the same context --------------------------------------------------- */

TEST(from_outside_in_its_own_context_it_runs_at_once_with_the_lock)
{
    AioContext *ctx = aio_context_new(NULL);
    Guest guest;

    aio_poll(ctx, false);
    guest_init(&guest);
    Host enter = {.guest = &guest, .target = ctx, .how = ENTER};
    Host wake = {.guest = &guest, .how = WAKE};
    act(&enter);
    ASSERT_EQ(guest.runs, 1);
    ASSERT_PTR_EQ(guest.ctx, ctx);
    ASSERT_EQ(guest.locked, 1);
    act(&wake);
    ASSERT_EQ(guest.runs, 2);
    ASSERT_EQ(guest.locked, 1);
    ASSERT_EQ(context_lock_depth(ctx), 0);
    guest_end(&guest);
    aio_context_unref(ctx);
}

TEST(from_inside_in_its_own_context_it_runs_when_that_one_yields_or_ends)
{
    static const How ways[] = {ENTER, WAKE};
    AioContext *ctx = aio_context_new(NULL);

    aio_poll(ctx, false);
    for (int i = 0; i < 4; i++) {
        Guest guest;

        guest_init(&guest);
        aio_co_enter(ctx, guest.co);
        clear();
        Host host = {.guest = &guest,
                     .target = ctx,
                     .how = ways[i % 2],
                     .yields = i >= 2};
        act_inside(&host, ctx);
        ASSERT_STR_EQ(trace, "hHg");
        ASSERT_EQ(guest.runs, 2);
        if (host.yields) {
            qemu_coroutine_enter(host.co);
        }
        guest_end(&guest);
    }
    aio_context_unref(ctx);
}

TEST(scheduled_it_always_waits_for_the_loop)
{
    AioContext *ctx = aio_context_new(NULL);
    Guest guest;

    aio_poll(ctx, false);
    guest_init(&guest);
    Host host = {.guest = &guest, .target = ctx, .how = SCHEDULE};
    act(&host);
    ASSERT_EQ(guest.runs, 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(guest.runs, 1);
    ASSERT_EQ(guest.locked, 1);
    act_inside(&host, ctx);
    ASSERT_EQ(guest.runs, 1);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(guest.runs, 2);
    guest_end(&guest);
    aio_context_unref(ctx);
}

/* ---- another context ---------------------------------------------------- */

static void end_guest_there(void *opaque)
{
    guest_end(opaque);
}

TEST(for_a_context_of_another_thread_it_runs_in_that_thread)
{
    static const How ways[] = {ENTER, WAKE, SCHEDULE};
    AioContext *ctx = aio_context_new(NULL);
    IOThread *iothread = iothread_new();
    AioContext *there = iothread_get_aio_context(iothread);
    Guest guest;
    int runs = 1;

    aio_poll(ctx, false);
    guest_init(&guest);
    guest.quiet = true;
    aio_co_schedule(there, guest.co);
    wait_for_runs(&guest, runs);
    for (int i = 0; i < 6; i++) { /* each way, outside and inside */
        Host host = {.guest = &guest, .target = there, .how = ways[i % 3]};

        if (i < 3) {
            act(&host);
        } else {
            act_inside(&host, ctx);
        }
        wait_for_runs(&guest, ++runs);
        ASSERT_EQ(guest.thread_id, aio_iothread_thread_id(iothread));
        ASSERT_PTR_EQ(guest.ctx, there);
        ASSERT_EQ(guest.locked, 1);
    }
    aio_bh_schedule_oneshot(there, end_guest_there, &guest);
    iothread_join(iothread);
    ASSERT_EQ(guest.runs, runs);
    aio_context_unref(ctx);
}

TEST(for_another_context_of_the_thread_it_waits_for_that_ones_loop)
{
    static const How ways[] = {ENTER, WAKE};
    AioContext *here = aio_context_new(NULL), *there = aio_context_new(NULL);
    Guest guest;

    aio_poll(here, false);
    aio_poll(there, false);
    guest_init(&guest);
    aio_co_schedule(there, guest.co);
    ASSERT(aio_poll(there, true));
    ASSERT_EQ(guest.runs, 1);
    for (int i = 0; i < 4; i++) {
        Host host = {.guest = &guest, .target = there, .how = ways[i % 2]};

        if (i < 2) {
            act(&host);
        } else {
            act_inside(&host, here);
        }
        ASSERT(!aio_poll(here, false));
        ASSERT_EQ(guest.runs, i + 1);
        ASSERT(aio_poll(there, true));
        ASSERT_EQ(guest.runs, i + 2);
        ASSERT_PTR_EQ(guest.ctx, there);
    }
    guest_end(&guest);
    aio_context_unref(here);
    aio_context_unref(there);
}

/* ---- no context --------------------------------------------------------- */

TEST(without_any_context_it_runs_at_once_or_when_the_other_stops)
{
    Guest guest;

    guest_init(&guest);
    qemu_coroutine_enter(guest.co);
    ASSERT_PTR_EQ(guest.ctx, NULL);
    Host host = {.guest = &guest, .how = WAKE};
    act(&host);
    ASSERT_EQ(guest.runs, 2);
    clear();
    act_inside(&host, NULL);
    ASSERT_STR_EQ(trace, "hHg");
    guest_end(&guest);
}

static void *wake_in_thread(void *opaque)
{
    Host *host = opaque;

    ASSERT_PTR_EQ(qemu_get_current_aio_context(), NULL);
    act(host);
    act_inside(&(Host){.guest = host->guest + 1,
                       .target = host->target,
                       .how = host->how},
               NULL);
    return NULL;
}

TEST(from_a_thread_without_a_context_it_is_left_to_its_own_loop)
{
    static const How ways[] = {ENTER, WAKE, SCHEDULE};
    AioContext *ctx = aio_context_new(NULL);

    aio_poll(ctx, false);
    for (int i = 0; i < 3; i++) {
        Guest guests[2];
        Host host = {.guest = guests, .target = ctx, .how = ways[i]};
        pthread_t thread;

        guest_init(&guests[0]);
        guest_init(&guests[1]);
        aio_co_enter(ctx, guests[0].co);
        aio_co_enter(ctx, guests[1].co);
        pthread_create(&thread, NULL, wake_in_thread, &host);
        pthread_join(thread, NULL);
        ASSERT_EQ(guests[0].runs + guests[1].runs, 2);
        ASSERT(aio_poll(ctx, true));
        ASSERT_EQ(guests[0].runs, 2);
        ASSERT_EQ(guests[1].runs, 2);
        ASSERT_EQ(guests[0].thread_id, qemu_get_thread_id());
        guest_end(&guests[0]);
        guest_end(&guests[1]);
    }
    aio_context_unref(ctx);
}

/* ---- moving oneself ----------------------------------------------------- */

typedef struct Mover {
    AioContext *from, *to;
    bool done; /* atomic */
} Mover;

static void coroutine_fn move(void *opaque)
{
    Mover *mover = opaque;
    int home = qemu_get_thread_id();

    aio_co_reschedule_self(mover->from); /* it is there: goes on */
    note('a');
    aio_co_reschedule_self(mover->to);
    ASSERT_CMP(qemu_get_thread_id(), !=, home);
    ASSERT_PTR_EQ(qemu_get_current_aio_context(), mover->to);
    ASSERT_EQ(context_lock_depth(mover->to), 1);
    aio_co_reschedule_self(mover->from);
    ASSERT_EQ(qemu_get_thread_id(), home);
    note('b');
    qatomic_store_release(&mover->done, true);
}

TEST(moving_to_the_own_context_goes_on_and_to_another_one_continues_there)
{
    AioContext *ctx = aio_context_new(NULL);
    IOThread *iothread = iothread_new();
    Mover mover = {.from = ctx, .to = iothread_get_aio_context(iothread)};

    aio_poll(ctx, false);
    aio_co_enter(ctx, qemu_coroutine_create(move, &mover));
    ASSERT_STR_EQ(trace, "a");
    while (!mover.done) {
        aio_poll(ctx, true);
    }
    ASSERT_STR_EQ(trace, "ab");
    iothread_join(iothread);
    aio_context_unref(ctx);
}

/* ---- order -------------------------------------------------------------- */

typedef struct Runner {
    Coroutine *co;
    char letter;
} Runner;

static void coroutine_fn note_letter(void *opaque)
{
    note(((Runner *)opaque)->letter);
}

static void *schedule_all(void *opaque)
{
    Runner *runners = opaque;
    static AioContext *target;

    if (!runners) {
        return &target;
    }
    for (int i = 0; i < 8; i++) {
        aio_co_schedule(target, runners[i].co);
    }
    return NULL;
}

TEST(scheduled_by_another_thread_they_run_first_in_first_out)
{
    AioContext *ctx = aio_context_new(NULL);
    Runner runners[8];
    pthread_t thread;

    aio_poll(ctx, false);
    *(AioContext **)schedule_all(NULL) = ctx;
    for (int i = 0; i < 8; i++) {
        runners[i].letter = (char)('a' + i);
        runners[i].co = qemu_coroutine_create(note_letter, &runners[i]);
    }
    pthread_create(&thread, NULL, schedule_all, runners);
    pthread_join(thread, NULL);
    aio_poll(ctx, true);
    ASSERT_STR_EQ(trace, "abcdefgh");
    aio_context_unref(ctx);
}
