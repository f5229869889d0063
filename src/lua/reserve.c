/*
 * reserve.c - memory for finalizers when there is none left
 *
 * Lua calls a finalizer once, and to call it needs memory itself (a frame, room
 * on the stack).  When that cannot be had, the call is lost, the object freed
 * without it, and what it held stays open: with our lists of open handles even
 * a pointer to freed memory.  So the allocator of a state with a VM is wrapped:
 * what it refuses while a finalizer runs comes out of a small reserve.
 *
 * The reserve is a block that is handed out from its start to its end and
 * begins anew once all of it has been given back.  It is never needed while
 * memory lasts, and a finalizer that wants more than it holds is lost as ever.
 */
#include <stdlib.h>
#include <string.h>

#include "vm_private.h"

enum { RESERVE_SIZE = 64 * 1024, RESERVE_ALIGN = 16 };

struct LuaReserve {
    lua_Alloc allocate; /* the state's own */
    void *ud;
    lua_State *L;
    size_t used; /* bytes handed out since the last new beginning */
    size_t live; /* blocks not given back */
    bool closed; /* to be removed with the last of them */
    _Alignas(RESERVE_ALIGN) char block[RESERVE_SIZE];
};

static bool is_ours(const LuaReserve *r, const void *ptr)
{
    return (uintptr_t)ptr - (uintptr_t)r->block < RESERVE_SIZE;
}

static void *reserve_take(LuaReserve *r, size_t size)
{
    size_t rounded = (size + RESERVE_ALIGN - 1) / RESERVE_ALIGN * RESERVE_ALIGN;

    if (rounded < size || rounded > RESERVE_SIZE - r->used) {
        return NULL;
    }
    void *ptr = r->block + r->used;
    r->used += rounded;
    r->live++;
    return ptr;
}

static void reserve_free(LuaReserve *r)
{
    lua_setallocf(r->L, r->allocate, r->ud);
    free(r);
}

/* May free @r: nothing after it. */
static void reserve_give_back(LuaReserve *r)
{
    if (--r->live == 0) {
        r->used = 0;
        if (r->closed) {
            reserve_free(r);
        }
    }
}

/* @old is the size of @ptr, which is ours: move it, or free it (@size 0). */
static void *reserve_change(LuaReserve *r, void *ptr, size_t old, size_t size)
{
    if (size == 0) {
        reserve_give_back(r);
        return NULL;
    }
    if (size <= old) {
        return ptr; /* shrinking may not fail */
    }
    void *moved = r->allocate(r->ud, NULL, 0, size);
    if (moved) {
        memcpy(moved, ptr, old);
        reserve_give_back(r);
        return moved;
    }
    moved = reserve_take(r, size);
    if (moved) {
        memcpy(moved, ptr, old);
        r->live--; /* not the last one: there is @moved */
    }
    return moved;
}

static void *reserve_allocate(void *ud, void *ptr, size_t old, size_t size)
{
    LuaReserve *r = ud;

    if (unlikely(is_ours(r, ptr))) {
        return reserve_change(r, ptr, old, size);
    }
    void *result = r->allocate(r->ud, ptr, old, size);
    /* The one option that is refused exactly while a finalizer runs. */
    if (likely(result || size == 0) || lua_gc(r->L, LUA_GCCOUNT, 0) >= 0) {
        return result;
    }
    result = reserve_take(r, size);
    if (result && ptr) {
        memcpy(result, ptr, old < size ? old : size);
        r->allocate(r->ud, ptr, old, 0);
    }
    return result;
}

bool reserve_install(lua_State *L, LuaVM *vm)
{
    LuaReserve *r = malloc(sizeof(*r));

    if (!r) {
        return false;
    }
    r->L = vm->main;
    r->used = r->live = 0;
    r->closed = false;
    r->allocate = lua_getallocf(L, &r->ud);
    lua_setallocf(L, reserve_allocate, r);
    vm->priv->reserve = r;
    return true;
}

void reserve_remove(LuaVM *vm)
{
    LuaReserve *r = vm->priv->reserve;

    vm->priv->reserve = NULL;
    if (r && r->live == 0) {
        reserve_free(r);
    } else if (r) {
        r->closed = true; /* lua_close() will give the rest back */
    }
}
