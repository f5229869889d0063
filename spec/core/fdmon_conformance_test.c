/*
 * fdmon_conformance_test.c - what every monitor reports, and when
 */
#include "everywhere.h"

EVERYWHERE(ready_fd_is_dispatched_by_both_kinds_of_poll)
{
    Side side = {.fd = new_event()};

    set_reader(ctx, &side, on_read_drain);
    ASSERT(!aio_poll(ctx, false));
    poke(side.fd);
    ASSERT(aio_poll(ctx, false));
    ASSERT_EQ(side.reads, 1);
    ASSERT(!aio_poll(ctx, false));
    poke(side.fd);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(side.reads, 2);
    unset(ctx, side.fd);
    close(side.fd);
}

EVERYWHERE(undrained_fd_fires_in_every_pass)
{
    Side side = {.fd = new_event()};

    set_reader(ctx, &side, on_read);
    poke(side.fd);
    for (int i = 1; i <= 5; i++) {
        ASSERT(aio_poll(ctx, i % 2));
        ASSERT_EQ(side.reads, i);
    }
    unset(ctx, side.fd);
    ASSERT(!aio_poll(ctx, false));
    close(side.fd);
}

EVERYWHERE(handlers_run_in_the_order_in_which_fds_became_ready)
{
    char log[16] = "";
    Side side[4];

    for (int i = 0; i < 4; i++) {
        side[i] = (Side){.fd = new_event(), .log = log, .letter = 'a' + i};
        set_reader(ctx, &side[i], on_read_drain);
    }
    ASSERT(!aio_poll(ctx, false)); /* io_uring: the polls are in the kernel */
    for (int i = 0; i < 4; i++) {
        poke(side[i].fd);
    }
    while (strlen(log) < 4) {
        ASSERT(aio_poll(ctx, true));
    }
    ASSERT_STR_EQ(log, "abcd");
    for (int i = 0; i < 4; i++) {
        unset(ctx, side[i].fd);
        close(side[i].fd);
    }
}

EVERYWHERE(fd_with_io_poll_only_is_dispatched_without_blocking_too)
{
    Side side = {.fd = new_event()};

    aio_set_fd_handler(ctx, side.fd, false, on_read_drain, NULL, poll_says,
                       on_poll_ready, &side);
    poke(side.fd);
    ASSERT(aio_poll(ctx, false));
    ASSERT_EQ(side.reads, 1);
    ASSERT(!aio_poll_disabled(ctx));
    unset(ctx, side.fd);
    close(side.fd);
}

EVERYWHERE(write_handler_follows_read_handler_and_stops_when_removed)
{
    int pair[2];
    Side side;

    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    side = (Side){.fd = pair[0]};
    aio_set_fd_handler(ctx, pair[0], false, on_read, on_write, NULL, NULL,
                       &side);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(side.reads, 0);
    ASSERT_EQ(side.writes, 1);
    poke(pair[1]);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(side.writes, 2);
    while (side.reads == 0) {
        ASSERT(aio_poll(ctx, true));
    }
    /* Only reading is left: it must not fire for writing any more. */
    int writes = side.writes, reads = side.reads;
    aio_set_fd_handler(ctx, pair[0], false, on_read, NULL, NULL, NULL, &side);
    while (side.reads == reads) {
        ASSERT(aio_poll(ctx, true));
    }
    ASSERT_EQ(side.writes, writes);
    unset(ctx, pair[0]);
    close(pair[0]);
    close(pair[1]);
}

EVERYWHERE(hang_up_and_errors_reach_the_reader_and_the_writer)
{
    int fds[2];
    Side reader, writer;

    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    reader = (Side){.fd = fds[0]};
    set_reader(ctx, &reader, remove_self);
    close(fds[1]);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(reader.reads, 1);
    close(fds[0]);

    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    writer = (Side){.ctx = ctx, .fd = fds[1]};
    close(fds[0]);
    aio_set_fd_handler(ctx, fds[1], false, NULL, remove_self, NULL, NULL,
                       &writer);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(writer.reads, 1);
    close(fds[1]);
}

EVERYWHERE(fd_without_interest_does_not_keep_the_loop_busy)
{
    int fds[2];
    Side side;

    /* Hung up, but nobody asked for anything but io_poll. */
    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    close(fds[1]);
    side = (Side){.fd = fds[0]};
    aio_set_fd_handler(ctx, fds[0], false, NULL, NULL, poll_says, on_poll_ready,
                       &side);
    QEMUTimer timer;
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, on_write, &side);
    timer_mod_ns(&timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 5000000);
    int passes = 0;
    while (!side.writes) {
        aio_poll(ctx, true);
        passes++;
    }
    ASSERT_CMP(passes, <=, 4);
    unset(ctx, fds[0]);
    close(fds[0]);
}

EVERYWHERE(regular_file_is_always_ready)
{
    char path[] = "/tmp/aioctl-fdmon-XXXXXX";
    int fd = mkstemp(path);
    Side side = {.fd = fd};

    ASSERT_CMP(fd, >=, 0);
    unlink(path);
    set_reader(ctx, &side, on_read);
    for (int i = 1; i <= 3; i++) {
        ASSERT(aio_poll(ctx, true));
        ASSERT_EQ(side.reads, i);
    }
    unset(ctx, fd);
    ASSERT(!aio_poll(ctx, false));
    close(fd);
}

static int64_t time_of_timer(AioContext *ctx, int64_t ns)
{
    bool fired = false;
    QEMUTimer timer;
    int64_t start;

    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_US, set_flag,
                   &fired);
    start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    timer_mod_ns(&timer, start + ns);
    while (!fired) {
        aio_poll(ctx, true);
    }
    return qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start;
}

/* A busy machine may be late any time, but a monitor that rounds to
 * milliseconds is late every time: one prompt try of many decides. */
EVERYWHERE(timeout_has_microsecond_precision)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < 500 && best >= 900000; i++) {
        int64_t took = time_of_timer(ctx, 200000);

        ASSERT_CMP(took, >=, 200000);
        best = MIN(best, took);
    }
    if (!test_is_slow()) {
        ASSERT_CMP(best, <, 900000);
    }
}

EVERYWHERE(thousand_fds_are_all_seen)
{
    enum { N = 1000 };
    Side *side = calloc(N, sizeof(*side));
    int seen = 0;

    for (int i = 0; i < N; i++) {
        side[i].fd = new_event();
        set_reader(ctx, &side[i], on_read_drain);
        poke(side[i].fd);
    }
    for (int pass = 0; pass < N && seen < N; pass++) {
        ASSERT(aio_poll(ctx, true));
        seen = 0;
        for (int i = 0; i < N; i++) {
            seen += side[i].reads;
        }
    }
    ASSERT_EQ(seen, N);
    for (int i = 0; i < N; i++) {
        unset(ctx, side[i].fd);
        close(side[i].fd);
    }
    free(side);
}

static void *notify_thread(void *opaque)
{
    usleep(2000);
    aio_notify(opaque);
    return NULL;
}

EVERYWHERE(aio_notify_ends_a_wait_without_progress)
{
    pthread_t thread;

    aio_poll(ctx, false);
    pthread_create(&thread, NULL, notify_thread, ctx);
    ASSERT(!aio_poll(ctx, true));
    pthread_join(thread, NULL);
    ASSERT(!aio_poll(ctx, false));
}
