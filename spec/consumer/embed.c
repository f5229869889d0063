/*
 * embed.c - a context inside of a GLib program's main loop
 */
#include "qemu/osdep.h"

#include "block/thread-pool.h"
#include "consumer.h"
#include "qapi/error.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"

#define TICKS 5

typedef struct Embed {
    AioContext *ctx;
    GMainContext *glib;
    EventNotifier bell;
    QEMUTimer *timer;
    QemuCoSleep sleep;
    unsigned ticks, rings, beats;
    bool slept, idle_ran;
} Embed;

/* A source of GLib's own rings the bell that the AioContext watches. */
static gboolean glib_tick(gpointer opaque)
{
    Embed *e = opaque;

    event_notifier_set(&e->bell);
    return ++e->ticks < TICKS ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void bell_rings(EventNotifier *bell)
{
    Embed *e = container_of(bell, Embed, bell);

    if (event_notifier_test_and_clear(bell)) {
        e->rings++;
    }
}

static void timer_beats(void *opaque)
{
    Embed *e = opaque;

    if (++e->beats < TICKS) {
        timer_mod(e->timer, qemu_clock_get_us(QEMU_CLOCK_VIRTUAL) + 500);
    }
}

static int nap(void *opaque)
{
    g_usleep(1000);
    return -ENOTTY;
}

static void coroutine_fn embed_co(void *opaque)
{
    Embed *e = opaque;
    ThreadPool *pool = aio_get_thread_pool(e->ctx);

    g_assert(qemu_get_current_aio_context() == e->ctx);
    g_assert_cmpint(thread_pool_submit_co(pool, nap, NULL), ==, -ENOTTY);
    qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, SCALE_MS);
    qemu_co_sleep_ns_wakeable(&e->sleep, QEMU_CLOCK_HOST,
                              3600 * NANOSECONDS_PER_SECOND);
    e->slept = true;
}

static void idle_bh(void *opaque)
{
    Embed *e = opaque;

    e->idle_ran = true;
    qemu_co_sleep_wake(&e->sleep);
}

static void add_glib_tick(Embed *e)
{
    GSource *source = g_timeout_source_new(1);

    e->ticks = 0;
    g_source_set_callback(source, glib_tick, e, NULL);
    g_source_attach(source, e->glib);
    g_source_unref(source);
}

/* The GMainContext runs everything, the AioContext's things included. */
static void run_under_glib(Embed *e)
{
    add_glib_tick(e);
    timer_mod(e->timer, qemu_clock_get_us(QEMU_CLOCK_VIRTUAL));
    while (e->ticks < TICKS || e->beats < TICKS || !e->rings) {
        g_main_context_iteration(e->glib, true);
    }
    while (g_main_context_iteration(e->glib, false)) {
        /* the rest */
    }
    g_assert_cmpuint(e->rings, >=, 1);
    g_assert_cmpuint(e->rings, <=, TICKS);
}

/* aio_poll() in between runs the AioContext's things, and only them. */
static void run_alternately(Embed *e)
{
    QEMUBH *bh = aio_bh_new(e->ctx, idle_bh, e);
    unsigned ticks;

    e->beats = 0;
    add_glib_tick(e);
    timer_mod(e->timer, qemu_clock_get_us(QEMU_CLOCK_VIRTUAL));
    aio_co_enter(e->ctx, qemu_coroutine_create(embed_co, e));
    while (!e->sleep.to_wake) {
        ticks = e->ticks;
        aio_poll(e->ctx, true);
        g_assert_cmpuint(e->ticks, ==, ticks);
        g_main_context_iteration(e->glib, false);
    }
    qemu_bh_schedule_idle(bh);
    while (!e->slept || e->ticks < TICKS || e->beats < TICKS) {
        g_main_context_iteration(e->glib, true);
    }
    g_assert(e->idle_ran);
    qemu_bh_delete(bh);
    while (aio_poll(e->ctx, false)) {
        /* the rest */
    }
}

/* A thread that has no context wakes the GMainContext. */
static void *notifier_thread(void *opaque)
{
    Embed *e = opaque;

    event_notifier_set(&e->bell);
    return NULL;
}

static void wake_from_thread(Embed *e)
{
    unsigned rings = e->rings;
    QemuThread thread;

    qemu_thread_create(&thread, "bell", notifier_thread, e,
                       QEMU_THREAD_JOINABLE);
    while (e->rings == rings) {
        g_main_context_iteration(e->glib, true);
    }
    qemu_thread_join(&thread);
}

/* A disabled clock stops its timers, and nothing else. */
static void stop_clock(Embed *e)
{
    e->beats = TICKS - 1;
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, false);
    timer_mod_anticipate(e->timer, 0);
    g_assert(timer_pending(e->timer));
    g_assert(timer_expired(e->timer, 1));
    while (aio_poll(e->ctx, false)) {
        /* nothing of the timer's */
    }
    g_assert_cmpuint(e->beats, ==, TICKS - 1);
    qemu_clock_enable(QEMU_CLOCK_VIRTUAL, true);
    while (e->beats < TICKS) {
        g_main_context_iteration(e->glib, true);
    }
    g_assert(!timer_pending(e->timer));
    g_assert_cmpint(aio_compute_timeout(e->ctx), ==, -1);
}

static void *embed_thread(void *opaque)
{
    Embed e = {.ctx = aio_context_new(&error_fatal)};
    GSource *source = aio_get_g_source(e.ctx);

    qemu_set_current_aio_context(e.ctx);
    e.glib = g_main_context_new();
    g_main_context_push_thread_default(e.glib);
    g_source_attach(source, e.glib);
    g_source_unref(source);
    e.timer =
        aio_timer_new(e.ctx, QEMU_CLOCK_VIRTUAL, SCALE_US, timer_beats, &e);
    g_assert(!event_notifier_init(&e.bell, false));
    aio_set_event_notifier(e.ctx, &e.bell, false, bell_rings, NULL, NULL);

    run_under_glib(&e);
    run_alternately(&e);
    wake_from_thread(&e);
    stop_clock(&e);

    aio_set_event_notifier(e.ctx, &e.bell, false, NULL, NULL, NULL);
    event_notifier_cleanup(&e.bell);
    timer_free(e.timer);
    g_source_destroy(source);
    g_main_context_pop_thread_default(e.glib);
    g_main_context_unref(e.glib);
    aio_context_unref(e.ctx);
    return NULL;
}

void embed_selftest(void)
{
    QemuThread thread;

    qemu_thread_create(&thread, "embed", embed_thread, NULL,
                       QEMU_THREAD_JOINABLE);
    qemu_thread_join(&thread);
}
