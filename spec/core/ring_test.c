/*
 * ring_test.c - the io_uring of a context, and the monitor that waits in it
 */
#include "loop/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "aioctl/request.h"
#include "qapi/error.h"
#include "test.h"

#ifdef CONFIG_LINUX_IO_URING

static AioContext *ring_context(void)
{
    AioContext *ctx = aio_context_new(NULL);
    Error *err = NULL;

    if (!aio_context_set_fdmon(ctx, "io_uring!", &err)) {
        SKIP("%s", error_get_pretty(err));
    }
    return ctx;
}

typedef struct Counter {
    int fd, calls;
    bool drain;
} Counter;

typedef struct Toggle {
    AioContext *ctx;
    Counter c;
    int rounds;
    bool done;
} Toggle;

static void count_read(void *opaque)
{
    Counter *c = opaque;
    uint64_t value;

    c->calls++;
    if (c->drain) {
        ASSERT_EQ(read(c->fd, &value, 8), 8);
    }
}

static void watch(AioContext *ctx, Counter *c, bool external)
{
    aio_set_fd_handler(ctx, c->fd, external, count_read, NULL, NULL, NULL, c);
}

static void unwatch(AioContext *ctx, Counter *c)
{
    aio_set_fd_handler(ctx, c->fd, false, NULL, NULL, NULL, NULL, NULL);
}

static void poll_times(AioContext *ctx, int n)
{
    while (n-- > 0) {
        aio_poll(ctx, false);
    }
}

/* ---- making ------------------------------------------------------------- */

TEST(a_new_context_has_no_ring)
{
    AioContext *ctx = aio_context_new(NULL);

    poll_times(ctx, 3);
    ASSERT(!ctx->ring);
    aio_context_unref(ctx);
}

TEST(monitor_and_engine_share_one_ring)
{
    AioContext *ctx = ring_context();
    int fds = test_count_fds();

    ASSERT(aio_engine_get(ctx, "io_uring!", false, NULL, NULL));
    ASSERT_EQ(ctx->ring->users, 2);
    ASSERT_EQ(test_count_fds(), fds + 1); /* the notifier for other monitors */
    aio_context_unref(ctx);
}

TEST(a_refused_ring_says_why)
{
    Error *err = NULL;

    setenv("AIOCTL_NO_IO_URING", "1", 1);
    ASSERT(!ring_probe(&err));
    ASSERT(strstr(error_get_pretty(err), "AIOCTL_NO_IO_URING"));
    error_free(err);
}

TEST(too_few_descriptors_are_named_with_the_remedy)
{
    struct rlimit before, none;
    Error *err = NULL;

    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    ASSERT(!ring_probe(&err));
    setrlimit(RLIMIT_NOFILE, &before);
    ASSERT(strstr(error_get_pretty(err), "ulimit -n"));
    error_free(err);
}

static void *move_ring(void *opaque)
{
    Ring *ring = opaque;
    unsigned generation = ring->generation;

    ASSERT(!ring_is_mine(ring));
    ring_ensure_mine(ring);
    ASSERT(ring_is_mine(ring));
    ASSERT_EQ(ring->generation, generation + 1);
    ASSERT(ring_has_buffer(ring, 0));
    return NULL;
}

TEST(a_ring_is_rebuilt_in_another_thread_with_its_buffers)
{
    AioContext *ctx = ring_context();
    static char buf[4096];
    Counter c = {.fd = eventfd(0, 0), .drain = true};
    pthread_t thread;

    watch(ctx, &c, false);
    poll_times(ctx, 2);
    ASSERT_EQ(aio_buffer_register(ctx, buf, sizeof(buf)), 0);
    pthread_create(&thread, NULL, move_ring, ctx->ring);
    pthread_join(thread, NULL);
    eventfd_write(c.fd, 1);
    poll_times(ctx, 3); /* rebuilt once more, here; polls start again */
    ASSERT_EQ(c.calls, 1);
    unwatch(ctx, &c);
    close(c.fd);
    aio_buffer_unregister(ctx, 0);
    aio_context_unref(ctx);
}

/* ---- watching fds ------------------------------------------------------- */

TEST(an_fd_that_stays_ready_is_reported_again)
{
    AioContext *ctx = ring_context();
    Counter c = {.fd = eventfd(1, 0)};

    watch(ctx, &c, false);
    for (int i = 0; i < 5; i++) {
        aio_poll(ctx, true);
        ASSERT_EQ(c.calls, i + 1);
    }
    unwatch(ctx, &c);
    close(c.fd);
    aio_context_unref(ctx);
}

TEST(more_fds_than_the_ring_has_entries)
{
    enum { COUNT = 6000 };
    AioContext *ctx = ring_context();
    Counter *c = calloc(COUNT, sizeof(*c));
    int total = 0;

    for (int i = 0; i < COUNT; i++) {
        c[i].drain = true;
        c[i].fd = eventfd(1, 0);
        ASSERT_CMP(c[i].fd, >=, 0);
        watch(ctx, &c[i], false);
    }
    while (total < COUNT) {
        aio_poll(ctx, true);
        total = 0;
        for (int i = 0; i < COUNT; i++) {
            total += c[i].calls;
        }
    }
    poll_times(ctx, 10);
    for (int i = 0; i < COUNT; i++) {
        ASSERT_EQ(c[i].calls, 1);
        unwatch(ctx, &c[i]);
        close(c[i].fd);
    }
    aio_context_unref(ctx);
    free(c);
}

TEST(an_fd_that_was_closed_does_not_spin)
{
    AioContext *ctx = ring_context();
    Counter c = {.fd = eventfd(0, 0)};
    uint64_t batches;

    close(c.fd);
    watch(ctx, &c, false);
    poll_times(ctx, 5);
    batches = ctx->stats.batches;
    poll_times(ctx, 50);
    ASSERT_EQ(ctx->stats.batches, batches);
    ASSERT_EQ(c.calls, 0);
    unwatch(ctx, &c);
    aio_context_unref(ctx);
}

TEST(the_same_number_for_another_file_is_watched_anew)
{
    AioContext *ctx = ring_context();
    Counter c = {.fd = eventfd(0, 0), .drain = true};
    int other = eventfd(0, 0);

    watch(ctx, &c, false);
    poll_times(ctx, 2);
    dup2(other, c.fd);
    watch(ctx, &c, false);
    poll_times(ctx, 2);
    eventfd_write(other, 1);
    poll_times(ctx, 3);
    ASSERT_EQ(c.calls, 1);
    unwatch(ctx, &c);
    close(c.fd);
    close(other);
    aio_context_unref(ctx);
}

static void *unwatch_main(void *opaque)
{
    Toggle *t = opaque;

    unwatch(t->ctx, &t->c);
    return NULL;
}

TEST(a_removed_handler_is_freed_when_the_kernel_has_let_go)
{
    Toggle t = {.ctx = ring_context(), .c.fd = eventfd(0, 0)};
    pthread_t thread;

    watch(t.ctx, &t.c, false);
    poll_times(t.ctx, 2);
    unwatch(t.ctx, &t.c);
    ASSERT_EQ(t.ctx->deleted_count, 0);
    watch(t.ctx, &t.c, false);
    poll_times(t.ctx, 2);
    pthread_create(&thread, NULL, unwatch_main, &t);
    pthread_join(thread, NULL);
    ASSERT_EQ(t.ctx->deleted_count, 1); /* only we may talk to the ring */
    eventfd_write(t.c.fd, 1);
    poll_times(t.ctx, 4);
    ASSERT_EQ(t.ctx->deleted_count, 0);
    ASSERT_EQ(t.c.calls, 0);
    close(t.c.fd);
    aio_context_unref(t.ctx);
}

TEST(external_handlers_sleep_while_disabled_and_the_rest_works)
{
    AioContext *ctx = ring_context();
    Counter outer = {.fd = eventfd(0, 0), .drain = true};
    Counter inner = {.fd = eventfd(0, 0), .drain = true};

    watch(ctx, &outer, true);
    watch(ctx, &inner, false);
    poll_times(ctx, 2);
    aio_disable_external(ctx);
    eventfd_write(outer.fd, 1);
    eventfd_write(inner.fd, 1);
    poll_times(ctx, 5);
    ASSERT_EQ(outer.calls, 0);
    ASSERT_EQ(inner.calls, 1);
    ASSERT_STR_EQ(aio_context_fdmon(ctx), "io_uring");
    aio_enable_external(ctx);
    poll_times(ctx, 5);
    ASSERT_EQ(outer.calls, 1);
    unwatch(ctx, &outer);
    unwatch(ctx, &inner);
    close(outer.fd);
    close(inner.fd);
    aio_context_unref(ctx);
}

static void *toggle_main(void *opaque)
{
    Toggle *t = opaque;

    for (int i = 0; i < t->rounds; i++) {
        watch(t->ctx, &t->c, false);
        unwatch(t->ctx, &t->c);
    }
    __atomic_store_n(&t->done, true, __ATOMIC_RELEASE);
    aio_notify(t->ctx);
    return NULL;
}

TEST(other_threads_may_change_handlers_while_we_wait)
{
    Toggle t = {.ctx = ring_context(), .rounds = test_is_slow() ? 300 : 5000};
    pthread_t thread;

    t.c.fd = eventfd(1, 0);
    pthread_create(&thread, NULL, toggle_main, &t);
    while (!__atomic_load_n(&t.done, __ATOMIC_ACQUIRE)) {
        aio_poll(t.ctx, true);
    }
    pthread_join(thread, NULL);
    poll_times(t.ctx, 5);
    ASSERT_EQ(t.ctx->deleted_count, 0);
    close(t.c.fd);
    aio_context_unref(t.ctx);
}

TEST(readiness_shows_without_a_system_call)
{
    AioContext *ctx = ring_context();
    Counter c = {.fd = eventfd(0, 0), .drain = true};

    watch(ctx, &c, false);
    poll_times(ctx, 3);
    ASSERT(!ring_is_ready(ctx->ring));
    eventfd_write(c.fd, 1);
    ASSERT(ring_is_ready(ctx->ring));
    poll_times(ctx, 2);
    ASSERT_EQ(c.calls, 1);
    unwatch(ctx, &c);
    close(c.fd);
    aio_context_unref(ctx);
}

static void *notify_main(void *opaque)
{
    Toggle *t = opaque;

    while (!__atomic_load_n(&t->done, __ATOMIC_ACQUIRE)) {
        event_notifier_set(&t->ctx->notifier);
    }
    return NULL;
}

TEST(the_monitor_can_be_changed_while_the_notifier_fires)
{
    Toggle t = {.ctx = ring_context(), .rounds = test_is_slow() ? 50 : 500};
    pthread_t thread;

    pthread_create(&thread, NULL, notify_main, &t);
    for (int i = 0; i < t.rounds; i++) {
        aio_poll(t.ctx, true);
        ASSERT(aio_context_set_fdmon(t.ctx, i % 2 ? "io_uring" : "poll", NULL));
    }
    __atomic_store_n(&t.done, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    aio_context_unref(t.ctx);
}

/* ---- with file requests ------------------------------------------------- */

static void count_request(AioRequest *req)
{
    ++*(int *)req->opaque;
}

TEST(file_requests_survive_a_change_of_monitor)
{
    AioContext *ctx = ring_context();
    const AioEngine *engine =
        aio_engine_get(ctx, "io_uring!", false, NULL, NULL);
    int pipes[2], done = 0;
    char byte = 0;
    AioRequest req = {.op = AIO_OP_READ,
                      .buf_index = -1,
                      .offset = -1,
                      .base = &byte,
                      .len = 1,
                      .done = count_request,
                      .opaque = &done};
    static const char *const monitors[] = {"epoll", "io_uring", "poll"};

    ASSERT_EQ(pipe(pipes), 0);
    req.fd = pipes[0];
    for (int i = 0; i < 3; i++) {
        aio_request_submit(ctx, engine, &req);
        poll_times(ctx, 2);
        ASSERT(aio_context_set_fdmon(ctx, monitors[i], NULL));
        poll_times(ctx, 1);
        ASSERT_EQ(done, i);
        ASSERT_EQ(write(pipes[1], "x", 1), 1);
        while (done == i) {
            aio_poll(ctx, true);
        }
        ASSERT_EQ(byte, 'x');
    }
    close(pipes[0]);
    close(pipes[1]);
    aio_context_unref(ctx);
}

TEST(registered_buffers_are_read_into_and_slots_are_used_again)
{
    AioContext *ctx = ring_context();
    const AioEngine *engine =
        aio_engine_get(ctx, "io_uring!", false, NULL, NULL);
    static char a[4096], b[4096];
    int done = 0, fd = open("/dev/zero", O_RDONLY);
    AioRequest req = {.op = AIO_OP_READ,
                      .fd = fd,
                      .base = b,
                      .len = 4096,
                      .done = count_request,
                      .opaque = &done};

    ASSERT_EQ(aio_buffer_register(ctx, a, sizeof(a)), 0);
    ASSERT_EQ(aio_buffer_register(ctx, b, sizeof(b)), 1);
    ASSERT_EQ(ctx->stats.registered_buffers, 2);
    memset(b, 'x', sizeof(b));
    req.buf_index = 1;
    aio_request_submit(ctx, engine, &req);
    while (!done) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(req.ret, 4096);
    ASSERT_EQ(b[4095], 0);
    aio_buffer_unregister(ctx, 0);
    ASSERT_EQ(aio_buffer_register(ctx, a, sizeof(a)), 0);
    aio_buffer_unregister(ctx, 0);
    aio_buffer_unregister(ctx, 1);
    close(fd);
    aio_context_unref(ctx);
}

#else
TEST(built_without_io_uring)
{
    SKIP("liburing was not found when this was built");
}
#endif
