/*
 * fdmon_changes_test.c - handlers and monitors that change, on every monitor
 */
#include "everywhere.h"

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
