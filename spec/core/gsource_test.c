/*
 * gsource_test.c - a context in a GMainContext
 */
#include "test.h"

#include "aioctl/context.h"
#include "aioctl/request.h"
#include "block/aio.h"

#ifdef CONFIG_GLIB
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct Seen {
    AioContext *ctx;
    int fd;
    int fires;
} Seen;

static void fire(void *opaque)
{
    ((Seen *)opaque)->fires++;
}

static void drain(void *opaque)
{
    Seen *seen = opaque;
    uint64_t value;

    seen->fires++;
    ASSERT_EQ(read(seen->fd, &value, sizeof(value)), sizeof(value));
}

static void poke(int fd)
{
    uint64_t one = 1;

    ASSERT_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

static void *schedule_later(void *opaque)
{
    Seen *seen = opaque;

    usleep(2000);
    aio_bh_schedule_oneshot(seen->ctx, fire, seen);
    return NULL;
}

static void everything_works(AioContext *ctx)
{
    GMainContext *main = g_main_context_new();
    GSource *source = aio_get_g_source(ctx);
    Seen bh = {.ctx = ctx}, timer = {.ctx = ctx}, reader = {.ctx = ctx};
    pthread_t thread;
    QEMUTimer ts;

    g_source_attach(source, main);
    g_main_context_iteration(main, FALSE);
    ASSERT(!g_main_context_iteration(main, FALSE));
    aio_bh_schedule_oneshot(ctx, fire, &bh);
    ASSERT(g_main_context_iteration(main, FALSE));
    ASSERT_EQ(bh.fires, 1);
    ASSERT(!g_main_context_iteration(main, FALSE));

    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, fire, &timer);
    timer_mod_ns(&ts, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 2000000);
    while (!timer.fires) {
        g_main_context_iteration(main, TRUE);
    }

    reader.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    aio_set_fd_handler(ctx, reader.fd, false, drain, NULL, NULL, NULL, &reader);
    for (int i = 1; i <= 3; i++) {
        poke(reader.fd);
        while (reader.fires < i) {
            g_main_context_iteration(main, TRUE);
        }
        poke(reader.fd); /* and in turns with aio_poll() */
        ASSERT(aio_poll(ctx, true));
        ASSERT_EQ(reader.fires, i + 1);
        reader.fires--;
    }
    aio_set_fd_handler(ctx, reader.fd, false, NULL, NULL, NULL, NULL, NULL);
    close(reader.fd);

    pthread_create(&thread, NULL, schedule_later, &bh);
    while (bh.fires < 2) {
        g_main_context_iteration(main, TRUE);
    }
    pthread_join(thread, NULL);

    int passes = 0; /* the notifier is drained: GLib does not spin */
    while (g_main_context_iteration(main, FALSE)) {
        ASSERT_CMP(++passes, <, 5);
    }
    g_source_destroy(source);
    g_source_unref(source);
    g_main_context_unref(main);
}

TEST(context_works_in_a_main_context_on_every_monitor)
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        AioContext *ctx = aio_context_new(NULL);

        if (aio_fdmon_probe(*name, NULL)) {
            ASSERT(aio_context_set_fdmon(ctx, *name, NULL));
            everything_works(ctx);
            ASSERT_STR_EQ(aio_context_fdmon(ctx), *name);
            everything_works(ctx); /* a source may be had again */
        }
        aio_context_unref(ctx);
    }
}

static void *notify_soon(void *opaque)
{
    usleep(2000);
    aio_notify(opaque);
    return NULL;
}

/* What ended the sleep need not have been read, but GLib may look at it. */
TEST(context_that_slept_before_it_got_a_source_lets_glib_sleep)
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        AioContext *ctx = aio_context_new(NULL);
        GMainContext *main = g_main_context_new();
        pthread_t thread;

        ASSERT(aio_context_set_fdmon(ctx, *name, NULL));
        pthread_create(&thread, NULL, notify_soon, ctx);
        ASSERT(!aio_poll(ctx, true));
        pthread_join(thread, NULL);

        GSource *source = aio_get_g_source(ctx);
        int passes = 0;

        g_source_attach(source, main);
        while (g_main_context_iteration(main, FALSE)) {
            ASSERT_CMP(++passes, <, 5);
        }
        g_source_destroy(source);
        g_source_unref(source);
        g_main_context_unref(main);
        aio_context_unref(ctx);
    }
}

TEST(attached_source_keeps_its_context)
{
    GMainContext *main = g_main_context_new();
    AioContext *ctx = aio_context_new(NULL);
    GSource *source = aio_get_g_source(ctx);
    Seen seen = {.ctx = ctx};

    GSource *same = aio_get_g_source(ctx);
    ASSERT_PTR_EQ(same, source);
    g_source_unref(same);
    g_source_attach(source, main);
    g_source_unref(source);
    aio_bh_schedule_oneshot(ctx, fire, &seen);
    aio_context_unref(ctx);
    ASSERT(g_main_context_iteration(main, FALSE));
    ASSERT_EQ(seen.fires, 1);
    g_main_context_unref(main); /* the last reference */
}
/* ---- aio_poll() between GLib's preparation and its sleep ------------------
 */

static void *schedule_now(void *opaque)
{
    Seen *seen = opaque;

    aio_bh_schedule_oneshot(seen->ctx, fire, seen);
    return NULL;
}

static void schedule_from_a_thread(Seen *seen)
{
    pthread_t thread;

    ASSERT_EQ(pthread_create(&thread, NULL, schedule_now, seen), 0);
    ASSERT_EQ(pthread_join(thread, NULL), 0);
}

enum { SLEEP_MAX_MS = 10000 }; /* "for ever", but the test goes on */

/* The two halves of g_main_context_iteration(). */
typedef struct Pass {
    GMainContext *main;
    gint priority;
    gint timeout;
    GPollFD fds[16];
    gint count;
} Pass;

static void pass_prepare(Pass *pass, GMainContext *main)
{
    pass->main = main;
    ASSERT(g_main_context_acquire(main));
    g_main_context_prepare(main, &pass->priority);
    pass->count = g_main_context_query(main, pass->priority, &pass->timeout,
                                       pass->fds, 16);
    ASSERT_CMP(pass->count, <=, 16);
}

/* Sleeps and dispatches; returns how many fds woke it. */
static int pass_finish(Pass *pass)
{
    gint ms = pass->timeout < 0 ? SLEEP_MAX_MS : pass->timeout;
    int woken = g_poll(pass->fds, (guint)pass->count, ms);

    if (g_main_context_check(pass->main, pass->priority, pass->fds,
                             pass->count)) {
        g_main_context_dispatch(pass->main);
    }
    g_main_context_release(pass->main);
    return woken;
}

static void settle(GMainContext *main)
{
    for (int i = 0; i < 5 && g_main_context_iteration(main, FALSE); i++) {
    }
}

static void poll_in_between(AioContext *ctx)
{
    GMainContext *main = g_main_context_new();
    GSource *source = aio_get_g_source(ctx);
    Seen bh = {.ctx = ctx}, timer = {.ctx = ctx}, reader = {.ctx = ctx};
    QEMUTimer ts;
    Pass pass;

    g_source_attach(source, main);
    reader.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* never ready */
    aio_set_fd_handler(ctx, reader.fd, false, drain, NULL, NULL, NULL, &reader);
    settle(main);

    /* What it wakes GLib for, aio_poll() consumes; the next one counts too. */
    pass_prepare(&pass, main);
    ASSERT_CMP(pass.timeout, <, 0);
    schedule_from_a_thread(&bh);
    while (bh.fires < 1) {
        aio_poll(ctx, false);
    }
    aio_poll(ctx, false);
    schedule_from_a_thread(&bh);
    ASSERT_CMP(pass_finish(&pass), >, 0);
    settle(main);
    ASSERT_EQ(bh.fires, 2);

    /* A timer that GLib did not know of when it made up its timeout. */
    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, fire, &timer);
    pass_prepare(&pass, main);
    timer_mod_ns(&ts, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 20000000);
    aio_poll(ctx, false);
    aio_poll(ctx, false);
    ASSERT_CMP(pass_finish(&pass), >, 0);
    timer_del(&ts);
    aio_set_fd_handler(ctx, reader.fd, false, NULL, NULL, NULL, NULL, NULL);
    close(reader.fd);
    g_source_destroy(source);
    g_source_unref(source);
    g_main_context_unref(main);
}

TEST(main_context_wakes_for_what_comes_after_a_poll_inside_its_pass)
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        AioContext *ctx = aio_context_new(NULL);

        if (aio_fdmon_probe(*name, NULL)) {
            ASSERT(aio_context_set_fdmon(ctx, *name, NULL));
            poll_in_between(ctx);
        }
        aio_context_unref(ctx);
    }
}

/* A preparation that no check follows must not turn blocking into spinning. */
static void sleep_after_prepare(AioContext *ctx)
{
    GMainContext *main = g_main_context_new();
    GSource *source = aio_get_g_source(ctx);
    Seen bh = {.ctx = ctx};
    AioContextStats before, after;
    pthread_t thread;
    Pass pass;

    g_source_attach(source, main);
    settle(main);
    pass_prepare(&pass, main);
    aio_context_get_stats(ctx, &before);
    ASSERT_EQ(pthread_create(&thread, NULL, schedule_later, &bh), 0);
    while (!bh.fires) {
        aio_poll(ctx, true);
    }
    aio_context_get_stats(ctx, &after);
    ASSERT_CMP(after.iterations - before.iterations, <, 5);
    ASSERT_EQ(pthread_join(thread, NULL), 0);
    pass_finish(&pass);
    g_source_destroy(source);
    g_source_unref(source);
    g_main_context_unref(main);
}

TEST(aio_poll_sleeps_also_inside_a_pass_of_a_main_context)
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        AioContext *ctx = aio_context_new(NULL);

        if (aio_fdmon_probe(*name, NULL)) {
            ASSERT(aio_context_set_fdmon(ctx, *name, NULL));
            sleep_after_prepare(ctx);
        }
        aio_context_unref(ctx);
    }
}

static void count_request(AioRequest *req)
{
    ASSERT_EQ(req->ret, 8);
    ((Seen *)req->opaque)->fires++;
}

static void *poke_later(void *opaque)
{
    usleep(2000);
    poke(((Seen *)opaque)->fd);
    return NULL;
}

static void eventfd_requests_wake_glib(AioContext *ctx)
{
    GMainContext *main = g_main_context_new();
    GSource *source = aio_get_g_source(ctx);
    Seen seen = {.ctx = ctx, .fd = eventfd(0, EFD_CLOEXEC)};
    uint64_t value;
    pthread_t thread;

    g_source_attach(source, main);
    for (int i = 1; i <= 3; i++) {
        AioRequest req = {.op = AIO_OP_READ,
                          .fd = seen.fd,
                          .buf_index = -1,
                          .offset = -1,
                          .base = &value,
                          .len = 8,
                          .done = count_request,
                          .opaque = &seen};

        aio_request_submit(ctx, aio_engine_get(ctx, "auto", false, NULL, NULL),
                           &req);
        pthread_create(&thread, NULL, poke_later, &seen);
        while (seen.fires < i) {
            g_main_context_iteration(main, TRUE);
        }
        pthread_join(thread, NULL);
    }
    close(seen.fd);
    g_source_destroy(source);
    g_source_unref(source);
    g_main_context_unref(main);
}

TEST(file_requests_on_eventfds_wake_glib)
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        AioContext *ctx = aio_context_new(NULL);

        if (aio_fdmon_probe(*name, NULL)) {
            ASSERT(aio_context_set_fdmon(ctx, *name, NULL));
            eventfd_requests_wake_glib(ctx);
        }
        aio_context_unref(ctx);
    }
}

static void *get_source(void *opaque)
{
    return aio_get_g_source(opaque);
}

static void get_source_elsewhere(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    pthread_t thread;

    aio_poll(ctx, false);
    pthread_create(&thread, NULL, get_source, ctx);
    pthread_join(thread, NULL);
}

TEST(source_of_a_context_of_another_thread_aborts)
{
    ASSERT_ABORTS(get_source_elsewhere, NULL,
                  "a GSource for a context of another thread");
}

#else

TEST(context_works_in_a_main_context_on_every_monitor)
{
    SKIP("built without GLib");
}
#endif
