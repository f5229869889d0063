/*
 * iothread_glib_test.c - threads that run a context and GLib's sources
 */
#include "test.h"

#ifdef CONFIG_GLIB

#include <glib-unix.h>
#include <stdlib.h>

#include "aioctl/iothread.h"
#include "qemu/coroutine.h"
#include "qemu/thread.h"

/* The first thread with a default of its own makes the global default, which
 * stays: descriptors are counted from then on. */
static __attribute__((constructor)) void make_default_context(void)
{
    g_main_context_default();
}

typedef struct Seen {
    int thread_id;
    GMainContext *thread_default;
    AioContext *ctx;
    QemuSemaphore sem;
} Seen;

static void look(Seen *seen)
{
    seen->thread_id = qemu_get_thread_id();
    seen->thread_default = g_main_context_get_thread_default();
    seen->ctx = qemu_get_current_aio_context();
    qemu_sem_post(&seen->sem);
}

static void look_in_bh(void *opaque)
{
    look(opaque);
}

static gboolean look_in_source(gpointer opaque)
{
    look(opaque);
    return G_SOURCE_REMOVE;
}

static gboolean look_in_fd_source(gint fd, GIOCondition condition,
                                  gpointer opaque)
{
    char c;

    ASSERT_EQ(read(fd, &c, 1), 1);
    look(opaque);
    return G_SOURCE_REMOVE;
}

static void attach(GMainContext *context, GSource *source)
{
    g_source_attach(source, context);
    g_source_unref(source);
}

TEST(sources_and_bottom_halves_run_in_the_same_thread)
{
    IOThread *iothread = iothread_new();
    AioContext *ctx = iothread_get_aio_context(iothread);
    int fds[2];
    Seen seen = {.ctx = NULL};

    ASSERT_EQ(pipe(fds), 0);
    qemu_sem_init(&seen.sem, 0);
    GMainContext *context = iothread_get_g_main_context(iothread);
    ASSERT_PTR_EQ(iothread_get_g_main_context(iothread), context);

    for (int i = 0; i < 3; i++) {
        GSource *source = i == 0   ? g_idle_source_new()
                          : i == 1 ? g_timeout_source_new(1)
                                   : g_unix_fd_source_new(fds[0], G_IO_IN);
        GSourceFunc fn = i == 2 ? (GSourceFunc)(void (*)(void))look_in_fd_source
                                : look_in_source;
        g_source_set_callback(source, fn, &seen, NULL);
        attach(context, source);
        if (i == 2) {
            ASSERT_EQ(write(fds[1], "x", 1), 1);
        }
        qemu_sem_wait(&seen.sem);
        ASSERT_EQ(seen.thread_id, aio_iothread_thread_id(iothread));
        ASSERT_PTR_EQ(seen.thread_default, context);
        ASSERT_PTR_EQ(seen.ctx, ctx);

        seen = (Seen){.sem = seen.sem};
        aio_bh_schedule_oneshot(ctx, look_in_bh, &seen);
        qemu_sem_wait(&seen.sem);
        ASSERT_EQ(seen.thread_id, aio_iothread_thread_id(iothread));
        ASSERT_PTR_EQ(seen.ctx, ctx);
    }
    iothread_destroy(iothread);
    qemu_sem_destroy(&seen.sem);
    close(fds[0]);
    close(fds[1]);
}

static void coroutine_fn nap(void *opaque)
{
    for (int i = 0; i < 20; i++) {
        qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, 100000);
    }
    qemu_sem_post(opaque);
}

TEST(coroutines_sleep_in_a_thread_that_runs_glib)
{
    IOThread *iothread = iothread_new();
    QemuSemaphore done;

    qemu_sem_init(&done, 0);
    iothread_get_g_main_context(iothread);
    aio_co_schedule(iothread_get_aio_context(iothread),
                    qemu_coroutine_create(nap, &done));
    qemu_sem_wait(&done);
    iothread_destroy(iothread);
    qemu_sem_destroy(&done);
}

TEST(such_threads_come_and_go_with_and_without_having_run_glib)
{
    for (int i = 0; i < (test_is_slow() ? 20 : 200); i++) {
        IOThread *iothread = iothread_new();

        iothread_get_g_main_context(iothread);
        iothread_join(iothread);
    }
}
#else

TEST(glib_is_not_compiled_in)
{
    SKIP("built without GLib");
}
#endif
