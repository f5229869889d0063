/*
 * wake_peer.c - what wake.c does, by an eventfd and epoll, and by libuv
 *
 * The flood's peers queue what others would: a list under a mutex, and a
 * wake-up when it was empty (eventfd) or for each (libuv joins them).
 */
#include "harness.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pin.h"

#ifdef HAVE_LIBUV
#include <uv.h>
#endif

enum { PRODUCERS = 4 };

static pthread_t thread;
static sem_t ready;
static int cpus, stopping;

static void start_thread(void *(*run)(void *))
{
    sem_init(&ready, 0, 0);
    stopping = 0;
    pin_thread(0);
    bench_require(pthread_create(&thread, NULL, run, NULL) == 0,
                  "pthread_create");
    sem_wait(&ready);
}

/* ---- eventfd and epoll: ping-pong --------------------------------------- */

typedef struct Side {
    int event_fd, epoll_fd;
} Side;

static Side here, there;

static void side_open(Side *side)
{
    struct epoll_event event = {.events = EPOLLIN};

    side->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    side->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bench_require(
        epoll_ctl(side->epoll_fd, EPOLL_CTL_ADD, side->event_fd, &event) == 0,
        "epoll_ctl");
}

static void side_close(Side *side)
{
    close(side->event_fd);
    close(side->epoll_fd);
}

static void side_set(Side *side)
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

static void *run_there(void *arg)
{
    pin_thread(cpus - 1);
    sem_post(&ready);
    for (;;) {
        side_wait(&there);
        if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
            return NULL;
        }
        side_set(&here);
    }
}

static void open_epoll(int on_cpus)
{
    cpus = on_cpus;
    side_open(&here);
    side_open(&there);
    start_thread(run_there);
}

static void open_epoll_1cpu(void)
{
    open_epoll(1);
}

static void open_epoll_2cpu(void)
{
    open_epoll(2);
}

static void close_epoll(void)
{
    __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
    side_set(&there);
    pthread_join(thread, NULL);
    side_close(&here);
    side_close(&there);
    sem_destroy(&ready);
}

static uint64_t run_epoll(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        side_set(&there);
        side_wait(&here);
    }
    return n;
}

/* ---- a list under a mutex, for the floods ------------------------------- */

typedef struct Node {
    struct Node *next;
} Node;

static Node *list;
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t received, flood_share;

/* Returns whether the list was empty. */
static int list_push(void)
{
    Node *node = malloc(sizeof(*node));
    int was_empty;

    pthread_mutex_lock(&list_lock);
    node->next = list;
    was_empty = !list;
    list = node;
    pthread_mutex_unlock(&list_lock);
    return was_empty;
}

static void list_take(void)
{
    Node *node;

    pthread_mutex_lock(&list_lock);
    node = list;
    list = NULL;
    pthread_mutex_unlock(&list_lock);
    while (node) {
        Node *next = node->next;
        free(node);
        node = next;
        received++;
    }
}

static uint64_t run_flood(uint64_t n, void *(*produce)(void *),
                          void (*consume)(void))
{
    pthread_t producers[PRODUCERS];
    uint64_t start = received;

    flood_share = (n + PRODUCERS - 1) / PRODUCERS;
    for (int i = 0; i < PRODUCERS; i++) {
        bench_require(pthread_create(&producers[i], NULL, produce, NULL) == 0,
                      "pthread_create");
    }
    while (received - start < flood_share * PRODUCERS) {
        consume();
    }
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(producers[i], NULL);
    }
    return received - start;
}

static void *produce_epoll(void *arg)
{
    for (uint64_t i = 0; i < flood_share; i++) {
        if (list_push()) {
            side_set(&here);
        }
    }
    return NULL;
}

static void consume_epoll(void)
{
    side_wait(&here);
    list_take();
}

static void open_flood(void)
{
    side_open(&here);
}

static void close_flood(void)
{
    side_close(&here);
}

static uint64_t run_epoll_flood(uint64_t n)
{
    return run_flood(n, produce_epoll, consume_epoll);
}

#ifdef HAVE_LIBUV
/* ---- libuv -------------------------------------------------------------- */

static uv_loop_t loop_here, loop_there;
static uv_async_t async_here, async_there;
static uint64_t balls;

static void on_ball_here(uv_async_t *async)
{
    balls++;
}

static void on_ball_there(uv_async_t *async)
{
    if (__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
        uv_close((uv_handle_t *)async, NULL);
    } else {
        uv_async_send(&async_here);
    }
}

static void *run_uv_there(void *arg)
{
    pin_thread(cpus - 1);
    sem_post(&ready);
    uv_run(&loop_there, UV_RUN_DEFAULT);
    return NULL;
}

static void open_uv(int on_cpus)
{
    cpus = on_cpus;
    uv_loop_init(&loop_here);
    uv_loop_init(&loop_there);
    uv_async_init(&loop_here, &async_here, on_ball_here);
    uv_async_init(&loop_there, &async_there, on_ball_there);
    start_thread(run_uv_there);
}

static void open_uv_1cpu(void)
{
    open_uv(1);
}

static void open_uv_2cpu(void)
{
    open_uv(2);
}

static void close_uv(void)
{
    __atomic_store_n(&stopping, 1, __ATOMIC_RELEASE);
    uv_async_send(&async_there);
    pthread_join(thread, NULL);
    uv_close((uv_handle_t *)&async_here, NULL);
    uv_run(&loop_here, UV_RUN_DEFAULT);
    uv_loop_close(&loop_here);
    uv_loop_close(&loop_there);
    sem_destroy(&ready);
}

static uint64_t run_uv(uint64_t n)
{
    uint64_t end = balls + n;

    while (balls < end) {
        uint64_t before = balls;

        uv_async_send(&async_there);
        while (balls == before) {
            uv_run(&loop_here, UV_RUN_ONCE);
        }
    }
    return n;
}

static void *produce_uv(void *arg)
{
    for (uint64_t i = 0; i < flood_share; i++) {
        list_push();
        uv_async_send(&async_here);
    }
    return NULL;
}

static void consume_uv(void)
{
    uv_run(&loop_here, UV_RUN_ONCE);
}

static void on_flood(uv_async_t *async)
{
    list_take();
}

static void open_uv_flood(void)
{
    uv_loop_init(&loop_here);
    uv_async_init(&loop_here, &async_here, on_flood);
}

static void close_uv_flood(void)
{
    uv_close((uv_handle_t *)&async_here, NULL);
    uv_run(&loop_here, UV_RUN_DEFAULT);
    uv_loop_close(&loop_here);
}

static uint64_t run_uv_flood(uint64_t n)
{
    return run_flood(n, produce_uv, consume_uv);
}
#endif

const BenchCase bench_cases[] = {
    {"epoll_1cpu", run_epoll, open_epoll_1cpu, close_epoll},
    {"epoll_2cpu", run_epoll, open_epoll_2cpu, close_epoll},
    {"epoll_flood", run_epoll_flood, open_flood, close_flood},
#ifdef HAVE_LIBUV
    {"uv_1cpu", run_uv, open_uv_1cpu, close_uv},
    {"uv_2cpu", run_uv, open_uv_2cpu, close_uv},
    {"uv_flood", run_uv_flood, open_uv_flood, close_uv_flood},
#endif
    {NULL, NULL, NULL, NULL},
};
