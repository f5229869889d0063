/*
 * external_test.c - handlers of external clients while these are disabled
 */
#include "polling.h"

enum { BUDGET = 50 * SCALE_US };

typedef struct Client {
    AioContext *ctx;
    int fd;
    int reads, polls, readies, begins, ends;
    bool work;
    void (*act)(AioContext *ctx); /* in io_read */
} Client;

static void client_read(void *opaque)
{
    Client *c = opaque;
    uint64_t value;

    c->reads++;
    ASSERT_EQ(read(c->fd, &value, sizeof(value)), sizeof(value));
    if (c->act) {
        c->act(c->ctx);
    }
}

static bool client_poll(void *opaque)
{
    Client *c = opaque;

    c->polls++;
    return c->work;
}

static void client_ready(void *opaque)
{
    Client *c = opaque;

    c->readies++;
    c->work = false;
}

static void client_begin(void *opaque)
{
    ((Client *)opaque)->begins++;
}

static void client_end(void *opaque)
{
    ((Client *)opaque)->ends++;
}

static void client_open(AioContext *ctx, Client *c, bool is_external)
{
    c->ctx = ctx;
    c->fd = new_event();
    aio_set_fd_handler(ctx, c->fd, is_external, client_read, NULL, client_poll,
                       client_ready, c);
    aio_set_fd_poll(ctx, c->fd, client_begin, client_end);
}

static void client_close(Client *c)
{
    unset(c->ctx, c->fd);
    close(c->fd);
}

static void passes(AioContext *ctx, int n)
{
    while (n-- > 0) {
        aio_poll(ctx, false);
    }
}

/* ---- events ------------------------------------------------------------- */

EVERYWHERE(disabling_nests_and_keeps_the_monitor)
{
    const char *monitor = aio_context_fdmon(ctx);
    Client outside = {0}, inside = {0};

    client_open(ctx, &outside, true);
    client_open(ctx, &inside, false);
    aio_disable_external(ctx);
    aio_disable_external(ctx);
    poke(outside.fd);
    poke(inside.fd);
    passes(ctx, 3);
    aio_enable_external(ctx);
    passes(ctx, 3);
    ASSERT_EQ(outside.reads, 0);
    ASSERT_EQ(inside.reads, 1);
    ASSERT_STR_EQ(aio_context_fdmon(ctx), monitor);
    aio_enable_external(ctx);
    passes(ctx, 3);
    ASSERT_EQ(outside.reads, 1);
    client_close(&outside);
    client_close(&inside);
}

EVERYWHERE(ready_event_that_a_callback_disables_is_dropped_and_comes_back)
{
    Client inside = {.act = aio_disable_external}, outside = {0};

    client_open(ctx, &inside, false);
    client_open(ctx, &outside, true);
    passes(ctx, 2);
    poke(inside.fd);
    poke(outside.fd);
    /* One harvest holds both: the inner one first. */
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(inside.reads, 1);
    ASSERT_EQ(outside.reads, 0);
    passes(ctx, 3);
    ASSERT_EQ(outside.reads, 0);
    aio_enable_external(ctx);
    while (!outside.reads) {
        aio_poll(ctx, true);
    }
    client_close(&inside);
    client_close(&outside);
}

EVERYWHERE(undrained_external_fd_does_not_keep_a_loop_busy_while_disabled)
{
    Client outside = {0};
    bool fired = false;
    QEMUTimer timer;
    int turns = 0;

    client_open(ctx, &outside, true);
    poke(outside.fd);
    aio_disable_external(ctx);
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag,
                   &fired);
    timer_mod_ns(&timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 5 * SCALE_MS);
    while (!fired) {
        aio_poll(ctx, true);
        turns++;
    }
    ASSERT_CMP(turns, <=, 6);
    ASSERT_EQ(outside.reads, 0);
    aio_enable_external(ctx);
    client_close(&outside);
}

static void *enable_later(void *opaque)
{
    usleep(2000);
    aio_enable_external(opaque);
    return NULL;
}

EVERYWHERE(enabling_from_another_thread_wakes_the_loop)
{
    Client outside = {0};
    pthread_t thread;

    client_open(ctx, &outside, true);
    aio_disable_external(ctx);
    poke(outside.fd);
    passes(ctx, 2);
    pthread_create(&thread, NULL, enable_later, ctx);
    while (!outside.reads) {
        aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    client_close(&outside);
}

EVERYWHERE(handler_registered_while_externals_are_disabled_waits)
{
    Client outside = {0};

    aio_disable_external(ctx);
    passes(ctx, 1);
    client_open(ctx, &outside, true);
    poke(outside.fd);
    passes(ctx, 3);
    ASSERT_EQ(outside.reads, 0);
    aio_set_fd_handler(ctx, outside.fd, false, client_read, NULL, NULL, NULL,
                       &outside); /* not external any more */
    passes(ctx, 3);
    ASSERT_EQ(outside.reads, 1);
    aio_enable_external(ctx);
    client_close(&outside);
}

/* ---- busy polling ------------------------------------------------------- */

/* @c takes part in busy polling from now on. */
static void begin_polling(AioContext *ctx, Client *c)
{
    client_open(ctx, c, true);
    poke(c->fd);
    while (!c->reads) {
        aio_poll(ctx, true);
    }
    aio_context_set_poll_params(ctx, BUDGET, 0, 0, NULL);
    ASSERT(busypoll_allowed(ctx));
}

EVERYWHERE(external_handlers_are_not_polled_while_disabled)
{
    Client c = {0};

    begin_polling(ctx, &c);
    polling_pass(ctx, BUDGET);
    ASSERT_CMP(c.polls, >, 0);
    aio_disable_external(ctx);
    passes(ctx, 1);
    int polls = c.polls, begins = c.begins;
    c.work = true;
    polling_pass(ctx, BUDGET);
    ASSERT_EQ(c.polls, polls);
    ASSERT_EQ(c.begins, begins);
    ASSERT_EQ(c.begins, c.ends);
    ASSERT_EQ(c.readies, 0);
    aio_enable_external(ctx);
    client_close(&c);
}

EVERYWHERE(work_that_only_io_poll_knows_of_is_found_when_enabled_again)
{
    Client c = {0};

    begin_polling(ctx, &c);
    polling_pass(ctx, BUDGET);
    aio_disable_external(ctx);
    c.work = true; /* announced by no fd */
    polling_pass(ctx, BUDGET);
    ASSERT_EQ(c.readies, 0);
    ctx->poll_ns = 0; /* and polling alone will not find it */
    aio_enable_external(ctx);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(c.readies, 1);
    client_close(&c);
}

static void enable(void *opaque)
{
    aio_enable_external(opaque);
}

/* Disabled when it is the handler's turn, enabled again before the tick ends.
 */
EVERYWHERE(work_dropped_within_one_tick_is_found_in_the_next)
{
    Client inside = {.act = aio_disable_external}, c = {0};
    QEMUTimer timer;

    client_open(ctx, &inside, false);
    begin_polling(ctx, &c);
    polling_pass(ctx, BUDGET);
    passes(ctx, 1);
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, enable, ctx);
    c.work = true;
    ctx->poll_ns = 0;
    /* As a monitor and busy polling would: the inner one comes first. */
    ASSERT(handler_make_ready(ctx, &ctx->ready_list,
                              handler_find(ctx, inside.fd), EPOLLIN));
    handler_make_poll_ready(ctx, handler_find(ctx, c.fd));
    poke(inside.fd);
    timer_mod_ns(&timer, 0);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(inside.reads, 1);
    ASSERT_EQ(c.readies, 0);
    ASSERT(!aio_external_disabled(ctx));
    ASSERT(aio_poll(ctx, true)); /* would sleep for ever */
    ASSERT_EQ(c.readies, 1);
    client_close(&inside);
    client_close(&c);
}
