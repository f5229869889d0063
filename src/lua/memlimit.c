/*
 * memlimit.c - a bound on what all Lua states of the process use together
 *
 * The allocator of a state counts what it hands out.  What would pass the limit
 * is refused: Lua collects garbage, tries again, and raises "not enough memory"
 * in whoever asked.  Buffers, C stacks and the loop are not Lua's memory.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "memlimit.h"

static size_t limit; /* 0: none; set before there are threads */
static atomic_size_t in_use;

void memlimit_set(size_t bytes)
{
    limit = bytes;
}

size_t memlimit_get(void)
{
    return limit;
}

/* For a new block @old is a type, not a size. */
static void *limited_alloc(void *ud, void *ptr, size_t old, size_t size)
{
    size_t before = ptr ? old : 0;

    if (size == 0) {
        free(ptr);
        atomic_fetch_sub(&in_use, before);
        return NULL;
    }
    if (size > before &&
        atomic_fetch_add(&in_use, size - before) + (size - before) > limit) {
        atomic_fetch_sub(&in_use, size - before);
        return NULL;
    }
    void *result = realloc(ptr, size);
    if (!result && size > before) {
        atomic_fetch_sub(&in_use, size - before);
    } else if (size < before) {
        if (!result) {
            return ptr; /* shrinking may not fail */
        }
        atomic_fetch_sub(&in_use, before - size);
    }
    return result;
}

lua_State *memlimit_newstate(void)
{
    lua_State *L =
        luaL_newstate(); /* whose allocator is realloc() and free() */

    if (L && limit != 0) {
        size_t bytes = (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024 +
                       (size_t)lua_gc(L, LUA_GCCOUNTB, 0);
        atomic_fetch_add(&in_use, bytes);
        lua_setallocf(L, limited_alloc, NULL);
    }
    return L;
}
