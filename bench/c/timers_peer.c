/*
 * timers_peer.c - the cases of timers.c, done by others
 *
 * heap: a 4-ary heap with its keys inline and nothing else: no lock, no clock,
 * no order among equal deadlines.  The limit of what a heap can do.
 * list: a sorted list, as in the loop whose API this one has; one of N is moved
 * from one random place to another.
 * uv: libuv, on whose own clock all deadlines come at the next turn.
 */
#include "harness.h"
#include "random.h"

#include <stdlib.h>

#ifdef HAVE_LIBUV
#include <uv.h>
#endif

static uint32_t size; /* how many timers */
static uint32_t state;
static uint64_t events;

/* ---- 4-ary heap --------------------------------------------------------- */

/* No timer has less. */
typedef struct Timer {
    int64_t deadline;
    uint32_t index;
    void (*fire)(void *opaque);
    void *opaque;
} Timer;

typedef struct Entry {
    int64_t key;
    Timer *timer;
} Entry;

static Timer *heap_timers;
static void *heap_memory;
static Entry *heap;
static uint32_t heap_count;

static void fired(void *opaque)
{
    events++;
}

static inline void put(uint32_t i, Entry entry)
{
    heap[i] = entry;
    entry.timer->index = i;
}

static void sift_up(uint32_t i, Entry entry)
{
    while (i > 0 && entry.key < heap[(i - 1) / 4].key) {
        put(i, heap[(i - 1) / 4]);
        i = (i - 1) / 4;
    }
    put(i, entry);
}

static void sift_down(uint32_t i, Entry entry)
{
    uint32_t first;

    while ((first = 4 * i + 1) < heap_count) {
        uint32_t best = first;

        for (uint32_t c = first + 1; c < first + 4 && c < heap_count; c++) {
            if (heap[c].key < heap[best].key) {
                best = c;
            }
        }
        if (heap[best].key >= entry.key) {
            break;
        }
        put(i, heap[best]);
        i = best;
    }
    put(i, entry);
}

static void heap_move(Timer *timer, int64_t key)
{
    uint32_t i = timer->index;
    Entry entry = {key, timer};

    timer->deadline = key;
    if (i > 0 && key < heap[(i - 1) / 4].key) {
        sift_up(i, entry);
    } else {
        sift_down(i, entry);
    }
}

static void heap_add(Timer *timer, int64_t key)
{
    timer->deadline = key;
    sift_up(heap_count++, (Entry){key, timer});
}

static void open_heap(uint32_t n)
{
    enum { CACHE_LINE = 64 };

    size = n;
    state = RANDOM_SEED;
    heap_count = 0;
    heap_timers = calloc(n, sizeof(*heap_timers));
    heap_memory = aligned_alloc(
        CACHE_LINE, (n * sizeof(Entry) / CACHE_LINE + 2) * CACHE_LINE);
    bench_require(heap_timers && heap_memory, "memory for a heap");
    heap = (Entry *)heap_memory + 3; /* siblings share a line */
    for (uint32_t i = 0; i < n; i++) {
        heap_timers[i].fire = fired;
    }
}

static void pending_heap(uint32_t n)
{
    open_heap(n);
    for (uint32_t i = 0; i < n; i++) {
        heap_add(&heap_timers[i], next_random(&state));
    }
}

static void close_heap(void)
{
    free(heap_timers);
    free(heap_memory);
}

static uint64_t run_heap_rearm(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        Timer *timer = &heap_timers[next_random(&state) % size];

        heap_move(timer, next_random(&state));
    }
    return n;
}

static uint64_t run_heap_arm_fire(uint64_t n)
{
    uint64_t start = events;

    while (events - start < n) {
        for (uint32_t i = 0; i < size; i++) {
            heap_add(&heap_timers[i], next_random(&state) >> 8);
        }
        while (heap_count > 0) {
            Timer *timer = heap[0].timer;

            sift_down(0, heap[--heap_count]);
            timer->fire(timer->opaque);
        }
    }
    return events - start;
}

/* ---- sorted list -------------------------------------------------------- */

typedef struct Node {
    struct Node *next;
    int64_t key;
} Node;

static Node *list_nodes;
static Node list_head;

static void list_insert(Node *node, int64_t key)
{
    Node **at = &list_head.next;

    while (*at && (*at)->key <= key) {
        at = &(*at)->next;
    }
    node->key = key;
    node->next = *at;
    *at = node;
}

static void list_remove(Node *node)
{
    Node **at = &list_head.next;

    while (*at != node) {
        at = &(*at)->next;
    }
    *at = node->next;
}

static int by_key(const void *a, const void *b)
{
    int64_t x = ((const Node *)a)->key, y = ((const Node *)b)->key;

    return (x > y) - (x < y);
}

static void open_list(uint32_t n)
{
    size = n;
    state = RANDOM_SEED;
    list_nodes = calloc(n, sizeof(*list_nodes));
    bench_require(list_nodes != NULL, "memory for a list");
    for (uint32_t i = 0; i < n; i++) {
        list_nodes[i].key = next_random(&state);
    }
    qsort(list_nodes, n, sizeof(*list_nodes), by_key);
    list_head.next = list_nodes;
    for (uint32_t i = 1; i < n; i++) {
        list_nodes[i - 1].next = &list_nodes[i];
    }
}

static void close_list(void)
{
    free(list_nodes);
}

static uint64_t run_list(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        Node *node = &list_nodes[next_random(&state) % size];

        list_remove(node);
        list_insert(node, next_random(&state));
    }
    return n;
}

/* ---- libuv -------------------------------------------------------------- */

#ifdef HAVE_LIBUV
static uv_loop_t uv;
static uv_timer_t *uv_timers;

static void on_timer(uv_timer_t *timer)
{
    events++;
}

static void open_uv(uint32_t n)
{
    size = n;
    state = RANDOM_SEED;
    uv_timers = calloc(n, sizeof(*uv_timers));
    bench_require(uv_timers && uv_loop_init(&uv) == 0, "uv_loop_init");
    for (uint32_t i = 0; i < n; i++) {
        uv_timer_init(&uv, &uv_timers[i]);
    }
}

static uint64_t far_timeout(void)
{
    return 1000000 + next_random(&state);
}

static void pending_uv(uint32_t n)
{
    open_uv(n);
    for (uint32_t i = 0; i < n; i++) {
        uv_timer_start(&uv_timers[i], on_timer, far_timeout(), 0);
    }
}

static void close_uv(void)
{
    for (uint32_t i = 0; i < size; i++) {
        uv_close((uv_handle_t *)&uv_timers[i], NULL);
    }
    uv_run(&uv, UV_RUN_DEFAULT);
    uv_loop_close(&uv);
    free(uv_timers);
}

static uint64_t run_uv_rearm(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        uv_timer_start(&uv_timers[next_random(&state) % size], on_timer,
                       far_timeout(), 0);
    }
    return n;
}

/* Deadlines between the loop's beginning of time and now: it is set back while
 * they are made, and set right by uv_run(). */
static uint64_t run_uv_arm_fire(uint64_t n)
{
    uint64_t start = events, now = uv_hrtime() / 1000000;

    while (events - start < n) {
        uv.time = 0;
        for (uint32_t i = 0; i < size; i++) {
            uv_timer_start(&uv_timers[i], on_timer, next_random(&state) % now,
                           0);
        }
        uv_run(&uv, UV_RUN_NOWAIT);
    }
    return events - start;
}
#endif

/* ---- cases -------------------------------------------------------------- */

#define OPEN(what, n)            \
    static void what##_##n(void) \
    {                            \
        what(n);                 \
    }
#define HEAP(n) OPEN(open_heap, n) OPEN(pending_heap, n)
#define HEAP_CASES(n)                                                     \
    {"heap_rearm_" #n, run_heap_rearm, pending_heap_##n, close_heap},     \
    {                                                                     \
        "heap_arm_fire_" #n, run_heap_arm_fire, open_heap_##n, close_heap \
    }

HEAP(100)
HEAP(10000)
HEAP(1000000)
OPEN(open_list, 1000)
OPEN(open_list, 100000)

#ifdef HAVE_LIBUV
#define UV(n) OPEN(open_uv, n) OPEN(pending_uv, n)
#define UV_CASES(n)                                               \
    {"uv_rearm_" #n, run_uv_rearm, pending_uv_##n, close_uv},     \
    {                                                             \
        "uv_arm_fire_" #n, run_uv_arm_fire, open_uv_##n, close_uv \
    }

UV(1)
UV(100)
UV(10000)
UV(1000000)
#endif

const BenchCase bench_cases[] = {
    HEAP_CASES(100),
    HEAP_CASES(10000),
    HEAP_CASES(1000000),
    {"list_1000", run_list, open_list_1000, close_list},
    {"list_100000", run_list, open_list_100000, close_list},
#ifdef HAVE_LIBUV
    UV_CASES(1),
    UV_CASES(100),
    UV_CASES(10000),
    UV_CASES(1000000),
#endif
    {NULL, NULL, NULL, NULL},
};
