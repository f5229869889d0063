/*
 * mainloop_test.c - the main context, the iohandlers and the big lock
 */
#include <fcntl.h>

#include "aioctl/context.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"
#include "test.h"

static const char *monitor = "auto";

static void loop_begin(void)
{
    ASSERT_EQ(qemu_init_main_loop(NULL), 0);
    ASSERT(aio_context_set_fdmon(qemu_get_aio_context(), monitor, NULL));
}

/* A test that is run with each monitor of the main context. */
#define TEST_ON_MONITORS(name)                        \
    static void name##_once(void);                    \
    TEST(name)                                        \
    {                                                 \
        const char *const *names = aio_fdmon_names(); \
                                                      \
        for (int i = 0; names[i]; i++) {              \
            monitor = names[i];                       \
            name##_once();                            \
        }                                             \
    }                                                 \
    static void name##_once(void)

static void loop_end(void)
{
    AioContext *ctx = qemu_get_aio_context();

    qemu_set_current_aio_context(NULL);
    aio_context_unref(ctx);
    ASSERT_PTR_EQ(qemu_get_aio_context(), NULL);
}

typedef struct Fd {
    int fds[2];
    int calls;
    AioContext *seen;
    bool nest; /* poll the main context in the callback */
} Fd;

static void fd_open(Fd *fd)
{
    *fd = (Fd){.calls = 0};
    ASSERT_EQ(pipe2(fd->fds, O_NONBLOCK), 0);
}

static void fd_close(Fd *fd)
{
    close(fd->fds[0]);
    close(fd->fds[1]);
}

static void fd_write(Fd *fd)
{
    ASSERT_EQ(write(fd->fds[1], "x", 1), 1);
}

static void fd_read(void *opaque)
{
    Fd *fd = opaque;
    char c;

    fd->calls++;
    fd->seen = qemu_get_current_aio_context();
    ASSERT_EQ(read(fd->fds[0], &c, 1), 1);
}

static void count(void *opaque)
{
    (*(int *)opaque)++;
}

static void *write_soon(void *opaque)
{
    usleep(5000);
    fd_write(opaque);
    return NULL;
}

TEST_ON_MONITORS(iohandlers_are_run_by_main_loop_wait_and_not_by_nested_polls)
{
    Fd fd;

    loop_begin();
    fd_open(&fd);
    qemu_set_fd_handler(fd.fds[0], fd_read, NULL, &fd);
    main_loop_wait(true);
    fd_write(&fd);
    for (int i = 0; i < 5; i++) {
        aio_poll(qemu_get_aio_context(), false);
    }
    ASSERT(!aio_poll(qemu_get_aio_context(), false)); /* and does not spin */
    ASSERT_EQ(fd.calls, 0);
    main_loop_wait(false);
    ASSERT_EQ(fd.calls, 1);
    ASSERT_PTR_EQ(fd.seen, qemu_get_aio_context());

    fd_write(&fd); /* watched again */
    main_loop_wait(false);
    ASSERT_EQ(fd.calls, 2);
    qemu_set_fd_handler(fd.fds[0], NULL, NULL, NULL);
    fd_close(&fd);
    loop_end();
}

TEST_ON_MONITORS(sleeping_main_loop_wakes_for_an_iohandler)
{
    Fd fd;
    QemuThread writer;

    loop_begin();
    fd_open(&fd);
    qemu_set_fd_handler(fd.fds[0], fd_read, NULL, &fd);
    for (int i = 1; i <= 3; i++) {
        qemu_thread_create(&writer, "writer", write_soon, &fd,
                           QEMU_THREAD_JOINABLE);
        while (fd.calls < i) {
            main_loop_wait(false);
        }
        qemu_thread_join(&writer);
    }
    qemu_set_fd_handler(fd.fds[0], NULL, NULL, NULL);
    fd_close(&fd);
    loop_end();
}

static void *use_iohandlers(void *opaque)
{
    Fd *fd = opaque;

    usleep(5000);
    qemu_set_fd_handler(fd->fds[0], fd_read, NULL, fd);
    return NULL;
}

TEST_ON_MONITORS(first_iohandler_set_by_another_thread_wakes_the_main_loop)
{
    Fd fd;
    QemuThread thread;

    loop_begin();
    fd_open(&fd);
    fd_write(&fd);
    qemu_thread_create(&thread, "setter", use_iohandlers, &fd,
                       QEMU_THREAD_JOINABLE);
    while (fd.calls < 1) {
        main_loop_wait(false);
    }
    qemu_thread_join(&thread);
    qemu_set_fd_handler(fd.fds[0], NULL, NULL, NULL);
    fd_close(&fd);
    loop_end();
}

static void *schedule_soon(void *opaque)
{
    usleep(5000);
    aio_bh_schedule_oneshot(iohandler_get_aio_context(), count, opaque);
    return NULL;
}

TEST_ON_MONITORS(bottom_halves_and_timers_of_the_iohandlers_wake_the_main_loop)
{
    int bhs = 0, timers = 0;
    QEMUTimer ts;
    QemuThread thread;

    loop_begin();
    AioContext *io = iohandler_get_aio_context();
    qemu_thread_create(&thread, "scheduler", schedule_soon, &bhs,
                       QEMU_THREAD_JOINABLE);
    while (bhs < 1) {
        main_loop_wait(false);
    }
    qemu_thread_join(&thread);
    aio_bh_schedule_oneshot(io, count, &bhs);
    main_loop_wait(false);
    ASSERT_EQ(bhs, 2);

    aio_timer_init(io, &ts, QEMU_CLOCK_REALTIME, SCALE_MS, count, &timers);
    timer_mod(&ts, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + 5);
    while (timers < 1) {
        main_loop_wait(false);
    }
    ASSERT_EQ(aio_compute_timeout(qemu_get_aio_context()), -1);
    loop_end();
}

TEST_ON_MONITORS(regular_file_as_iohandler_is_always_ready)
{
    FILE *file = tmpfile();
    int calls = 0;

    ASSERT(file);
    loop_begin();
    qemu_set_fd_handler(fileno(file), count, NULL, &calls);
    for (int i = 1; i <= 3; i++) {
        main_loop_wait(false);
        ASSERT_EQ(calls, i);
    }
    qemu_set_fd_handler(fileno(file), NULL, NULL, NULL);
    fclose(file);
    loop_end();
}

static void handle_notifier(EventNotifier *e)
{
    ASSERT(event_notifier_test_and_clear(e));
    qemu_notify_event();
}

TEST(event_notifiers_are_iohandlers_too)
{
    EventNotifier e;

    loop_begin();
    ASSERT_EQ(event_notifier_init(&e, false), 0);
    event_notifier_set_handler(&e, handle_notifier);
    event_notifier_set(&e);
    main_loop_wait(false);
    ASSERT(!event_notifier_test_and_clear(&e));
    event_notifier_set_handler(&e, NULL);
    event_notifier_cleanup(&e);
    loop_end();
}

TEST(main_loop_may_begin_again_after_its_end)
{
    for (int i = 0; i < 3; i++) {
        loop_begin();
        iohandler_get_aio_context();
        main_loop_wait(true);
        loop_end();
    }
}

static void coroutine_fn hop(void *opaque)
{
    AioContext *ctx = qemu_get_aio_context();

    ASSERT_PTR_EQ(qemu_coroutine_get_aio_context(qemu_coroutine_self()), ctx);
    qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, 1000);
    (*(int *)opaque)++;
}

static void start_coroutine(void *opaque)
{
    qemu_coroutine_enter(qemu_coroutine_create(hop, opaque));
}

TEST(coroutines_of_iohandlers_belong_to_the_main_context)
{
    int done = 0;

    loop_begin();
    aio_bh_schedule_oneshot(iohandler_get_aio_context(), start_coroutine,
                            &done);
    main_loop_wait(false);
    while (!done) {
        aio_poll(qemu_get_aio_context(), true);
    }
    loop_end();
}

/* ---- the big lock ------------------------------------------------------- */

typedef struct Guest {
    int entries;
    int plain; /* protected by the big lock */
    bool stop; /* atomic */
    AioContext *seen;
} Guest;

static void *guest(void *opaque)
{
    Guest *g = opaque;

    ASSERT(!qemu_in_main_thread());
    while (!qatomic_read(&g->stop)) {
        qemu_mutex_lock_iothread();
        ASSERT(qemu_mutex_iothread_locked());
        ASSERT(qemu_in_main_thread());
        g->seen = qemu_get_current_aio_context();
        g->plain++;
        qatomic_inc(&g->entries);
        qemu_mutex_unlock_iothread();
        ASSERT_PTR_EQ(qemu_get_current_aio_context(), NULL);
        qemu_notify_event();
    }
    return NULL;
}

static void with_guest(void (*run)(Guest *))
{
    Guest g = {.entries = 0};
    QemuThread thread;

    loop_begin();
    qemu_thread_create(&thread, "guest", guest, &g, QEMU_THREAD_JOINABLE);
    run(&g);
    qatomic_set(&g.stop, true);
    bql_unlock();
    qemu_thread_join(&thread);
    bql_lock();
    ASSERT_EQ(g.plain, g.entries);
    ASSERT_PTR_EQ(g.entries ? g.seen : qemu_get_aio_context(),
                  qemu_get_aio_context());
    loop_end();
}

static void sleep_until_entered(Guest *g)
{
    while (qatomic_read(&g->entries) < 100) {
        main_loop_wait(false);
        g->plain++; /* we have the lock again */
        qatomic_inc(&g->entries);
    }
}

static void busy_until_entered(Guest *g)
{
    while (qatomic_read(&g->entries) < 100) {
        int calls = 0;

        aio_bh_schedule_oneshot(qemu_get_aio_context(), count, &calls);
        main_loop_wait(false);
        ASSERT_EQ(calls, 1);
    }
}

TEST_ON_MONITORS(big_lock_is_free_while_the_main_loop_sleeps)
{
    with_guest(sleep_until_entered);
}

TEST_ON_MONITORS(busy_main_loop_lets_waiting_threads_in)
{
    with_guest(busy_until_entered);
}

static void poll_without_letting_in(Guest *g)
{
    int before = g->plain;

    for (int i = 0; i < 20; i++) {
        int calls = 0;

        aio_bh_schedule_oneshot(qemu_get_aio_context(), count, &calls);
        aio_poll(qemu_get_aio_context(), true);
        usleep(100);
    }
    ASSERT_EQ(g->plain, before);
}

TEST(polling_the_main_context_keeps_the_big_lock)
{
    with_guest(poll_without_letting_in);
}

static void *signal_cond(void *opaque)
{
    QEMU_IOTHREAD_LOCK_GUARD();
    BQL_LOCK_GUARD(); /* nothing */
    qemu_cond_signal(opaque);
    return NULL;
}

TEST(condition_variables_go_with_the_big_lock)
{
    QemuCond cond;
    QemuThread thread;

    loop_begin();
    qemu_cond_init(&cond);
    ASSERT(!qemu_cond_timedwait_iothread(&cond, 1));
    qemu_thread_create(&thread, "signal", signal_cond, &cond,
                       QEMU_THREAD_JOINABLE);
    qemu_cond_wait_iothread(&cond);
    ASSERT(bql_locked());
    qemu_thread_join(&thread);
    qemu_cond_destroy(&cond);
    loop_end();
}

static void lock_twice(void *opaque)
{
    qemu_mutex_lock_iothread();
    qemu_mutex_lock_iothread();
}

static void unlock_unlocked(void *opaque)
{
    qemu_mutex_unlock_iothread();
}

static void init_twice(void *opaque)
{
    qemu_init_main_loop(NULL);
    qemu_init_main_loop(NULL);
}

static void iohandlers_too_early(void *opaque)
{
    iohandler_get_aio_context();
}

TEST(misuse_aborts_naming_the_mistake)
{
    ASSERT_ABORTS(lock_twice, NULL, "already has the big lock");
    ASSERT_ABORTS(unlock_unlocked, NULL, "does not have the big lock");
    ASSERT_ABORTS(init_twice, NULL, "called twice");
    ASSERT_ABORTS(iohandlers_too_early, NULL, "before qemu_init_main_loop");
}
