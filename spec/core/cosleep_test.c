/*
 * cosleep_test.c - coroutines that wait for time, for a call, for a descriptor
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "block/aio.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "sysemu/iothread.h"
#include "test.h"

#define MS 1000000LL

typedef struct Sleeper {
    QemuCoSleep sleep;
    int64_t ns;
    int64_t slept;
    bool done;
} Sleeper;

static void coroutine_fn sleep_wakeable(void *opaque)
{
    Sleeper *sleeper = opaque;
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);

    qemu_co_sleep_ns_wakeable(&sleeper->sleep, QEMU_CLOCK_REALTIME,
                              sleeper->ns);
    sleeper->slept = qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start;
    sleeper->done = true;
}

static Coroutine *start(AioContext *ctx, CoroutineEntry *entry, void *opaque)
{
    aio_poll(ctx, false); /* before creation, which takes long under TSan */

    Coroutine *co = qemu_coroutine_create(entry, opaque);

    aio_co_enter(ctx, co);
    return co;
}

TEST(sleep_lasts_as_long_as_asked)
{
    AioContext *ctx = aio_context_new(NULL);
    Sleeper a = {.ns = 6 * MS}, b = {.ns = 2 * MS}, c = {.ns = -1};

    start(ctx, sleep_wakeable, &c);
    ASSERT(!c.done);
    ASSERT(aio_poll(ctx, true));
    ASSERT(c.done);
    start(ctx, sleep_wakeable, &a);
    start(ctx, sleep_wakeable, &b);
    while (!a.done || !b.done) {
        aio_poll(ctx, true);
    }
    ASSERT_CMP(b.slept, >=, 2 * MS);
    ASSERT_CMP(a.slept, >=, 6 * MS);
    aio_context_unref(ctx);
}

TEST(wake_ends_the_sleep_and_deletes_its_timer)
{
    AioContext *ctx = aio_context_new(NULL);
    Sleeper a = {.ns = 1000000 * MS};

    start(ctx, sleep_wakeable, &a);
    ASSERT_CMP(aio_compute_timeout(ctx), >, 0);
    qemu_co_sleep_wake(&a.sleep);
    ASSERT(a.done);
    ASSERT_EQ(aio_compute_timeout(ctx), -1);
    qemu_co_sleep_wake(&a.sleep); /* nobody sleeps: nothing */
    a = (Sleeper){.ns = INT64_MAX};
    start(ctx, sleep_wakeable, &a);
    ASSERT(!aio_poll(ctx, false));
    qemu_co_sleep_wake(&a.sleep);
    ASSERT(a.done);
    aio_context_unref(ctx);
}

static void coroutine_fn sleep_until_woken(void *opaque)
{
    Sleeper *sleeper = opaque;

    qemu_co_sleep(&sleeper->sleep);
    sleeper->done = true;
}

static void enter_sleeper(void *opaque)
{
    Sleeper a = {.done = false};
    Coroutine *co = qemu_coroutine_create(sleep_until_woken, &a);

    qemu_coroutine_enter(co);
    qemu_coroutine_enter(co);
}

static void two_sleep_on_one(void *opaque)
{
    Sleeper a = {.done = false};

    qemu_coroutine_enter(qemu_coroutine_create(sleep_until_woken, &a));
    qemu_coroutine_enter(qemu_coroutine_create(sleep_until_woken, &a));
}

static void sleep_without_context(void *opaque)
{
    Sleeper a = {.ns = 1};

    qemu_coroutine_enter(qemu_coroutine_create(sleep_wakeable, &a));
}

static void sleep_outside(void *opaque)
{
    QemuCoSleep w = {0};

    qemu_co_sleep(&w);
}

TEST(misuse_aborts_naming_the_mistake)
{
    ASSERT_ABORTS(enter_sleeper, NULL, "already scheduled in 'qemu_co_sleep'");
    ASSERT_ABORTS(two_sleep_on_one, NULL, "two coroutines sleep");
    ASSERT_ABORTS(sleep_without_context, NULL, "without a context");
    ASSERT_ABORTS(sleep_outside, NULL, "outside of coroutines");
}

/* ---- woken by several threads and a timer at once ----------------------- */

typedef struct Race {
    QemuCoSleep sleep;
    int rounds;
    int naps; /* atomic: so many sleeps have ended */
    bool done;
    QemuSemaphore sem;
} Race;

static void coroutine_fn nap_often(void *opaque)
{
    Race *race = opaque;

    for (int i = 0; i < race->rounds; i++) {
        qemu_co_sleep_ns_wakeable(&race->sleep, QEMU_CLOCK_REALTIME,
                                  (i % 50) * 1000);
        qatomic_inc(&race->naps);
    }
    qatomic_store_release(&race->done, true);
    qemu_sem_post(&race->sem);
}

static void *wake_often(void *opaque)
{
    Race *race = opaque;

    while (!qatomic_load_acquire(&race->done)) {
        qemu_co_sleep_wake(&race->sleep);
        sched_yield();
    }
    return NULL;
}

TEST(wakers_of_other_threads_and_the_timer_wake_it_once)
{
    IOThread *iothread = iothread_new();
    Race race = {.rounds = test_is_slow() ? 500 : 5000};
    QemuThread wakers[2];

    qemu_sem_init(&race.sem, 0);
    aio_co_schedule(iothread_get_aio_context(iothread),
                    qemu_coroutine_create(nap_often, &race));
    for (int i = 0; i < 2; i++) {
        qemu_thread_create(&wakers[i], "waker", wake_often, &race,
                           QEMU_THREAD_JOINABLE);
    }
    qemu_sem_wait(&race.sem);
    qemu_thread_join(&wakers[0]);
    qemu_thread_join(&wakers[1]);
    iothread_join(iothread);
    ASSERT_EQ(race.naps, race.rounds);
    qemu_sem_destroy(&race.sem);
}

/* ---- qemu_co_timeout ---------------------------------------------------- */

typedef struct Work {
    int64_t ns;
    uint64_t limit;
    bool ended;
    bool ended_in_time;
    bool cleaned;
    int ret;
} Work;

static void coroutine_fn work(void *opaque)
{
    Work *w = opaque;

    if (w->ns) {
        qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, w->ns);
    }
    w->ended = true;
}

static void work_clean(void *opaque)
{
    Work *w = opaque;

    w->cleaned = true;
}

static void coroutine_fn limit_work(void *opaque)
{
    Work *w = opaque;

    int ret = qemu_co_timeout(work, w, w->limit, work_clean);

    w->ended_in_time = w->ended;
    w->ret = ret;
}

static Work limited(AioContext *ctx, int64_t ns, uint64_t limit)
{
    Work w = {.ns = ns, .limit = limit, .ret = 1};

    start(ctx, limit_work, &w);
    while (w.ret == 1) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(w.ret == 0, w.ended_in_time);
    while (!w.ended) {
        aio_poll(ctx, true);
    }
    return w;
}

TEST(timeout_returns_early_and_cleans_up_when_the_work_ends)
{
    AioContext *ctx = aio_context_new(NULL);
    Work w = limited(ctx, 0, UINT64_MAX);

    ASSERT_EQ(w.ret, 0);
    ASSERT(!w.cleaned);
    w = limited(ctx, 2 * MS, 1000000 * MS);
    ASSERT_EQ(w.ret, 0);
    ASSERT(!w.cleaned);
    w = limited(ctx, 5 * MS, 1 * MS);
    ASSERT_EQ(w.ret, -ETIMEDOUT);
    ASSERT(w.cleaned);
    aio_context_unref(ctx);
}

/* ---- descriptors -------------------------------------------------------- */

typedef struct Io {
    int fd;
    struct iovec *iov;
    unsigned iov_cnt;
    size_t offset, bytes;
    ssize_t ret;
    bool done;
} Io;

static void coroutine_fn wait_readable(void *opaque)
{
    Io *io = opaque;

    yield_until_fd_readable(io->fd);
    io->done = true;
}

TEST(yield_until_readable_waits_and_leaves_no_handler)
{
    AioContext *ctx = aio_context_new(NULL);
    int fds[2];
    Io io = {.done = false};

    ASSERT_EQ(pipe(fds), 0);
    io.fd = fds[0];
    start(ctx, wait_readable, &io);
    ASSERT(!aio_poll(ctx, false));
    ASSERT(!io.done);
    ASSERT_EQ(write(fds[1], "x", 1), 1);
    ASSERT(aio_poll(ctx, true));
    ASSERT(io.done);
    ASSERT(!aio_poll(ctx, false)); /* the fd is still readable */
    close(fds[0]);
    close(fds[1]);
    aio_context_unref(ctx);
}

static void enter(void *opaque)
{
    qemu_coroutine_enter_if_inactive(opaque);
}

static void coroutine_fn receive(void *opaque)
{
    Io *io = opaque;
    AioContext *ctx = qemu_get_current_aio_context();

    aio_set_fd_handler(ctx, io->fd, false, enter, NULL, NULL, NULL,
                       qemu_coroutine_self());
    io->ret =
        qemu_co_recvv(io->fd, io->iov, io->iov_cnt, io->offset, io->bytes);
    aio_set_fd_handler(ctx, io->fd, false, NULL, NULL, NULL, NULL, NULL);
    io->done = true;
}

static void coroutine_fn transmit(void *opaque)
{
    Io *io = opaque;
    AioContext *ctx = qemu_get_current_aio_context();

    aio_set_fd_handler(ctx, io->fd, false, NULL, enter, NULL, NULL,
                       qemu_coroutine_self());
    io->ret =
        qemu_co_sendv(io->fd, io->iov, io->iov_cnt, io->offset, io->bytes);
    aio_set_fd_handler(ctx, io->fd, false, NULL, NULL, NULL, NULL, NULL);
    io->done = true;
}

static void nonblocking_pair(int fds[2])
{
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
}

TEST(vectors_are_transferred_whole_through_a_socket_that_is_too_small)
{
    enum { HALF = 300000, SKIP_BYTES = 1000 };
    static char out[2 * HALF], in[2 * HALF];
    AioContext *ctx = aio_context_new(NULL);
    struct iovec out_iov[2] = {{out, HALF}, {out + HALF, HALF}};
    struct iovec in_iov[1] = {{in, 2 * HALF}};
    int fds[2];

    nonblocking_pair(fds);
    for (int i = 0; i < 2 * HALF; i++) {
        out[i] = (char)(i * 7 + i / 251);
    }
    size_t bytes = 2 * HALF - SKIP_BYTES;
    Io send_io = {fds[0], out_iov, 2, SKIP_BYTES, bytes, 0, false};
    Io recv_io = {fds[1], in_iov, 1, 0, bytes, 0, false};
    start(ctx, transmit, &send_io);
    ASSERT(!send_io.done);
    start(ctx, receive, &recv_io);
    while (!send_io.done || !recv_io.done) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(send_io.ret, bytes);
    ASSERT_EQ(recv_io.ret, bytes);
    ASSERT(memcmp(in, out + SKIP_BYTES, bytes) == 0);
    close(fds[0]);
    close(fds[1]);
    aio_context_unref(ctx);
}

static void coroutine_fn receive_buffer(void *opaque)
{
    Io *io = opaque;

    io->ret = qemu_co_recv(io->fd, io->iov->iov_base, io->iov->iov_len);
}

static void coroutine_fn send_buffer(void *opaque)
{
    Io *io = opaque;

    io->ret = qemu_co_send(io->fd, io->iov->iov_base, io->iov->iov_len);
}

TEST(end_of_file_cuts_a_transfer_short_and_errors_are_returned)
{
    char buf[16] = "";
    struct iovec iov = {buf, sizeof(buf)};
    int fds[2];
    Io io = {.iov = &iov};

    nonblocking_pair(fds);
    ASSERT_EQ(write(fds[0], "abc", 3), 3);
    close(fds[0]);
    io.fd = fds[1];
    qemu_coroutine_enter(qemu_coroutine_create(receive_buffer, &io));
    ASSERT_EQ(io.ret, 3);
    qemu_coroutine_enter(qemu_coroutine_create(receive_buffer, &io));
    ASSERT_EQ(io.ret, 0);
    qemu_coroutine_enter(qemu_coroutine_create(send_buffer, &io));
    ASSERT_EQ(io.ret, -EPIPE); /* and no SIGPIPE */
    close(fds[1]);
}
