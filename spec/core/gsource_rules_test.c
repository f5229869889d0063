/*
 * gsource_rules_test.c - what a context promises while a GMainContext drives it
 */
#include "aioctl/request.h"
#include "loop/context.h"
#include "everywhere.h"

#ifdef CONFIG_GLIB
#include <glib.h>

#include "qemu/coroutine.h"
#include "qemu/main-loop.h"

typedef struct Seen {
    AioContext *ctx;
    GMainContext *main;
    GSource *source;
    int fd;
    int fires;
    char *log;
    char letter;
    bool done;
} Seen;

static void fire(void *opaque)
{
    Seen *seen = opaque;

    seen->fires++;
    if (seen->log) {
        seen->log[strlen(seen->log)] = seen->letter;
    }
}

static void fire_and_drain(void *opaque)
{
    Seen *seen = opaque;
    uint64_t value;

    fire(opaque);
    ASSERT_EQ(read(seen->fd, &value, sizeof(value)), sizeof(value));
}

static void coroutine_fn fire_in_coroutine(void *opaque)
{
    fire(opaque);
}

static void attach(AioContext *ctx, Seen *seen)
{
    *seen = (Seen){.ctx = ctx, .fd = -1, .main = g_main_context_new()};
    seen->source = aio_get_g_source(ctx);
    g_source_attach(seen->source, seen->main);
    for (int i = 0; i < 5 && g_main_context_iteration(seen->main, FALSE); i++) {
    }
}

static void detach(Seen *seen)
{
    g_source_destroy(seen->source);
    g_source_unref(seen->source);
    g_main_context_unref(seen->main);
}

static void iterate_until(Seen *seen, int fires)
{
    while (seen->fires < fires) {
        g_main_context_iteration(seen->main, TRUE);
    }
}

static void watch(Seen *seen)
{
    aio_set_fd_handler(seen->ctx, seen->fd, false, fire_and_drain, NULL, NULL,
                       NULL, seen);
}

/* ---- prepare, check, dispatch ------------------------------------------- */

/* What GLib is told to sleep at most. */
static gint timeout_of(Seen *seen)
{
    GPollFD fds[16];
    gint priority, timeout, count;

    ASSERT(g_main_context_acquire(seen->main));
    g_main_context_prepare(seen->main, &priority);
    count = g_main_context_query(seen->main, priority, &timeout, fds, 16);
    if (g_main_context_check(seen->main, priority, fds, count)) {
        g_main_context_dispatch(seen->main);
    }
    g_main_context_release(seen->main);
    return timeout;
}

EVERYWHERE(glib_sleeps_no_longer_than_the_next_deadline_rounded_up)
{
    Seen glib, late = {.ctx = ctx}, half = {.ctx = ctx};
    QEMUTimer timer;
    QEMUBH *bh = aio_bh_new(ctx, fire, &half);

    attach(ctx, &glib);
    ASSERT_EQ(timeout_of(&glib), -1);
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, fire, &late);
    timer_mod_ns(&timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) +
                             5 * NANOSECONDS_PER_SECOND + SCALE_MS / 2);
    gint timeout = timeout_of(&glib);
    ASSERT_CMP(timeout, >, 4000);
    ASSERT_CMP(timeout, <=, 5001);
    timer_mod_ns(&timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 500000);
    ASSERT_CMP(timeout_of(&glib), <=, 1); /* 0 if that took so long */
    timer_del(&timer);
    qemu_bh_schedule_idle(bh);
    ASSERT_EQ(timeout_of(&glib), 10);
    ASSERT_EQ(half.fires, 1); /* it runs whenever the loop has woken up */
    qemu_bh_schedule(bh);
    ASSERT_EQ(timeout_of(&glib), 0);
    qemu_bh_delete(bh);
    ASSERT_EQ(half.fires, 2);
    g_main_context_iteration(glib.main, FALSE);
    detach(&glib);
}

EVERYWHERE(dispatch_runs_the_phases_in_the_order_of_aio_poll)
{
    char log[8] = "";
    Seen glib, bh = {.log = log, .letter = 'b'}, co = {.log = log},
               timer = {.log = log, .letter = 't'},
               reader = {.ctx = ctx, .log = log, .letter = 'f'};
    QEMUTimer ts;

    attach(ctx, &glib);
    co.letter = 'c';
    reader.fd = new_event();
    watch(&reader);
    g_main_context_iteration(glib.main, FALSE); /* io_uring: is polled now */
    aio_co_schedule(ctx, qemu_coroutine_create(fire_in_coroutine, &co));
    aio_timer_init(ctx, &ts, QEMU_CLOCK_REALTIME, SCALE_NS, fire, &timer);
    timer_mod_ns(&ts, 0);
    poke(reader.fd);
    aio_bh_schedule_oneshot(ctx, fire, &bh);
    while (strlen(log) < 4) {
        ASSERT(g_main_context_iteration(glib.main, FALSE));
    }
    ASSERT_STR_EQ(log, "bftc");
    unset(ctx, reader.fd);
    close(reader.fd);
    detach(&glib);
}

static void *poke_later(void *opaque)
{
    usleep(2000);
    poke(((Seen *)opaque)->fd);
    return NULL;
}

static void nest_everything(void *opaque)
{
    Seen *glib = opaque;
    Seen inner = {.ctx = glib->ctx, .main = glib->main, .fd = new_event()};
    pthread_t thread;

    watch(&inner);
    pthread_create(&thread, NULL, poke_later, &inner);
    while (inner.fires < 1) {
        aio_poll(glib->ctx, true);
    }
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, poke_later, &inner);
    iterate_until(&inner, 2); /* the source may be dispatched inside itself */
    pthread_join(thread, NULL);
    unset(glib->ctx, inner.fd);
    close(inner.fd);
    glib->done = true;
}

EVERYWHERE(callbacks_of_the_source_may_poll_and_iterate_glib)
{
    Seen glib;

    attach(ctx, &glib);
    aio_bh_schedule_oneshot(ctx, nest_everything, &glib);
    while (!glib.done) {
        g_main_context_iteration(glib.main, TRUE);
    }
    ASSERT_EQ(ctx->depth, 0);
    ASSERT_EQ(ctx->walking, 0);
    detach(&glib);
}

/* ---- the life of the source --------------------------------------------- */

static void attach_inside(void *opaque)
{
    Seen *seen = opaque;

    attach(seen->ctx, seen); /* iterates, too */
    seen->done = true;
}

EVERYWHERE(context_may_be_attached_while_it_is_being_polled)
{
    Seen seen = {.ctx = ctx};

    aio_bh_schedule_oneshot(ctx, attach_inside, &seen);
    ASSERT(aio_poll(ctx, true));
    ASSERT(seen.done);
    seen.fd = new_event();
    watch(&seen);
    poke(seen.fd);
    iterate_until(&seen, 1);
    unset(ctx, seen.fd);
    close(seen.fd);
    detach(&seen);
}

static void destroy_source(void *opaque)
{
    Seen *seen = opaque;

    seen->fires++;
    g_source_destroy(seen->source);
}

EVERYWHERE(source_may_be_destroyed_by_a_callback_and_the_context_polled_on)
{
    Seen glib, after = {.ctx = ctx};

    attach(ctx, &glib);
    aio_bh_schedule_oneshot(ctx, destroy_source, &glib);
    iterate_until(&glib, 1);
    aio_bh_schedule_oneshot(ctx, fire, &after);
    ASSERT(!g_main_context_iteration(glib.main, FALSE));
    ASSERT_EQ(after.fires, 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(after.fires, 1);
    detach(&glib);
}

/* Between GLib's preparation and its sleep: nobody is left to be woken. */
EVERYWHERE(source_may_be_destroyed_by_a_poll_inside_a_pass_of_glib)
{
    GPollFD fds[16];
    gint priority, timeout;
    Seen glib;

    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
    attach(ctx, &glib);
    ASSERT(g_main_context_acquire(glib.main));
    g_main_context_prepare(glib.main, &priority);
    gint count = g_main_context_query(glib.main, priority, &timeout, fds, 16);
    aio_bh_schedule_oneshot(ctx, destroy_source, &glib);
    ASSERT(aio_poll(ctx, true));
    g_main_context_check(glib.main, priority, fds, count);
    g_main_context_dispatch(glib.main);
    g_main_context_release(glib.main);
    ASSERT_EQ(glib.fires, 1);
    detach(&glib);
}

EVERYWHERE(source_whose_main_context_is_gone_wakes_nobody)
{
    gint priority;
    Seen glib;

    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR);
    attach(ctx, &glib);
    ASSERT(g_main_context_acquire(glib.main));
    g_main_context_prepare(glib.main, &priority);
    g_main_context_release(glib.main);
    g_main_context_unref(glib.main);
    ASSERT(!aio_poll(ctx, false));
    g_source_unref(glib.source);
}

TEST(last_reference_may_be_the_contexts_or_the_sources)
{
    for (int source_last = 0; source_last < 2; source_last++) {
        AioContext *ctx = aio_context_new(NULL);
        Seen glib;

        attach(ctx, &glib);
        if (source_last) {
            aio_context_unref(ctx);
            detach(&glib);
        } else {
            detach(&glib);
            aio_poll(ctx, false);
            aio_context_unref(ctx);
        }
    }
}

/* ---- monitors and handlers under GLib ----------------------------------- */

EVERYWHERE(monitor_stays_in_use_under_glib_however_many_fds)
{
    enum { N = 100 };
    const char *monitor = aio_context_fdmon(ctx);
    Seen glib, seen[N];

    attach(ctx, &glib);
    for (int i = 0; i < N; i++) {
        seen[i] = (Seen){.ctx = ctx, .main = glib.main, .fd = new_event()};
        watch(&seen[i]);
    }
    for (int i = 0; i < N; i++) {
        poke(seen[i].fd);
        iterate_until(&seen[i], 1);
    }
    ASSERT_STR_EQ(aio_context_fdmon(ctx), monitor);
    for (int i = 0; i < N; i++) {
        ASSERT_EQ(seen[i].fires, 1);
        unset(ctx, seen[i].fd);
        close(seen[i].fd);
    }
    detach(&glib);
}

static void count_request(AioRequest *req)
{
    ((Seen *)req->opaque)->fires++;
}

static void switch_with_request(Seen *glib, const char *monitor,
                                const char *engine)
{
    AioContext *ctx = glib->ctx;
    Seen file = {.main = glib->main},
         reader = {.ctx = ctx, .main = glib->main, .fd = new_event()};
    int pipes[2];
    char byte = 0;
    AioRequest req = {.op = AIO_OP_READ,
                      .buf_index = -1,
                      .offset = -1,
                      .base = &byte,
                      .len = 1,
                      .done = count_request,
                      .opaque = &file};

    ASSERT_EQ(pipe2(pipes, O_CLOEXEC), 0);
    req.fd = pipes[0];
    watch(&reader);
    aio_request_submit(ctx, aio_engine_get(ctx, engine, false, NULL, NULL),
                       &req);
    g_main_context_iteration(glib->main, FALSE);
    ASSERT(aio_context_set_fdmon(ctx, monitor, NULL));
    poke(reader.fd);
    iterate_until(&reader, 1);
    ASSERT_EQ(file.fires, 0);
    ASSERT_EQ(write(pipes[1], "x", 1), 1);
    iterate_until(&file, 1);
    ASSERT_EQ(byte, 'x');
    unset(ctx, reader.fd);
    close(reader.fd);
    close(pipes[0]);
    close(pipes[1]);
}

EVERYWHERE(monitor_may_be_switched_under_glib_with_file_requests_in_flight)
{
    const char *own = aio_context_fdmon(ctx);
    Seen glib;

    attach(ctx, &glib);
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        if (aio_fdmon_probe(*name, NULL)) {
            switch_with_request(&glib, *name, "threads");
            switch_with_request(&glib, own, "threads");
            switch_with_request(&glib, *name, "auto");
            switch_with_request(&glib, own, "auto");
        }
    }
    detach(&glib);
}

EVERYWHERE(external_handlers_rest_under_glib_while_disabled)
{
    Seen glib, outside = {.ctx = ctx, .fd = new_event()};

    attach(ctx, &glib);
    outside.main = glib.main;
    aio_set_fd_handler(ctx, outside.fd, true, fire_and_drain, NULL, NULL, NULL,
                       &outside);
    aio_disable_external(ctx);
    poke(outside.fd);
    for (int i = 0; i < 5; i++) {
        g_main_context_iteration(glib.main, FALSE);
    }
    ASSERT_EQ(outside.fires, 0);
    ASSERT(!g_main_context_iteration(glib.main, FALSE)); /* nor does it spin */
    aio_enable_external(ctx);
    iterate_until(&outside, 1);
    unset(ctx, outside.fd);
    close(outside.fd);
    detach(&glib);
}

EVERYWHERE(fd_that_epoll_refuses_is_seen_under_glib)
{
    Seen glib, folder = {.ctx = ctx};

    attach(ctx, &glib);
    folder.main = glib.main;
    folder.fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    aio_set_fd_handler(ctx, folder.fd, false, fire, NULL, NULL, NULL, &folder);
    iterate_until(&folder, 3);
    unset(ctx, folder.fd);
    close(folder.fd);
    for (int i = 0; i < 5; i++) {
        g_main_context_iteration(glib.main, FALSE);
    }
    ASSERT(!g_main_context_iteration(glib.main, FALSE));
    detach(&glib);
}

static void *change_handlers(void *opaque)
{
    Seen *seen = opaque;

    usleep(1000);
    watch(seen);
    poke(seen->fd);
    return NULL;
}

EVERYWHERE(handler_that_a_thread_registers_while_glib_sleeps_is_watched)
{
    Seen glib, seen = {.ctx = ctx, .fd = new_event()};
    pthread_t thread;

    attach(ctx, &glib);
    seen.main = glib.main;
    pthread_create(&thread, NULL, change_handlers, &seen);
    iterate_until(&seen, 1);
    pthread_join(thread, NULL);
    unset(ctx, seen.fd);
    close(seen.fd);
    detach(&glib);
}

#else

TEST(glib_is_not_compiled_in)
{
    SKIP("built without GLib");
}
#endif
