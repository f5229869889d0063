/*
 * busypoll_rules_test.c - who is polled, when polling begins and ends, and that
 * begin and end are pairs
 *
 * The clock is not slowed down: a test that needs seven idle seconds sets the
 * time at which they are over.
 */
#include <sched.h>

#include "polling.h"

enum { BUDGET = 50 * SCALE_US };

typedef struct Device {
    AioContext *ctx;
    int fd;
    int polls, reads, readies, begins, ends;
    int ends_at_poll; /* ends when io_poll was called last */
    bool work;
} Device;

static void device_read(void *opaque)
{
    Device *d = opaque;
    uint64_t value;

    d->reads++;
    ASSERT_EQ(read(d->fd, &value, sizeof(value)), sizeof(value));
}

static bool device_poll(void *opaque)
{
    Device *d = opaque;

    d->polls++;
    d->ends_at_poll = d->ends;
    return d->work;
}

static void device_ready(void *opaque)
{
    Device *d = opaque;

    d->readies++;
    d->work = false;
}

static void device_begin(void *opaque)
{
    Device *d = opaque;

    d->begins++;
    ASSERT_EQ(d->begins, d->ends + 1);
}

static void device_end(void *opaque)
{
    Device *d = opaque;

    d->ends++;
    ASSERT_EQ(d->begins, d->ends);
}

static void set_device(Device *d)
{
    aio_set_fd_handler(d->ctx, d->fd, false, device_read, NULL, device_poll,
                       device_ready, d);
}

static void device_open(AioContext *ctx, Device *d)
{
    *d = (Device){.ctx = ctx, .fd = new_event()};
    set_device(d);
    aio_set_fd_poll(ctx, d->fd, device_begin, device_end);
}

static void device_fire(Device *d)
{
    int reads = d->reads;

    poke(d->fd);
    while (d->reads == reads) {
        aio_poll(d->ctx, true);
    }
}

static void device_close(Device *d)
{
    unset(d->ctx, d->fd);
    close(d->fd);
}

static void set_budget(AioContext *ctx)
{
    aio_context_set_poll_params(ctx, BUDGET, 0, 0, NULL);
    ASSERT(busypoll_allowed(ctx));
    ctx->poll_ns = BUDGET;
}

static AioHandler *node_of(const Device *d)
{
    return handler_find(d->ctx, d->fd);
}

/* ---- who ---------------------------------------------------------------- */

EVERYWHERE(handler_takes_part_once_its_fd_has_fired)
{
    Device d;

    device_open(ctx, &d);
    set_budget(ctx);
    polling_pass(ctx, BUDGET);
    ASSERT_EQ(d.polls, 0);
    ASSERT_EQ(d.begins, 0);
    device_fire(&d);
    polling_pass(ctx, BUDGET);
    ASSERT_CMP(d.polls, >, 0);
    ASSERT_CMP(d.begins, >=, 1);
    device_close(&d);
}

EVERYWHERE(poll_that_must_not_block_calls_no_io_poll_but_the_last_look)
{
    Device d;

    device_open(ctx, &d);
    set_budget(ctx);
    device_fire(&d);
    polling_pass(ctx, BUDGET);
    aio_poll(ctx, false); /* ends what was begun */
    ASSERT_EQ(d.begins, d.ends);
    ASSERT_EQ(d.ends_at_poll, d.ends); /* io_poll came after io_poll_end */
    int polls = d.polls;
    for (int i = 0; i < 20; i++) {
        aio_poll(ctx, false);
    }
    ASSERT_EQ(d.polls, polls);
    device_close(&d);
}

/* Every handler has io_poll, and none of them knows of the event. */
EVERYWHERE(fd_that_no_io_poll_announces_is_seen_when_all_handlers_have_one)
{
    Device a, b;

    device_open(ctx, &a);
    device_open(ctx, &b);
    ASSERT(!aio_poll_disabled(ctx));
    device_fire(&a);
    device_fire(&b);
    aio_context_set_poll_params(ctx, 10 * NANOSECONDS_PER_SECOND, 0, 0, NULL);
    aio_poll(ctx, false); /* setting them has notified */
    ctx->poll_ns = ctx->poll_max_ns;
    poke(b.fd);
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    while (b.reads < 2) {
        ASSERT(aio_poll(ctx, true));
    }
    ASSERT_CMP(qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start, <,
               5 * NANOSECONDS_PER_SECOND);
    aio_context_set_poll_params(ctx, 0, 0, 0, NULL);
    for (int i = 0; i < 6; i++) { /* and without polling at all */
        poke(b.fd);
        ASSERT(aio_poll(ctx, false));
    }
    ASSERT_EQ(b.reads, 8);
    device_close(&a);
    device_close(&b);
}

/* ---- how long ----------------------------------------------------------- */

EVERYWHERE(idle_handler_leaves_after_seven_seconds_and_returns_when_it_fires)
{
    Device d;

    device_open(ctx, &d);
    set_budget(ctx);
    device_fire(&d);
    ASSERT(node_of(&d)->in_poll_list);
    polling_pass(ctx, BUDGET);
    int64_t left =
        node_of(&d)->poll_idle_ns - qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    ASSERT_CMP(left, >, 5 * NANOSECONDS_PER_SECOND);
    ASSERT_CMP(left, <=, 7 * NANOSECONDS_PER_SECOND);

    node_of(&d)->poll_idle_ns = 1; /* over */
    polling_pass(ctx, BUDGET);
    ASSERT(!node_of(&d)->in_poll_list);
    ASSERT_EQ(d.begins, d.ends);
    ASSERT_EQ(d.ends_at_poll, d.ends);
    int polls = d.polls;
    polling_pass(ctx, BUDGET);
    ASSERT_EQ(d.polls, polls);
    device_fire(&d);
    ASSERT(node_of(&d)->in_poll_list);
    device_close(&d);
}

EVERYWHERE(work_starts_the_seven_seconds_anew)
{
    Device d;

    device_open(ctx, &d);
    set_budget(ctx);
    device_fire(&d);
    polling_pass(ctx, BUDGET);
    node_of(&d)->poll_idle_ns = 1;
    d.work = true;
    ctx->poll_ns = BUDGET;
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(d.readies, 1);
    ASSERT(node_of(&d)->in_poll_list);
    ASSERT_CMP(node_of(&d)->poll_idle_ns, >,
               qemu_clock_get_ns(QEMU_CLOCK_REALTIME));
    device_close(&d);
}

/* ---- what ends it ------------------------------------------------------- */

static void *notify_later(void *opaque)
{
    Device *d = opaque;

    usleep(2000);
    aio_notify(d->ctx);
    return NULL;
}

EVERYWHERE(notification_ends_polling_without_progress_or_wake_up)
{
    Device d;
    pthread_t thread;

    device_open(ctx, &d);
    device_fire(&d);
    aio_context_set_poll_params(ctx, 10 * NANOSECONDS_PER_SECOND, 0, 0, NULL);
    aio_poll(ctx, false);
    ctx->poll_ns = ctx->poll_max_ns;
    uint64_t blocked = ctx->stats.blocked;
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    pthread_create(&thread, NULL, notify_later, &d);
    ASSERT(!aio_poll(ctx, true));
    pthread_join(thread, NULL);
    ASSERT_CMP(qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start, <,
               5 * NANOSECONDS_PER_SECOND);
    ASSERT_EQ(ctx->stats.blocked, blocked);
    device_close(&d);
}

EVERYWHERE(glib_preparation_ends_polling)
{
    Device d;

    device_open(ctx, &d);
    device_fire(&d);
    aio_context_set_poll_params(ctx, 10 * NANOSECONDS_PER_SECOND, 0, 0, NULL);
    aio_poll(ctx, false);
    ctx->poll_ns = ctx->poll_max_ns;
    d.work = true;
    ASSERT(aio_poll(ctx, true));
    ASSERT(ctx->poll_started);
    ASSERT_EQ(d.begins, d.ends + 1);
    aio_prepare(ctx);
    ASSERT_EQ(d.begins, d.ends);
    device_close(&d);
}

static void *set_params(void *opaque)
{
    aio_context_set_poll_params(opaque, BUDGET, 0, 0, NULL);
    return NULL;
}

EVERYWHERE(new_parameters_begin_with_no_budget_and_notify)
{
    AioContextStats stats;
    pthread_t thread;

    set_budget(ctx);
    aio_poll(ctx, false);
    ctx->poll_ns = BUDGET;
    set_params(ctx);
    ASSERT_EQ(ctx->poll_ns, 0);
    ASSERT(ctx->notified);
    aio_poll(ctx, false);
    ASSERT(!ctx->notified);
    ctx->poll_ns = BUDGET;
    pthread_create(&thread, NULL, set_params, ctx);
    pthread_join(thread, NULL);
    ASSERT(ctx->notified);
    aio_context_get_stats(ctx, &stats);
    ASSERT_EQ(stats.poll_ns, 0);
    ASSERT(!aio_poll(ctx, true)); /* takes it over */
    ASSERT_CMP(ctx->poll_ns, <, BUDGET);
}

/* ---- handlers that change meanwhile ------------------------------------- */

static void *set_device_main(void *opaque)
{
    set_device(opaque);
    return NULL;
}

static void replace_from_afar(Device *d)
{
    AioHandler *before = node_of(d);
    pthread_t thread;

    pthread_create(&thread, NULL, set_device_main, d);
    pthread_join(thread, NULL);
    ASSERT(node_of(d) != before);
}

/* Polling has begun and goes on after the pass. */
static void begin_polling(AioContext *ctx, Device *d)
{
    device_open(ctx, d);
    device_fire(d);
    set_budget(ctx);
    d->work = true;
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(d->begins, d->ends + 1);
}

EVERYWHERE(handler_that_a_thread_replaces_while_polled_is_told_of_the_end)
{
    Device d;

    begin_polling(ctx, &d);
    replace_from_afar(&d);
    aio_poll(ctx, false);
    ASSERT_EQ(d.begins, d.ends);
    ASSERT_EQ(d.ends_at_poll, d.ends);
    ASSERT_EQ(ctx->deleted_count, 0);
    int begins = d.begins;
    polling_pass(ctx, BUDGET); /* and takes part as the old one did */
    ASSERT_CMP(d.begins, >, begins);
    device_close(&d);
}

static void replace_in_callback(void *opaque)
{
    Device *d = opaque;

    device_ready(d);
    replace_from_afar(d);
}

EVERYWHERE(handler_that_a_thread_replaces_during_a_pass_is_told_of_the_end)
{
    Device d;

    begin_polling(ctx, &d);
    node_of(&d)->io_poll_ready = replace_in_callback;
    d.work = true;
    ctx->poll_ns = BUDGET;
    ASSERT(aio_poll(ctx, true)); /* frees the old node, polling goes on */
    ASSERT_EQ(d.begins, d.ends + 1);
    aio_poll(ctx, false);
    ASSERT_EQ(d.begins, d.ends);
    device_close(&d);
}

EVERYWHERE(nothing_of_a_removed_handler_is_called)
{
    Device d;

    begin_polling(ctx, &d);
    int ends = d.ends, polls = d.polls;
    unset(ctx, d.fd);
    aio_poll(ctx, false);
    ASSERT_EQ(d.ends, ends);
    ASSERT_EQ(d.polls, polls);
    close(d.fd);
}

EVERYWHERE(handler_that_gives_up_io_poll_while_polled_is_told_of_the_end)
{
    Device d;

    begin_polling(ctx, &d);
    aio_set_fd_handler(ctx, d.fd, false, device_read, NULL, NULL, NULL, &d);
    int polls = d.polls;
    aio_poll(ctx, false);
    ASSERT_EQ(d.begins, d.ends);
    ASSERT_EQ(d.polls, polls);
    device_close(&d);
}
