/*
 * timerheap.c - a 4-ary heap with its keys inline
 *
 * Four children of 16 bytes fill one cache line, because the array starts three
 * entries into one; so a level costs one miss, and a heap of a million timers
 * has ten levels.  The key is in the entry; the timer itself is read only when
 * keys are equal, and written because it has to know its place.
 *
 * Rule: entries[timer->heap_index].timer == timer, for every timer in the heap.
 */
#include "loop/timerheap.h"

#include "base/check.h"

enum { ARITY = 4, CACHE_LINE = 64, FIRST_SIZE = 64 };

_Static_assert(sizeof(TimerHeapEntry) * ARITY == CACHE_LINE,
               "siblings share a cache line");

static inline bool before(const TimerHeapEntry *a, const TimerHeapEntry *b)
{
    return a->key < b->key ||
           (a->key == b->key && a->timer->sequence < b->timer->sequence);
}

static inline void place(TimerHeap *heap, uint32_t i, TimerHeapEntry entry)
{
    heap->entries[i] = entry;
    entry.timer->heap_index = i;
}

/* Carries @entry from the hole at @i towards the root. */
static void sift_up(TimerHeap *heap, uint32_t i, TimerHeapEntry entry)
{
    while (i > 0) {
        uint32_t parent = (i - 1) / ARITY;

        if (!before(&entry, &heap->entries[parent])) {
            break;
        }
        place(heap, i, heap->entries[parent]);
        i = parent;
    }
    place(heap, i, entry);
}

/* Of four siblings, without a branch that depends on their order: that would
 * be predicted wrong half of the time.  Equal keys take the slow way. */
static inline uint32_t earliest_of_four(const TimerHeapEntry *child)
{
    int64_t a = child[0].key, b = child[1].key;
    int64_t c = child[2].key, d = child[3].key;
    uint32_t ab = b < a, cd = 2 + (d < c);
    int64_t first = MIN(a, b), second = MIN(c, d);

    if (unlikely((a == b) | (c == d) | (first == second))) {
        return ARITY;
    }
    return second < first ? cd : ab;
}

static QEMU_NOINLINE uint32_t earliest_of(const TimerHeapEntry *child,
                                          uint32_t count)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < count; i++) {
        if (before(&child[i], &child[best])) {
            best = i;
        }
    }
    return best;
}

static inline uint32_t earliest_child(const TimerHeap *heap, uint32_t first)
{
    const TimerHeapEntry *child = &heap->entries[first];
    uint32_t best = ARITY;

    if (likely(first + ARITY <= heap->count)) {
        best = earliest_of_four(child);
    }
    if (unlikely(best == ARITY)) {
        best = earliest_of(child, MIN((uint32_t)ARITY, heap->count - first));
    }
    return first + best;
}

/* The other way. */
static void sift_down(TimerHeap *heap, uint32_t i, TimerHeapEntry entry)
{
    for (;;) {
        uint32_t first = i * ARITY + 1;

        if (first >= heap->count) {
            break;
        }
        uint32_t child = earliest_child(heap, first);
        if (!before(&heap->entries[child], &entry)) {
            break;
        }
        place(heap, i, heap->entries[child]);
        i = child;
    }
    place(heap, i, entry);
}

static void settle(TimerHeap *heap, uint32_t i, TimerHeapEntry entry)
{
    if (i > 0 && before(&entry, &heap->entries[(i - 1) / ARITY])) {
        sift_up(heap, i, entry);
    } else {
        sift_down(heap, i, entry);
    }
}

static void grow(TimerHeap *heap)
{
    uint32_t size = heap->size ? heap->size * 2 : FIRST_SIZE;
    size_t bytes = (size + ARITY) * sizeof(TimerHeapEntry);
    void *memory = aligned_alloc(CACHE_LINE, ROUND_UP(bytes, CACHE_LINE));

    CHECKF(memory, "out of memory for %u timers", size);
    TimerHeapEntry *entries = (TimerHeapEntry *)memory + ARITY - 1;
    if (heap->count) {
        memcpy(entries, heap->entries, heap->count * sizeof(*entries));
    }
    free(heap->memory);
    heap->memory = memory;
    heap->entries = entries;
    heap->size = size;
}

void timerheap_insert(TimerHeap *heap, QEMUTimer *timer, int64_t key)
{
    if (heap->count == heap->size) {
        grow(heap);
    }
    sift_up(heap, heap->count++, (TimerHeapEntry){key, timer});
}

void timerheap_remove(TimerHeap *heap, QEMUTimer *timer)
{
    uint32_t i = timer->heap_index;
    TimerHeapEntry last = heap->entries[--heap->count];

    if (i != heap->count) {
        settle(heap, i, last);
    }
}

void timerheap_move(TimerHeap *heap, QEMUTimer *timer, int64_t key)
{
    settle(heap, timer->heap_index, (TimerHeapEntry){key, timer});
}

void timerheap_free(TimerHeap *heap)
{
    free(heap->memory);
    *heap = (TimerHeap){0};
}

bool timerheap_is_ordered(const TimerHeap *heap)
{
    for (uint32_t i = 0; i < heap->count; i++) {
        if (heap->entries[i].timer->heap_index != i ||
            (i > 0 &&
             before(&heap->entries[i], &heap->entries[(i - 1) / ARITY]))) {
            return false;
        }
    }
    return true;
}
