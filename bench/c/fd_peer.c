/*
 * fd_peer.c - what fd.c does, by the bare system calls
 *
 * "uring_oneshot" arms a poll with the call that waits, as a level-triggered
 * monitor must; "uring_multishot" is armed once.  "..._zero" only look.
 */
#include "harness.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "idle.h"

#ifdef CONFIG_LINUX_IO_URING
#include <liburing.h>
#endif
#ifdef HAVE_LIBUV
#include <uv.h>
#endif

static int event_fd;

static void open_fds(int idle)
{
    event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bench_require(event_fd >= 0, "eventfd");
    idle_open(idle);
}

static void close_fds(void)
{
    close(event_fd);
    idle_close();
}

static void set(void)
{
    uint64_t one = 1;

    bench_require(write(event_fd, &one, 8) == 8, "write");
}

static void drain(void)
{
    uint64_t value;

    bench_require(read(event_fd, &value, 8) == 8, "read");
}

/* ---- epoll -------------------------------------------------------------- */

static int epoll_fd;

static void epoll_add(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    bench_require(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0,
                  "epoll_ctl");
}

static void open_epoll(int idle)
{
    open_fds(idle);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    epoll_add(event_fd);
    for (int i = 0; i < idle; i++) {
        epoll_add(idle_fds[i]);
    }
}

static void close_epoll(void)
{
    close(epoll_fd);
    close_fds();
}

static uint64_t run_epoll(uint64_t n)
{
    struct epoll_event event;

    for (uint64_t i = 0; i < n; i++) {
        set();
        bench_require(epoll_wait(epoll_fd, &event, 1, -1) == 1, "epoll_wait");
        drain();
    }
    return n;
}

static uint64_t run_epoll_zero(uint64_t n)
{
    struct epoll_event event;

    for (uint64_t i = 0; i < n; i++) {
        epoll_wait(epoll_fd, &event, 1, 0);
    }
    return n;
}

/* ---- poll --------------------------------------------------------------- */

static struct pollfd poll_fds[IDLE_MAX + 1];
static nfds_t poll_count;

static void open_poll(int idle)
{
    open_fds(idle);
    poll_count = (nfds_t)idle + 1;
    poll_fds[0] = (struct pollfd){.fd = event_fd, .events = POLLIN};
    for (int i = 0; i < idle; i++) {
        poll_fds[i + 1] = (struct pollfd){.fd = idle_fds[i], .events = POLLIN};
    }
}

static uint64_t run_poll(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        set();
        bench_require(poll(poll_fds, poll_count, -1) == 1, "poll");
        drain();
    }
    return n;
}

static uint64_t run_poll_zero(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        poll(poll_fds, poll_count, 0);
    }
    return n;
}

/* ---- io_uring ----------------------------------------------------------- */

#ifdef CONFIG_LINUX_IO_URING
static struct io_uring ring;

static void ring_poll(int fd, int multishot)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    if (!sqe) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    if (multishot) {
        io_uring_prep_poll_multishot(sqe, fd, POLLIN);
    } else {
        io_uring_prep_poll_add(sqe, fd, POLLIN);
    }
}

static void open_ring(int idle)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    };

    open_fds(idle);
    bench_require(io_uring_queue_init_params(256, &ring, &params) == 0,
                  "io_uring_queue_init");
    io_uring_register_ring_fd(&ring);
    for (int i = 0; i < idle; i++) {
        ring_poll(idle_fds[i], 0);
    }
    io_uring_submit(&ring);
}

static void open_multishot(int idle)
{
    open_ring(idle);
    ring_poll(event_fd, 1);
    io_uring_submit(&ring);
}

static void close_ring(void)
{
    io_uring_queue_exit(&ring);
    close_fds();
}

static void ring_wait(void)
{
    bench_require(io_uring_submit_and_wait(&ring, 1) >= 0, "io_uring_enter");
    io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
}

static uint64_t run_uring_oneshot(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        set();
        ring_poll(event_fd, 0);
        ring_wait();
        drain();
    }
    return n;
}

static uint64_t run_uring_multishot(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        set();
        ring_wait();
        drain();
    }
    return n;
}
#endif

/* ---- libuv: a handle that wakes its own loop, and one on the fd --------- */

#ifdef HAVE_LIBUV
static uv_loop_t uv;
static uv_async_t async;
static uint64_t uv_events;

static void on_async(uv_async_t *handle)
{
    uv_events++;
}

static void open_async(void)
{
    uv_loop_init(&uv);
    uv_async_init(&uv, &async, on_async);
}

static void close_async(void)
{
    uv_close((uv_handle_t *)&async, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_loop_close(&uv);
}

static uint64_t run_async(uint64_t n)
{
    uint64_t start = uv_events;

    while (uv_events - start < n) {
        uv_async_send(&async);
        uv_run(&uv, UV_RUN_NOWAIT);
    }
    return uv_events - start;
}

static uv_poll_t uv_handle;

static void on_uv_poll(uv_poll_t *handle, int status, int revents)
{
    drain();
    uv_events++;
}

static void open_uv_poll(void)
{
    open_fds(0);
    uv_loop_init(&uv);
    uv_poll_init(&uv, &uv_handle, event_fd);
    uv_poll_start(&uv_handle, UV_READABLE, on_uv_poll);
}

static void close_uv_poll(void)
{
    uv_close((uv_handle_t *)&uv_handle, NULL);
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_loop_close(&uv);
    close_fds();
}

static uint64_t run_uv_poll(uint64_t n)
{
    uint64_t start = uv_events;

    while (uv_events - start < n) {
        set();
        uv_run(&uv, UV_RUN_ONCE);
    }
    return uv_events - start;
}
#endif

#define OPEN(peer, idle)                   \
    static void open_##peer##_##idle(void) \
    {                                      \
        open_##peer(idle);                 \
    }

OPEN(epoll, 0)
OPEN(epoll, 64)
OPEN(epoll, 1000)
OPEN(epoll, 10000)
OPEN(poll, 0)
OPEN(poll, 64)
OPEN(poll, 1000)
#ifdef CONFIG_LINUX_IO_URING
OPEN(ring, 0)
OPEN(multishot, 0)
#endif

const BenchCase bench_cases[] = {
    {"epoll_0", run_epoll, open_epoll_0, close_epoll},
    {"epoll_64", run_epoll, open_epoll_64, close_epoll},
    {"epoll_1000", run_epoll, open_epoll_1000, close_epoll},
    {"epoll_10000", run_epoll, open_epoll_10000, close_epoll},
    {"epoll_zero", run_epoll_zero, open_epoll_0, close_epoll},
    {"poll_0", run_poll, open_poll_0, close_fds},
    {"poll_64", run_poll, open_poll_64, close_fds},
    {"poll_1000", run_poll, open_poll_1000, close_fds},
    {"poll_zero", run_poll_zero, open_poll_0, close_fds},
#ifdef CONFIG_LINUX_IO_URING
    {"uring_oneshot_0", run_uring_oneshot, open_ring_0, close_ring},
    {"uring_multishot_0", run_uring_multishot, open_multishot_0, close_ring},
#endif
#ifdef HAVE_LIBUV
    {"uv_async", run_async, open_async, close_async},
    {"uv_poll", run_uv_poll, open_uv_poll, close_uv_poll},
#endif
    {NULL, NULL, NULL, NULL},
};
