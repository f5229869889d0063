/*
 * blocks.c - small blocks that a Lua state frees wait for its next request
 *
 * A collection frees hundreds of small objects at once, more than malloc()
 * keeps at hand for a thread (seven of a size); so it coalesces them, and cuts
 * them up again for what is allocated next.  Here some of each size are kept:
 * a push and a pop instead.
 *
 * All blocks are malloc()'s, also those that the state had before; hence each
 * must be as large as its class, which is so where malloc() rounds as ours does
 * (is_rounding()).  Where it does not, as under the memory checkers, nothing is
 * kept.
 *
 * The state's own block, freed last, takes the rest with it.
 */
#include <malloc.h>
#include <stdlib.h>

#include "alua.h"
#include "qemu/osdep.h"

enum {
    SMALLEST = 24, /* bytes in a block of class 0; 16 more in each further */
    STEP = 16,
    CLASSES = 16,
    KEPT_BYTES_MAX = 512 * 1024, /* per class */
};

typedef struct Block {
    struct Block *next;
} Block;

typedef struct BlockClass {
    Block *first;
    unsigned count, max;
} BlockClass;

typedef struct BlockKeeper {
    lua_Alloc allocate; /* the state's own */
    void *ud;
    void *state; /* the block of the main lua_State */
    BlockClass classes[CLASSES];
} BlockKeeper;

/* Larger than any class for what is not kept, 0 bytes included. */
static inline size_t class_of(size_t size)
{
    return size <= SMALLEST ? (size_t)0 - (size == 0)
                            : (size - SMALLEST + STEP - 1) / STEP;
}

static inline size_t class_size(size_t cls)
{
    return SMALLEST + STEP * cls;
}

static void free_all(BlockKeeper *k)
{
    for (size_t i = 0; i < CLASSES; i++) {
        for (Block *b = k->classes[i].first; b;) {
            Block *next = b->next;

            k->allocate(k->ud, b, class_size(i), 0);
            b = next;
        }
    }
}

static QEMU_NOINLINE void *pass_on(BlockKeeper *k, void *ptr, size_t old,
                                   size_t size)
{
    void *result = k->allocate(k->ud, ptr, old, size);

    if (size == 0 && ptr == k->state) {
        free_all(k);
        free(k);
    }
    return result;
}

static void *blocks_allocate(void *ud, void *ptr, size_t old, size_t size)
{
    BlockKeeper *k = ud;

    if (!ptr) { /* then @old says what kind of object it will be */
        size_t cls = class_of(size);

        if (likely(cls < CLASSES && k->classes[cls].first)) {
            BlockClass *c = &k->classes[cls];
            Block *b = c->first;

            c->first = b->next;
            c->count--;
            return b;
        }
    } else if (size == 0) {
        size_t cls = class_of(old);

        if (likely(cls < CLASSES &&
                   k->classes[cls].count < k->classes[cls].max)) {
            BlockClass *c = &k->classes[cls];
            Block *b = ptr;

            b->next = c->first;
            c->first = b;
            c->count++;
            return NULL;
        }
    }
    return pass_on(k, ptr, old, size);
}

/* Is a block of each size as large as its class? */
static bool is_rounding(void)
{
    for (size_t cls = 0; cls < CLASSES; cls++) {
        void *ptr = malloc(cls ? class_size(cls - 1) + 1 : 1);
        bool fits = ptr && malloc_usable_size(ptr) >= class_size(cls);

        free(ptr);
        if (!fits) {
            return false;
        }
    }
    return true;
}

void alua_keep_blocks(lua_State *L)
{
    BlockKeeper *k = is_rounding() ? calloc(1, sizeof(*k)) : NULL;

    if (!k) {
        return; /* nothing is kept */
    }
    k->allocate = lua_getallocf(L, &k->ud);
    k->state = (char *)L - LUA_EXTRASPACE;
    for (size_t i = 0; i < CLASSES; i++) {
        k->classes[i].max = KEPT_BYTES_MAX / (unsigned)class_size(i);
    }
    lua_setallocf(L, blocks_allocate, k);
}
