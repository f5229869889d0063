/*
 * coro/stack.c - stacks come in slabs: one mapping, many slots
 *
 * A slot is a guard and above it a stack.  Slabs grow with demand (64 to 2048
 * slots of 1 MiB), so that 100,000 stacks are a few dozen mappings.  A freed
 * slot gives its memory back at once and is handed out again first; a slab
 * without users is unmapped, except for one per class.
 *
 * Guards: pages marked by MADV_GUARD_INSTALL need no mapping of their own
 * (Linux 6.13).  Older kernels: mprotect(), which costs two mappings per stack,
 * so that we stop at half of what the kernel allows and go on without a guard
 * but with a canary: the lowest words of the stack, zero in fresh memory, must
 * still be zero at every switch.
 *
 * All state is under one lock; allocation is the cold path behind the pool.
 */
#include "coro/stack.h"

#include <sys/mman.h>

#include "base/check.h"
#include "base/feature.h"
#include "coro/checkers.h"
#include "qemu/lockable.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* Larger than the frames of careless C code, so that nobody steps over it. */
#define GUARD_BYTES (64u << 10)
#define CANARY_WORDS 8

typedef struct StackSlot {
    unsigned free_slot; /* entry of the slab's stack of free slots */
    bool canary;        /* this slot has no guard */
} StackSlot;

struct StackSlab {
    char *mem;
    unsigned cls;
    unsigned slots;
    unsigned used;               /* slots handed out */
    unsigned fresh;              /* slots from here on were never used */
    unsigned nfree;              /* entries of slot[].free_slot */
    unsigned mprotected;         /* slots with an mprotect() guard */
    QLIST_ENTRY(StackSlab) next; /* while a slot is free */
    StackSlot slot[];
};

typedef QLIST_HEAD(, StackSlab) SlabList;

typedef struct StackClass {
    size_t size;
    unsigned slots_min, slots_max; /* of a slab */
    unsigned slots_next;
    SlabList available; /* slabs with free slots */
} StackClass;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static StackClass classes[STACK_CLASSES] = {
    {.size = 1u << 20, .slots_min = 64, .slots_max = 2048},
    {.size = 8u << 20, .slots_min = 8, .slots_max = 256},
    {.size = 64u << 20, .slots_min = 1, .slots_max = 16},
};

typedef enum Guard {
    GUARD_UNKNOWN,
    GUARD_MADVISE,
    GUARD_MPROTECT,
    GUARD_CANARY
} Guard;

static Guard guard;              /* the kind for new stacks */
static unsigned mprotect_guards; /* in existence */

/* ---- guards ------------------------------------------------------------- */

static Guard probe_guard(char *mem)
{
    if (!feature_refused(FEATURE_MADV_GUARD) && !checker_on_valgrind() &&
        madvise(mem, GUARD_BYTES, MADV_GUARD_INSTALL) == 0) {
        return GUARD_MADVISE;
    }
    return feature_refused(FEATURE_MPROTECT_GUARD) ? GUARD_CANARY
                                                   : GUARD_MPROTECT;
}

/* Each guard costs two mappings; half of them are for the rest of the
 * program. */
static unsigned mprotect_guards_max(void)
{
    static unsigned max;
    if (max == 0) {
        long maps = 65530;
        FILE *f = fopen("/proc/sys/vm/max_map_count", "re");
        if (f) {
            if (fscanf(f, "%ld", &maps) != 1 || maps < 4) {
                maps = 65530;
            }
            fclose(f);
        }
        max = (unsigned)MIN(maps / 4, (long)INT_MAX);
    }
    return max;
}

/* Makes the guard of a never used slot; false: it has none. */
static bool install_guard(StackSlab *slab, char *mem)
{
    if (guard == GUARD_UNKNOWN) {
        guard = probe_guard(mem);
    }
    if (guard == GUARD_MADVISE) {
        return madvise(mem, GUARD_BYTES, MADV_GUARD_INSTALL) == 0;
    }
    if (guard == GUARD_MPROTECT && mprotect_guards < mprotect_guards_max() &&
        mprotect(mem, GUARD_BYTES, PROT_NONE) == 0) {
        mprotect_guards++;
        slab->mprotected++;
        return true;
    }
    return false;
}

bool stack_guard_contains(const char *base, const char *addr)
{
    return addr < base && addr >= base - GUARD_BYTES;
}

bool stack_canary_ok(const char *base)
{
    const uint64_t *word = (const uint64_t *)base;
    uint64_t all = 0;
    for (int i = 0; i < CANARY_WORDS; i++) {
        all |= word[i];
    }
    return all == 0;
}

const char *stack_guard_name(void)
{
    static const char *const names[] = {
        [GUARD_UNKNOWN] = "none yet",
        [GUARD_MADVISE] = "madv_guard",
        [GUARD_MPROTECT] = "mprotect",
        [GUARD_CANARY] = "canary",
    };
    pthread_mutex_lock(&lock);
    Guard now = guard;
    if (now == GUARD_MPROTECT && mprotect_guards >= mprotect_guards_max()) {
        now = GUARD_CANARY;
    }
    pthread_mutex_unlock(&lock);
    return names[now];
}

/* ---- slabs -------------------------------------------------------------- */

static char *map_slab(size_t bytes)
{
    char *mem =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mem == MAP_FAILED) {
        return NULL;
    }
    madvise(mem, bytes, MADV_NOHUGEPAGE);
    return mem;
}

/* Under limits on address space a smaller slab may still fit. */
static StackSlab *new_slab(unsigned cls)
{
    StackClass *c = &classes[cls];
    unsigned slots = MAX(c->slots_next, c->slots_min);
    char *mem = map_slab(slots * c->size);
    while (!mem && slots > 1) {
        slots /= 2;
        mem = map_slab(slots * c->size);
    }
    if (!mem) {
        return NULL;
    }
    StackSlab *slab =
        check_calloc(1, sizeof(*slab) + slots * sizeof(slab->slot[0]));
    slab->mem = mem;
    slab->cls = cls;
    slab->slots = slots;
    c->slots_next = MIN(2 * slots, c->slots_max);
    QLIST_INSERT_HEAD(&c->available, slab, next);
    return slab;
}

static bool slab_full(const StackSlab *slab)
{
    return slab->nfree == 0 && slab->fresh == slab->slots;
}

/* Called with the last slot freed.  One empty slab stays. */
static void retire_slab(StackSlab *slab)
{
    StackClass *c = &classes[slab->cls];
    bool only_one =
        QLIST_FIRST(&c->available) == slab && QLIST_NEXT(slab, next) == NULL;
    if (only_one) {
        return;
    }
    QLIST_REMOVE(slab, next);
    mprotect_guards -= slab->mprotected;
    munmap(slab->mem, slab->slots * c->size);
    free(slab);
}

static unsigned take_slot(StackSlab *slab)
{
    unsigned slot =
        slab->nfree > 0 ? slab->slot[--slab->nfree].free_slot : slab->fresh++;
    slab->used++;
    if (slab_full(slab)) {
        QLIST_REMOVE(slab, next);
    }
    return slot;
}

/* ---- stacks ------------------------------------------------------------- */

int stack_class_for(size_t size)
{
    for (int cls = 0; cls < STACK_CLASSES; cls++) {
        if (size <= classes[cls].size) {
            return cls;
        }
    }
    return -1;
}

size_t stack_class_size(unsigned cls)
{
    return classes[cls].size;
}

static void fill_stack(StackSlab *slab, Stack *stack)
{
    size_t size = classes[slab->cls].size;
    bool fresh = slab->nfree == 0;
    stack->slot = take_slot(slab);
    char *mem = slab->mem + stack->slot * size;
    stack->slab = slab;
    stack->base = mem + GUARD_BYTES;
    stack->size = size - GUARD_BYTES;
    if (fresh) {
        slab->slot[stack->slot].canary = !install_guard(slab, mem);
    }
    stack->canary = slab->slot[stack->slot].canary;
}

int stack_alloc(unsigned cls, Stack *stack)
{
    int ret = 0;
    CHECK(cls < STACK_CLASSES);
    pthread_mutex_lock(&lock);
    StackSlab *slab = QLIST_FIRST(&classes[cls].available);
    if (!slab) {
        slab = new_slab(cls);
    }
    if (slab) {
        fill_stack(slab, stack);
    } else {
        ret = -ENOMEM;
    }
    pthread_mutex_unlock(&lock);
    return ret;
}

void stack_free(char *base, StackSlab *slab)
{
    size_t size = classes[slab->cls].size;
    unsigned slot = (unsigned)((size_t)(base - slab->mem) / size);
    madvise(base, size - GUARD_BYTES, MADV_DONTNEED);
    pthread_mutex_lock(&lock);
    if (slab_full(slab)) {
        QLIST_INSERT_HEAD(&classes[slab->cls].available, slab, next);
    }
    slab->slot[slab->nfree++].free_slot = slot;
    if (--slab->used == 0) {
        retire_slab(slab);
    }
    pthread_mutex_unlock(&lock);
}

/* ---- giving memory back ------------------------------------------------- */

#define SAMPLES 8
#define SAMPLE_BYTES 4096
#define WINDOW_BYTES (128u << 10)

/*
 * Did calls reach below the hot part?  Looks at a few words of the page right
 * below: never written, it reads as the kernel's shared zero page, which costs
 * no memory.  Frames that leave all of them zero are found by mincore() below.
 */
static bool looks_deep(const char *hot)
{
    const char *page = hot - SAMPLE_BYTES;
    uint64_t all = 0;
    for (unsigned i = 0; i < SAMPLES; i++) {
        /* A stride that visits different words of different lines. */
        all |= *(const uint64_t *)(page + i * (SAMPLE_BYTES / SAMPLES) + 8 * i);
    }
    return all != 0;
}

/*
 * Asks the kernel, which is exact and takes microseconds.  The page that
 * looks_deep() reads is left to it: having been read, it is present.  No frame
 * is so large that calls leave the whole window out.
 */
static bool is_deep(char *base, char *hot)
{
    unsigned char present[WINDOW_BYTES / SAMPLE_BYTES];
    uintptr_t page = (uintptr_t)getpagesize();
    char *start = QEMU_ALIGN_PTR_UP(hot - SAMPLE_BYTES - WINDOW_BYTES, page);
    CHECK(start >= base);
    return mincore(start, WINDOW_BYTES, present) < 0 ||
           memchr(present, 1, WINDOW_BYTES / page);
}

void stack_trim(char *base, size_t size, bool thorough)
{
    char *hot = base + size - STACK_HOT_BYTES;
    bool deep =
        !CORO_CHECKED && !thorough ? looks_deep(hot) : is_deep(base, hot);
    if (unlikely(deep)) {
        hot = QEMU_ALIGN_PTR_DOWN(hot, (uintptr_t)getpagesize());
        madvise(base, (size_t)(hot - base), MADV_DONTNEED);
    }
}
