/*
 * gsource_poll_test.c - GLib's default loop as the loop of a program
 */
#include "test.h"

#ifdef CONFIG_GLIB
#include <glib.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "loop/gsource.h"
#include "qemu/coroutine.h"

/* It is never freed: its descriptor is no leak of a test's. */
__attribute__((constructor)) static void make_default_loop(void)
{
    g_main_context_default();
}

typedef struct Seen {
    AioContext *ctx;
    int fires;
    bool iterated;
    bool foreign;
} Seen;

static void fire(void *opaque)
{
    ((Seen *)opaque)->fires++;
}

static void on_monitor(const char *name, void (*scenario)(Seen *seen))
{
    Seen seen = {.ctx = aio_context_new(NULL)};

    if (aio_fdmon_probe(name, NULL)) {
        ASSERT(aio_context_set_fdmon(seen.ctx, name, NULL));
        scenario(&seen);
    }
    gsource_end(seen.ctx);
    gsource_end(seen.ctx);
    aio_context_unref(seen.ctx);
}

static void on_each_monitor(void (*scenario)(Seen *seen))
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        on_monitor(*name, scenario);
    }
}

static void progress(Seen *seen)
{
    ASSERT(!gsource_poll(seen->ctx, false, 0));
    aio_bh_schedule_oneshot(seen->ctx, fire, seen);
    ASSERT(gsource_poll(seen->ctx, true, 0));
    ASSERT_EQ(seen->fires, 1);
    aio_notify(seen->ctx);
    ASSERT(!gsource_poll(seen->ctx, true, 0)); /* woken for nothing */
}

TEST(poll_tells_whether_something_ran)
{
    on_each_monitor(progress);
}

static gboolean count(gpointer opaque)
{
    fire(opaque);
    return G_SOURCE_REMOVE;
}

static GSourceFuncs waits_for_another_thread;

static void company(Seen *seen)
{
    ASSERT(!gsource_may_act(seen->ctx));
    aio_bh_schedule_oneshot(seen->ctx, fire, seen);
    ASSERT(!gsource_may_act(seen->ctx)); /* that is ours */
    ASSERT(gsource_poll(seen->ctx, false, 0));
    ASSERT_EQ(seen->fires, 1);

    g_timeout_add(1, count, seen);
    ASSERT(gsource_may_act(seen->ctx));
    while (seen->fires < 2) {
        gsource_poll(seen->ctx, true, 0);
    }
    ASSERT(!gsource_may_act(seen->ctx));

    guint idle = g_idle_add(count, seen);
    ASSERT(gsource_may_act(seen->ctx));
    ASSERT(g_source_remove(idle));
    ASSERT(!gsource_may_act(seen->ctx));

    /* One that waits for neither a descriptor nor time. */
    GSource *source = g_source_new(&waits_for_another_thread, sizeof(GSource));
    g_source_attach(source, NULL);
    ASSERT(gsource_may_act(seen->ctx));
    g_source_destroy(source);
    g_source_unref(source);
    ASSERT(!gsource_may_act(seen->ctx));
}

TEST(it_is_known_whether_glib_has_anything_of_its_own)
{
    on_each_monitor(company);
}

/* Called by GLib: what is ours may not run on top of it. */
static gboolean iterate(gpointer opaque)
{
    Seen *seen = opaque;
    int before = seen->fires;

    seen->foreign = gsource_in_foreign_callback(seen->ctx);
    aio_bh_schedule_oneshot(seen->ctx, fire, seen);
    for (int i = 0; i < 5; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    ASSERT_EQ(seen->fires, before);
    seen->iterated = true;
    return G_SOURCE_REMOVE;
}

static void in_callback(void *opaque)
{
    Seen *seen = opaque;

    ASSERT(!gsource_in_foreign_callback(seen->ctx));
    iterate(seen);
    ASSERT(!seen->foreign);
    /* We may begin one ourselves. */
    ASSERT(gsource_poll(seen->ctx, false, 0));
    ASSERT_EQ(seen->fires, 1);
    seen->fires = 0;
}

static void coroutine_fn in_coroutine(void *opaque)
{
    iterate(opaque);
}

static void others_iterate(Seen *seen)
{
    ASSERT(!gsource_in_foreign_callback(seen->ctx));
    g_idle_add(iterate, seen);
    while (!seen->iterated || !seen->fires) {
        gsource_poll(seen->ctx, true, 0);
    }
    ASSERT(seen->foreign);

    seen->fires = 0;
    aio_bh_schedule_oneshot(seen->ctx, in_callback, seen);
    ASSERT(gsource_poll(seen->ctx, true, 0));

    aio_co_schedule(seen->ctx, qemu_coroutine_create(in_coroutine, seen));
    while (!seen->fires) {
        gsource_poll(seen->ctx, true, 0);
    }
    ASSERT_EQ(seen->fires, 1);
}

TEST(the_context_holds_still_in_iterations_of_others)
{
    on_each_monitor(others_iterate);
}

static void coroutine_fn yield_often(void *opaque)
{
    Seen *seen = opaque;

    for (int i = 0; i < 10; i++) {
        seen->fires++;
        aio_co_ready(seen->ctx, qemu_coroutine_self());
        qemu_coroutine_yield();
    }
}

static void slices(Seen *seen)
{
    gsource_poll(seen->ctx, false, 0);
    aio_co_ready(seen->ctx, qemu_coroutine_create(yield_often, seen));
    ASSERT(gsource_poll(seen->ctx, false, 0));
    ASSERT_EQ(seen->fires, 1);
    ASSERT(gsource_poll(seen->ctx, false, 3));
    ASSERT_EQ(seen->fires, 5);
    while (seen->fires < 10) {
        gsource_poll(seen->ctx, false, 100);
    }
    gsource_poll(seen->ctx, false, 100); /* its end */
}

TEST(a_dispatch_runs_as_many_slices_of_coroutines_as_asked_for)
{
    on_monitor("epoll", slices);
}
#else

TEST(glib_is_the_loop_of_a_program)
{
    SKIP("built without GLib");
}
#endif
