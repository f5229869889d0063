/*
 * handler_walk_test.c - handlers replaced while others are being dispatched,
 * and which callback hears of hang-ups and errors
 */
#include <poll.h>
#include <sys/epoll.h>

#include "loop/context.h"
#include "everywhere.h"

/* ---- replaced ----------------------------------------------------------- */

typedef struct Trade {
    AioContext *ctx;
    int fd;
    int reads, writes;
    struct Trade *next; /* whom io_read puts in our place */
    struct Trade *victim;
    bool by_thread;
} Trade;

static void trade_write(void *opaque)
{
    ((Trade *)opaque)->writes++;
}

static void trade_read(void *opaque);

static void put(Trade *t)
{
    aio_set_fd_handler(t->ctx, t->fd, false, trade_read, trade_write, NULL,
                       NULL, t);
}

static void *put_main(void *opaque)
{
    put(opaque);
    return NULL;
}

static void replace(Trade *t, Trade *next)
{
    pthread_t thread;

    next->ctx = t->ctx;
    next->fd = t->fd;
    if (t->by_thread) {
        pthread_create(&thread, NULL, put_main, next);
        pthread_join(thread, NULL);
    } else {
        put(next);
    }
}

static void trade_read(void *opaque)
{
    Trade *t = opaque;

    t->reads++;
    if (t->next) {
        replace(t->victim ? t->victim : t, t->next);
        t->next = NULL;
    }
}

/* A socket that is readable and writable. */
static void ready_pair(int pair[2])
{
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    poke(pair[1]);
}

static void both_reported(AioContext *ctx, int fd)
{
    /* io_uring reports what its poll saw first; both are there by then. */
    struct pollfd pfd = {.fd = fd, .events = POLLIN | POLLOUT};

    ASSERT_EQ(poll(&pfd, 1, -1), 1);
    ASSERT_EQ(pfd.revents & (POLLIN | POLLOUT), POLLIN | POLLOUT);
}

static void replace_oneself(AioContext *ctx, bool by_thread)
{
    int pair[2];
    Trade new = {0}, old;

    ready_pair(pair);
    both_reported(ctx, pair[0]);
    old = (Trade){
        .ctx = ctx, .fd = pair[0], .next = &new, .by_thread = by_thread};
    put(&old);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(old.reads, 1);
    ASSERT_EQ(old.writes, 0);             /* it was gone when its turn came */
    ASSERT_EQ(new.reads + new.writes, 0); /* the events were not for it */
    while (!new.reads || !new.writes) {
        ASSERT(aio_poll(ctx, true));
    }
    ASSERT_EQ(old.reads, 1);
    ASSERT_EQ(old.writes, 0);
    unset(ctx, pair[0]);
    close(pair[0]);
    close(pair[1]);
}

EVERYWHERE(handler_that_replaces_itself_is_not_called_for_writing)
{
    replace_oneself(ctx, false);
}

EVERYWHERE(handler_that_a_thread_replaces_while_it_reads_does_not_write)
{
    replace_oneself(ctx, true);
}

/* @first is dispatched before @second and replaces it. */
static void replace_another(AioContext *ctx, bool by_thread)
{
    int a[2], b[2];
    Trade new = {0}, first, second;

    ready_pair(a);
    ready_pair(b);
    second = (Trade){.ctx = ctx, .fd = b[0], .by_thread = by_thread};
    first = (Trade){.ctx = ctx, .fd = a[0], .next = &new, .victim = &second};
    put(&first);
    put(&second);
    while (first.next) {
        ASSERT(aio_poll(ctx, true));
    }
    int old_calls = second.reads + second.writes;
    if (old_calls == 0) {
        /* Harvested together: what it was ready for is not the new one's. */
        ASSERT_EQ(new.reads + new.writes, 0);
    }
    while (!new.reads || !new.writes) {
        ASSERT(aio_poll(ctx, true));
    }
    ASSERT_EQ(second.reads + second.writes, old_calls);
    unset(ctx, a[0]);
    unset(ctx, b[0]);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

EVERYWHERE(handler_replaced_by_another_is_not_called_any_more)
{
    replace_another(ctx, false);
}

EVERYWHERE(handler_that_a_thread_replaces_during_a_pass_is_not_called_any_more)
{
    replace_another(ctx, true);
}

/* ---- removed ------------------------------------------------------------ */

static void *unset_main(void *opaque)
{
    Side *side = opaque;

    unset(side->ctx, side->fd);
    return NULL;
}

static void remove_other_by_thread(void *opaque)
{
    Side *side = opaque;
    pthread_t thread;

    side->reads++;
    pthread_create(&thread, NULL, unset_main, side->other);
    pthread_join(thread, NULL);
    unset(side->ctx, side->fd);
}

EVERYWHERE(handler_removed_by_a_thread_during_a_pass_is_not_called_any_more)
{
    Side a = {.fd = new_event()}, b = {.fd = new_event(), .other = &a};

    a.other = &b;
    set_reader(ctx, &a, remove_other_by_thread);
    set_reader(ctx, &b, remove_other_by_thread);
    poke(a.fd);
    poke(b.fd);
    for (int i = 0; i < 5; i++) {
        aio_poll(ctx, false);
    }
    ASSERT_EQ(a.reads + b.reads, 1);
    ASSERT_EQ(ctx->deleted_count, 0);
    close(a.fd);
    close(b.fd);
}

static void *unset_unknown(void *opaque)
{
    Side *side = opaque;

    unset(side->ctx, side->fd);
    aio_set_fd_poll(side->ctx, side->fd, on_read, on_read);
    return NULL;
}

EVERYWHERE(removing_an_unknown_fd_does_nothing_and_wakes_nobody)
{
    Side side = {.ctx = ctx, .fd = new_event()};
    pthread_t thread;

    aio_poll(ctx, false);
    pthread_create(&thread, NULL, unset_unknown, &side);
    pthread_join(thread, NULL);
    ASSERT(!ctx->notified);
    unset_unknown(&side);
    set_reader(ctx, &side, on_read);
    pthread_create(&thread, NULL, unset_main, &side);
    pthread_join(thread, NULL);
    ASSERT(ctx->notified); /* a real removal does */
    aio_poll(ctx, false);
    close(side.fd);
}

/* ---- hang-ups and errors ------------------------------------------------ */

static void count_read(void *opaque)
{
    ((Side *)opaque)->reads++;
}

/* What one pass calls for an fd that reports exactly @revents. */
static void expect_calls(AioContext *ctx, int fd, short revents, bool can_read,
                         bool can_write, int reads, int writes)
{
    Side side = {.fd = fd};
    struct pollfd pfd = {.fd = fd, .events = POLLIN | POLLOUT};

    ASSERT_EQ(poll(&pfd, 1, -1), 1);
    ASSERT_EQ(pfd.revents, revents);
    aio_set_fd_handler(ctx, fd, false, can_read ? count_read : NULL,
                       can_write ? on_write : NULL, NULL, NULL, &side);
    ASSERT_EQ(aio_poll(ctx, true), reads + writes > 0);
    unset(ctx, fd);
    ASSERT_EQ(side.reads, reads);
    ASSERT_EQ(side.writes, writes);
}

static void fill(int fd)
{
    static const char page[4096];

    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, page, sizeof(page)) > 0) {
    }
    while (write(fd, page, 1) > 0) {
    }
}

EVERYWHERE(hang_up_is_for_the_reader_or_the_writer_that_has_none)
{
    int fds[2];

    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    close(fds[1]);
    expect_calls(ctx, fds[0], POLLHUP, true, false, 1, 0);
    expect_calls(ctx, fds[0], POLLHUP, true, true, 1, 0);
    expect_calls(ctx, fds[0], POLLHUP, false, true, 0, 1); /* not for ever */
    close(fds[0]);
}

EVERYWHERE(error_is_for_the_reader_and_for_the_writer)
{
    int fds[2];

    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    fill(fds[1]);
    close(fds[0]);
    expect_calls(ctx, fds[1], POLLERR, true, false, 1, 0);
    expect_calls(ctx, fds[1], POLLERR, false, true, 0, 1);
    expect_calls(ctx, fds[1], POLLERR, true, true, 1, 1);
    close(fds[1]);

    ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    expect_calls(ctx, fds[1], POLLERR | POLLOUT, false, true, 0, 1);
    expect_calls(ctx, fds[1], POLLERR | POLLOUT, true, true, 1, 1);
    close(fds[1]);
}

EVERYWHERE(closed_peer_is_readable_writable_and_hung_up)
{
    int pair[2];
    const short all = POLLIN | POLLOUT | POLLHUP;

    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    close(pair[1]);
    expect_calls(ctx, pair[0], all, true, false, 1, 0);
    expect_calls(ctx, pair[0], all, false, true, 0, 1);
    expect_calls(ctx, pair[0], all, true, true, 1, 1);
    close(pair[0]);
}
