/*
 * idle_bh_test.c - idle bottom halves where nothing else happens
 */
#include "everywhere.h"
#include "qemu/main-loop.h"

static void count_down(void *opaque)
{
    --*(int *)opaque;
}

EVERYWHERE(an_idle_bottom_half_runs_though_nothing_else_happens)
{
    int left = 1;
    QEMUBH *bh = aio_bh_new(ctx, count_down, &left);

    qemu_bh_schedule_idle(bh);
    ASSERT_CMP(aio_compute_timeout(ctx), >, 0);
    ASSERT(!aio_poll(ctx, true));
    ASSERT_EQ(left, 0);
    qemu_bh_delete(bh);
    aio_poll(ctx, false);
}

TEST(an_idle_bottom_half_of_the_iohandlers_runs_in_the_main_loop)
{
    int left = 1;

    ASSERT_EQ(qemu_init_main_loop(NULL), 0);
    AioContext *ctx = qemu_get_aio_context();
    QEMUBH *bh = aio_bh_new(iohandler_get_aio_context(), count_down, &left);

    qemu_bh_schedule_idle(bh);
    while (left) {
        main_loop_wait(false);
    }
    qemu_bh_delete(bh);
    main_loop_wait(true);
    qemu_set_current_aio_context(NULL);
    aio_context_unref(ctx);
}

#ifdef CONFIG_GLIB
#include <glib.h>

EVERYWHERE(an_idle_bottom_half_runs_in_a_main_context_of_glib)
{
    GMainContext *glib = g_main_context_new();
    GSource *source = aio_get_g_source(ctx);
    int left = 1;
    QEMUBH *bh = aio_bh_new(ctx, count_down, &left);

    g_source_attach(source, glib);
    g_source_unref(source);
    while (g_main_context_iteration(glib, false)) {
    }
    qemu_bh_schedule_idle(bh);
    while (left) {
        g_main_context_iteration(glib, true);
    }
    qemu_bh_delete(bh);
    g_source_destroy(source);
    g_main_context_unref(glib);
    aio_poll(ctx, false);
}
#endif
