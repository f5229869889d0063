/*
 * lbufpool.c - class aio.bufpool: a fixed number of buffers, handed around
 *
 * All buffers are cut from one slab, so the ring needs one registration.  Each
 * is one userdata for the life of the pool and is open only while handed out:
 * get() and close() allocate nothing.
 *
 * User value 1 is a table: buffer number -> userdata, for exactly the buffers
 * that are in (free, or on their way to a waiter).  One that is out is held by
 * its user alone, so that a lost one is collected, and comes back that way.
 * A returned buffer goes straight to the longest waiter; a later get() cannot
 * overtake it.
 */
#include <errno.h>
#include <stdlib.h>

#include "lbuf.h"
#include "open.h"
#include "task.h"
#include "vm.h"

#define UV_IN 1
#define UV_POOL 1 /* of a pooled buffer */
#define POOL_MAX 65536

struct LuaBufPool {
    AluaObject object;
    BufSlab *slab; /* NULL: closed */
    WaitQueue waiters;
    size_t size;   /* of each buffer */
    size_t stride; /* from one to the next: size rounded up to align */
    uint32_t count;
    uint32_t free; /* entries of stack[] */
    uint32_t waiting;
    uint32_t *stack; /* numbers of the free buffers */
};

static const AluaClass bufpool_class;

bool bufpool_is_open(const LuaBufPool *pool)
{
    return pool->slab != NULL;
}

static LuaBufPool *bufpool_check(lua_State *L)
{
    LuaBufPool *pool = alua_check(L, 1, &bufpool_class);
    luaL_argcheck(L, pool->slab != NULL, 1, "the pool is closed");
    return pool;
}

/* ---- handing out and taking back ---------------------------------------- */

/* Pushes buffer @index, opened, and lets go of it. */
static int hand_out(lua_State *L, LuaBufPool *pool, uint32_t index)
{
    lua_getiuservalue(L, 1, UV_IN);
    lua_rawgeti(L, -1, index);
    LuaBuf *b = lua_touserdata(L, -1);
    b->base = pool->slab->base + (index - 1) * pool->stride;
    b->size = pool->size;
    b->slab = slab_ref(pool->slab);
    lua_pushnil(L);
    lua_rawseti(L, -3, index);
    return 1;
}

/* Buffer @index is in the table: to the longest waiter, or onto the stack. */
static void put_free(LuaBufPool *pool, uint32_t index)
{
    if (pool->waiters.head) {
        *(uint32_t *)pool->waiters.head->slot = index;
        waitq_wake_one(&pool->waiters);
        return;
    }
    pool->stack[pool->free++] = index;
}

void bufpool_give_back(lua_State *L, int arg)
{
    LuaBuf *b = lua_touserdata(L, arg);

    arg = lua_absindex(L, arg);
    lua_getiuservalue(L, arg, UV_POOL);
    lua_getiuservalue(L, -1, UV_IN);
    lua_pushvalue(L, arg);
    lua_rawseti(L, -2, b->index); /* a slot that exists: no allocation */
    lua_pop(L, 2);
    put_free(b->pool, b->index);
}

static int wait_for_buffer(lua_State *L, LuaBufPool *pool, int64_t timeout_ns)
{
    LuaTask *t = task_check_can_park(L);
    uint32_t got = 0;
    Waiter w = {.slot = &got};

    pool->waiting++;
    ParkResult why =
        waitq_wait(&pool->waiters, &w, t, task_deadline(timeout_ns));
    pool->waiting--;
    if (why == PARK_CANCELLED) {
        if (got > 0 && pool->slab) {
            put_free(pool, got);
        }
        task_throw_cancel(L, t);
    }
    if (!pool->slab) {
        return alua_fail(L, EPIPE, "the pool was closed", "bufpool:get");
    }
    return got > 0 ? hand_out(L, pool, got) : alua_timeout(L);
}

/**
 * pool:get(sec?: aio.Wait) -> Buf!
 *
 * A buffer; closing it gives it back. Parks while all are in use. What was in
 * it is left over. `nil, message, EPIPE` when the pool is closed.
 */
static int bufpool_get(lua_State *L)
{
    LuaBufPool *pool = bufpool_check(L);
    int64_t timeout_ns = alua_opt_timeout(L, 2);

    if (pool->free > 0) {
        return hand_out(L, pool, pool->stack[--pool->free]);
    }
    return wait_for_buffer(L, pool, timeout_ns);
}

/**
 * pool:try_get() -> Buf|nil
 *
 * The same at once, `nil` when all are in use.
 */
static int bufpool_try_get(lua_State *L)
{
    LuaBufPool *pool = bufpool_check(L);

    if (pool->free > 0) {
        return hand_out(L, pool, pool->stack[--pool->free]);
    }
    lua_pushnil(L);
    return 1;
}

/* ---- making ------------------------------------------------------------- */

static int64_t required_size(lua_State *L, const char *key)
{
    int64_t value = opt_size_field(L, 1, key, -1);
    if (value < 1) {
        luaL_error(L, "aio.bufpool: option '%s': at least 1 expected", key);
    }
    return value;
}

static void make_buffers(lua_State *L, LuaBufPool *pool)
{
    int self = lua_gettop(L);

    lua_createtable(L, (int)pool->count, 0);
    for (uint32_t i = 1; i <= pool->count; i++) {
        LuaBuf *b = buf_push_closed(L);
        b->pool = pool;
        b->index = i;
        lua_pushvalue(L, self);
        lua_setiuservalue(L, -2, UV_POOL);
        lua_rawseti(L, -2, i);
        pool->stack[pool->count - i] = i; /* number 1 goes out first */
    }
    pool->free = pool->count;
    lua_setiuservalue(L, self, UV_IN);
}

/**
 * class BufPool (pool)
 *
 * A fixed number of buffers, handed around.
 */

/**
 * class aio.BufPoolOptions: aio.BufOptions
 *
 * count: integer - buffers, at most 65536
 */

/**
 * class aio.BufPoolStats
 *
 * count: integer - buffers
 * size: integer - bytes of each
 * free: integer - buffers that nobody has
 * waiting: integer - tasks that wait for one
 * registered: boolean - does the ring know them?
 */

/**
 * aio.bufpool(options: aio.BufPoolOptions) -> BufPool
 *
 * A pool of `count` buffers: the natural limit of requests in flight.
 */
static int bufpool_new(lua_State *L)
{
    static const char *const known[] = {"count", "size", "align", "register",
                                        NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    alua_check_options(L, 1, known);
    int64_t count = required_size(L, "count");
    int64_t size = required_size(L, "size");
    size_t align =
        opt_check_align(L, opt_size_field(L, 1, "align", BUF_ALIGN_DEFAULT));
    bool registered = opt_boolean_field(L, 1, "register", false);
    if (count > POOL_MAX || size > INT64_MAX / 4 / POOL_MAX) {
        return luaL_error(L, "aio.bufpool: at most %d buffers", POOL_MAX);
    }

    LuaBufPool *pool = alua_new(L, &bufpool_class, sizeof(*pool), 1);
    pool->count = (uint32_t)count;
    pool->size = (size_t)size;
    pool->stride = ((size_t)size + align - 1) & ~(align - 1);
    pool->stack = calloc(pool->count, sizeof(*pool->stack));
    pool->slab = slab_new(pool->stride * pool->count, align);
    if (!pool->slab || !pool->stack) {
        return luaL_error(L, "aio.bufpool: not enough memory for %I bytes",
                          (LUAI_UACINT)(pool->stride * pool->count));
    }
    if (registered) {
        slab_register(pool->slab, alua_vm(L)->home->ctx);
    }
    make_buffers(L, pool);
    return 1;
}

/* ---- the rest ----------------------------------------------------------- */

/**
 * pool:close()
 *
 * Wakes those that wait. Buffers that are out stay usable.
 */
static int bufpool_close(lua_State *L)
{
    LuaBufPool *pool = alua_check(L, 1, &bufpool_class);
    BufSlab *slab = pool->slab;

    pool->slab = NULL;
    free(pool->stack);
    pool->stack = NULL;
    pool->free = 0;
    waitq_wake_all(&pool->waiters);
    if (slab) {
        slab_unref(slab);
    }
    return 0;
}

/**
 * pool:stats() -> aio.BufPoolStats
 */
static int bufpool_stats(lua_State *L)
{
    LuaBufPool *pool = bufpool_check(L);

    lua_createtable(L, 0, 5);
    lua_pushinteger(L, pool->count);
    lua_setfield(L, -2, "count");
    lua_pushinteger(L, (lua_Integer)pool->size);
    lua_setfield(L, -2, "size");
    lua_pushinteger(L, pool->free);
    lua_setfield(L, -2, "free");
    lua_pushinteger(L, pool->waiting);
    lua_setfield(L, -2, "waiting");
    lua_pushboolean(L, pool->slab->ctx != NULL);
    lua_setfield(L, -2, "registered");
    return 1;
}

/**
 * #pool -> integer
 *
 * The number of its buffers.
 */
static int bufpool_len(lua_State *L)
{
    lua_pushinteger(L, bufpool_check(L)->count);
    return 1;
}

static int bufpool_describe(lua_State *L)
{
    LuaBufPool *pool = alua_check(L, 1, &bufpool_class);

    if (!pool->slab) {
        lua_pushfstring(L, "aio.bufpool (closed): %p", (void *)pool);
        return 1;
    }
    lua_pushfstring(L, "aio.bufpool (%d of %d free, %I bytes each): %p",
                    (int)pool->free, (int)pool->count, (LUAI_UACINT)pool->size,
                    (void *)pool);
    return 1;
}

static const luaL_Reg bufpool_methods[] = {
    {"get", bufpool_get},
    {"try_get", bufpool_try_get},
    {"stats", bufpool_stats},
    {"close", bufpool_close},
    {NULL, NULL},
};

static const luaL_Reg bufpool_metamethods[] = {
    {"__len", bufpool_len},
    {"__close", bufpool_close},
    {"__gc", bufpool_close},
    {"__tostring", bufpool_describe},
    {NULL, NULL},
};

static const AluaClass bufpool_class = {
    .name = "aio.bufpool",
    .methods = bufpool_methods,
    .metamethods = bufpool_metamethods,
};

void lbufpool_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"bufpool", bufpool_new},
                                         {NULL, NULL}};

    alua_class(L, &bufpool_class);
    alua_setfuncs(L, functions);
}
