/*
 * iohandler_glib_test.c - the iohandlers as a source of a GMainContext
 */
#include "everywhere.h"
#include "qemu/main-loop.h"

#ifdef CONFIG_GLIB
#include <glib.h>

TEST(the_iohandlers_run_in_a_main_context_of_glib)
{
    Side side = {.fd = new_event()};
    GMainContext *glib = g_main_context_new();

    ASSERT_EQ(qemu_init_main_loop(NULL), 0);
    AioContext *ctx = qemu_get_aio_context();
    GSource *source = iohandler_get_g_source();
    g_source_attach(source, glib);
    g_source_unref(source);
    qemu_set_fd_handler(side.fd, on_read_drain, NULL, &side);
    for (int i = 1; i <= 3; i++) {
        poke(side.fd);
        ASSERT(!aio_poll(ctx, false)); /* the main context's own things */
        ASSERT_EQ(side.reads, i - 1);
        while (side.reads < i) {
            g_main_context_iteration(glib, true);
        }
    }
    qemu_set_fd_handler(side.fd, NULL, NULL, NULL);
    close(side.fd);
    g_source_destroy(source);
    g_main_context_unref(glib);
    qemu_set_current_aio_context(NULL);
    aio_context_unref(ctx);
}
#else
TEST(the_iohandlers_run_in_a_main_context_of_glib)
{
    SKIP("built without GLib");
}
#endif
