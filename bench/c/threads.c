/*
 * threads.c - two threads wake each other, as others would do it
 *
 * One operation is there and back: a write to an eventfd that the other thread
 * finds by epoll, or a uv_async_send() to its loop.
 */
#include "harness.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#ifdef HAVE_LIBUV
#include <uv.h>
#endif

/* ---- eventfd and epoll -------------------------------------------------- */

typedef struct Side {
    int epoll_fd, event_fd;
} Side;

static Side here, there;

static void side_open(Side *side)
{
    struct epoll_event event = {.events = EPOLLIN};

    side->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    side->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bench_require(
        epoll_ctl(side->epoll_fd, EPOLL_CTL_ADD, side->event_fd, &event) == 0,
        "epoll_ctl");
}

static void side_close(Side *side)
{
    close(side->event_fd);
    close(side->epoll_fd);
}

static void side_wake(Side *side)
{
    uint64_t one = 1;

    bench_require(write(side->event_fd, &one, 8) == 8, "write");
}

static void side_wait(Side *side)
{
    struct epoll_event event;
    uint64_t value;

    bench_require(epoll_wait(side->epoll_fd, &event, 1, -1) == 1, "epoll_wait");
    bench_require(read(side->event_fd, &value, 8) == 8, "read");
}

static void *answer(void *opaque)
{
    for (uint64_t i = *(uint64_t *)opaque; i > 0; i--) {
        side_wait(&there);
        side_wake(&here);
    }
    return NULL;
}

static uint64_t run_eventfd(uint64_t n)
{
    pthread_t thread;

    side_open(&here);
    side_open(&there);
    bench_require(pthread_create(&thread, NULL, answer, &n) == 0, "thread");
    for (uint64_t i = 0; i < n; i++) {
        side_wake(&there);
        side_wait(&here);
    }
    pthread_join(thread, NULL);
    side_close(&here);
    side_close(&there);
    return n;
}

/* ---- uv_async ----------------------------------------------------------- */

#ifdef HAVE_LIBUV
typedef struct UvSide {
    uv_loop_t loop;
    uv_async_t async, *other;
    uint64_t left;
} UvSide;

static void uv_came(uv_async_t *async)
{
    UvSide *side = async->data;

    uv_async_send(side->other);
    if (--side->left == 0) {
        uv_close((uv_handle_t *)async, NULL);
    }
}

static void uv_side_open(UvSide *side, uint64_t n)
{
    uv_loop_init(&side->loop);
    uv_async_init(&side->loop, &side->async, uv_came);
    side->async.data = side;
    side->left = n;
}

static void uv_side_run(void *opaque)
{
    UvSide *side = opaque;

    uv_run(&side->loop, UV_RUN_DEFAULT);
}

static uint64_t run_uv_async(uint64_t n)
{
    UvSide a, b;
    uv_thread_t thread;

    uv_side_open(&a, n);
    uv_side_open(&b, n + 1); /* its last turn answers nobody */
    a.other = &b.async;
    b.other = &a.async;
    uv_thread_create(&thread, uv_side_run, &b);
    uv_async_send(&b.async);
    uv_side_run(&a);
    uv_thread_join(&thread);
    uv_loop_close(&a.loop);
    uv_loop_close(&b.loop);
    return n;
}
#endif

const BenchCase bench_cases[] = {
    {"eventfd", run_eventfd, NULL, NULL},
#ifdef HAVE_LIBUV
    {"uv_async", run_uv_async, NULL, NULL},
#endif
    {NULL, NULL, NULL, NULL},
};
