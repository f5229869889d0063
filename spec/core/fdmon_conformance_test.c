/*
 * fdmon_conformance_test.c - every promise about fds, on every monitor
 *
 * A scenario is a function of a context.  Each runs once per row of the table
 * of monitors; a row that this machine refuses is reported and left out.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "qemu/atomic.h"
#include "test.h"

typedef struct Side {
    AioContext *ctx;
    int fd;
    int reads;
    int writes;
    int polls_ready;
    bool poll_answer;
    char *log;
    char letter;
    struct Side *other;
} Side;

static void run_everywhere(void (*scenario)(AioContext *ctx))
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        char *why = NULL;
        Error *err = NULL;

        if (!aio_fdmon_probe(*name, &why)) {
            printf("# left out: %s\n", why);
            free(why);
            continue;
        }
        AioContext *ctx = aio_context_new(NULL);
        char strict[32];
        snprintf(strict, sizeof(strict), "%s!", *name);
        if (!aio_context_set_fdmon(ctx, strict, &err)) {
            FAIL("%s: %s", *name, error_get_pretty(err));
        }
        ASSERT_STR_EQ(aio_context_fdmon(ctx), *name);
        scenario(ctx);
        aio_context_unref(ctx);
    }
}

#define EVERYWHERE(name)                          \
    static void name##_on(AioContext *ctx);       \
    TEST(name)                                    \
    {                                             \
        run_everywhere(name##_on);                \
    }                                             \
    static void name##_on(AioContext *ctx)

static void on_read(void *opaque)
{
    Side *side = opaque;

    side->reads++;
    if (side->log) {
        side->log[strlen(side->log)] = side->letter;
    }
}

static void on_read_drain(void *opaque)
{
    Side *side = opaque;
    uint64_t value;

    on_read(opaque);
    ASSERT_CMP(read(side->fd, &value, sizeof(value)), >, 0);
}

static void on_write(void *opaque)
{
    ((Side *)opaque)->writes++;
}

static bool poll_says(void *opaque)
{
    return ((Side *)opaque)->poll_answer;
}

static void on_poll_ready(void *opaque)
{
    Side *side = opaque;

    side->polls_ready++;
    side->poll_answer = false;
}

static void set_reader(AioContext *ctx, Side *side, IOHandler *read_cb)
{
    side->ctx = ctx;
    aio_set_fd_handler(ctx, side->fd, false, read_cb, NULL, NULL, NULL, side);
}

static void unset(AioContext *ctx, int fd)
{
    aio_set_fd_handler(ctx, fd, false, NULL, NULL, NULL, NULL, NULL);
}

static void poke(int fd)
{
    uint64_t one = 1;

    ASSERT_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

static int new_event(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    ASSERT_CMP(fd, >=, 0);
    return fd;
}

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

static void remove_self(void *opaque)
{
    Side *side = opaque;

    side->reads++;
    unset(side->ctx, side->fd);
}

EVERYWHERE(handler_that_removes_itself_is_not_called_for_writing)
{
    int pair[2];

    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    Side side = {.ctx = ctx, .fd = pair[0]};
    poke(pair[1]);
    aio_set_fd_handler(ctx, pair[0], false, remove_self, on_write, NULL, NULL,
                       &side);
    for (int i = 0; i < 5; i++) {
        aio_poll(ctx, false);
    }
    ASSERT_EQ(side.reads, 1);
    ASSERT_EQ(side.writes, 0);
    close(pair[0]);
    close(pair[1]);
}

static void remove_other(void *opaque)
{
    Side *side = opaque;

    side->reads++;
    unset(side->ctx, side->other->fd);
    unset(side->ctx, side->fd);
}

EVERYWHERE(handler_removed_by_another_in_the_same_pass_is_not_called)
{
    Side a = {.fd = new_event()}, b = {.fd = new_event(), .other = &a};

    a.other = &b;
    set_reader(ctx, &a, remove_other);
    set_reader(ctx, &b, remove_other);
    poke(a.fd);
    poke(b.fd);
    for (int i = 0; i < 5; i++) {
        aio_poll(ctx, false);
    }
    ASSERT_EQ(a.reads + b.reads, 1);
    close(a.fd);
    close(b.fd);
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
    aio_set_fd_handler(ctx, fds[0], false, NULL, NULL, poll_says,
                       on_poll_ready, &side);
    QEMUTimer timer;
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS,
                   on_write, &side);
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

EVERYWHERE(external_handlers_rest_while_disabled_and_come_back)
{
    Side outside = {.fd = new_event()}, inside = {.fd = new_event()};

    aio_set_fd_handler(ctx, outside.fd, true, on_read, NULL, NULL, NULL,
                       &outside);
    set_reader(ctx, &inside, on_read_drain);
    poke(outside.fd);
    aio_disable_external(ctx);
    aio_disable_external(ctx);
    ASSERT(aio_external_disabled(ctx));
    ASSERT(!aio_poll(ctx, false));
    poke(inside.fd);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(outside.reads, 0);
    ASSERT_EQ(inside.reads, 1);
    aio_enable_external(ctx);
    ASSERT(!aio_poll(ctx, false));
    ASSERT_EQ(outside.reads, 0);
    aio_enable_external(ctx);
    while (!outside.reads) {
        aio_poll(ctx, true);
    }
    unset(ctx, outside.fd);
    unset(ctx, inside.fd);
    close(outside.fd);
    close(inside.fd);
}

static void *change_handlers(void *opaque)
{
    Side *side = opaque;

    for (int i = 0; i < 200; i++) {
        aio_set_fd_handler(side->ctx, side->fd, false, on_read, NULL, NULL,
                           NULL, side);
        aio_set_fd_handler(side->ctx, side->fd, false, on_read_drain, NULL,
                           NULL, NULL, side);
        unset(side->ctx, side->fd);
    }
    set_reader(side->ctx, side, on_read_drain);
    poke(side->fd);
    return NULL;
}

EVERYWHERE(another_thread_may_change_handlers_while_the_loop_sleeps)
{
    Side side = {.ctx = ctx, .fd = new_event()};
    pthread_t thread;

    aio_poll(ctx, false);
    pthread_create(&thread, NULL, change_handlers, &side);
    while (!side.reads) {
        aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    unset(ctx, side.fd);
    aio_poll(ctx, false);
    close(side.fd);
}

static void poll_inside(void *opaque)
{
    Side *side = opaque;

    on_read_drain(opaque);
    poke(side->other->fd);
    while (!side->other->reads) {
        ASSERT(aio_poll(side->ctx, true));
    }
}

EVERYWHERE(nested_poll_dispatches_other_handlers)
{
    Side outer = {.fd = new_event()}, inner = {.fd = new_event()};

    outer.other = &inner;
    set_reader(ctx, &outer, poll_inside);
    set_reader(ctx, &inner, on_read_drain);
    poke(outer.fd);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(outer.reads, 1);
    ASSERT_EQ(inner.reads, 1);
    unset(ctx, outer.fd);
    unset(ctx, inner.fd);
    close(outer.fd);
    close(inner.fd);
}

static void poll_and_wait_for_both(void *opaque)
{
    Side *side = opaque;

    on_read_drain(opaque);
    while (!side->other->reads) {
        ASSERT(aio_poll(side->ctx, true));
    }
}

EVERYWHERE(nested_poll_finds_what_the_outer_one_had_harvested)
{
    Side a = {.fd = new_event()}, b = {.fd = new_event()};

    a.other = &b;
    b.other = &a;
    set_reader(ctx, &a, poll_and_wait_for_both);
    set_reader(ctx, &b, poll_and_wait_for_both);
    aio_poll(ctx, false);
    poke(a.fd);
    poke(b.fd);
    while (!a.reads || !b.reads) {
        ASSERT(aio_poll(ctx, true));
    }
    ASSERT_EQ(a.reads, 1);
    ASSERT_EQ(b.reads, 1);
    unset(ctx, a.fd);
    unset(ctx, b.fd);
    close(a.fd);
    close(b.fd);
}

static void set_flag(void *opaque)
{
    *(bool *)opaque = true;
}

EVERYWHERE(timeout_has_microsecond_precision)
{
    bool fired = false;
    QEMUTimer timer;
    int64_t start, took;

    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_US, set_flag,
                   &fired);
    start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    timer_mod_ns(&timer, start + 200000);
    while (!fired) {
        aio_poll(ctx, true);
    }
    took = qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start;
    ASSERT_CMP(took, >=, 200000);
    if (!test_is_slow()) {
        ASSERT_CMP(took, <, 900000 * 20); /* a loaded machine */
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

EVERYWHERE(fd_number_may_be_reused_after_removal)
{
    for (int i = 0; i < 50; i++) {
        Side side = {.fd = new_event()};

        set_reader(ctx, &side, on_read_drain);
        if (i % 2) {
            aio_poll(ctx, false);
        }
        poke(side.fd);
        ASSERT(aio_poll(ctx, true));
        ASSERT_EQ(side.reads, 1);
        unset(ctx, side.fd);
        close(side.fd);
    }
}

EVERYWHERE(fd_closed_behind_our_back_with_a_duplicate_does_not_spin)
{
    Side side = {.fd = new_event()};
    int copy = dup(side.fd);
    bool fired = false;
    QEMUTimer timer;
    int passes = 0;

    set_reader(ctx, &side, on_read);
    aio_poll(ctx, false);
    close(side.fd); /* wrong order, but it happens */
    unset(ctx, side.fd);
    poke(copy);
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_MS, set_flag,
                   &fired);
    timer_mod_ns(&timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 5000000);
    while (!fired) {
        aio_poll(ctx, true);
        passes++;
    }
    ASSERT_EQ(side.reads, 0);
    ASSERT_CMP(passes, <=, 6);
    close(copy);
}

EVERYWHERE(monitor_can_be_switched_with_handlers_and_inside_a_callback)
{
    const char *own = aio_context_fdmon(ctx);
    Side side = {.fd = new_event()};

    set_reader(ctx, &side, on_read_drain);
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        int reads = side.reads;

        ASSERT(aio_context_set_fdmon(ctx, *name, NULL));
        poke(side.fd);
        ASSERT(aio_poll(ctx, true));
        ASSERT_EQ(side.reads, reads + 1);
        ASSERT(aio_context_set_fdmon(ctx, own, NULL));
        poke(side.fd);
        ASSERT(aio_poll(ctx, true));
        ASSERT_EQ(side.reads, reads + 2);
    }
    unset(ctx, side.fd);
    close(side.fd);
}

static void switch_inside(void *opaque)
{
    Side *side = opaque;
    const char *before = aio_context_fdmon(side->ctx);

    on_read_drain(opaque);
    ASSERT(aio_context_set_fdmon(side->ctx, "poll", NULL));
    ASSERT(aio_context_set_fdmon(side->ctx, "epoll", NULL));
    ASSERT_STR_EQ(aio_context_fdmon(side->ctx), before);
}

EVERYWHERE(switch_inside_a_callback_happens_at_the_end_of_the_tick)
{
    Side side = {.fd = new_event()};

    set_reader(ctx, &side, switch_inside);
    poke(side.fd);
    ASSERT(aio_poll(ctx, true));
    ASSERT_STR_EQ(aio_context_fdmon(ctx), "epoll");
    poke(side.fd);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(side.reads, 2);
    unset(ctx, side.fd);
    close(side.fd);
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
