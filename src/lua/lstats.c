/*
 * lstats.c - aio.stats, aio.handles: what the loop has done and what is open
 *
 * Counters are copied from the core; nothing is kept here.
 */
#include "lstats.h"

#include <stddef.h>

#include "aioctl/context.h"
#include "lhist.h"
#include "open.h"
#include "slice.h"
#include "vm_private.h"

typedef struct Counter {
    const char *name;
    size_t offset;
    bool gauge; /* goes down, too */
} Counter;

#define COUNTER(field)                                  \
    {                                                   \
#field, offsetof(AioContextStats, field), false \
    }
#define GAUGE(field)                                   \
    {                                                  \
#field, offsetof(AioContextStats, field), true \
    }

static const Counter counters[] = {
    COUNTER(iterations),
    COUNTER(polls),
    COUNTER(poll_hits),
    COUNTER(poll_ns_total),
    GAUGE(poll_ns),
    COUNTER(blocked_ns),
    COUNTER(blocked),
    COUNTER(bhs),
    COUNTER(fds),
    COUNTER(timers),
    COUNTER(coroutines),
    COUNTER(submitted),
    COUNTER(completed),
    GAUGE(in_flight),
    COUNTER(batches),
    COUNTER(notifies),
    COUNTER(wakeups),
    GAUGE(registered_buffers),
    GAUGE(registered_files),
    COUNTER(registration_failures),
    COUNTER(accepted_ahead),
};

enum { COUNTERS = sizeof(counters) / sizeof(counters[0]) };

static int64_t counter_of(const AioContextStats *stats, int i)
{
    /* All are 64 bits wide. */
    return *(const int64_t *)((const char *)stats + counters[i].offset);
}

void lstats_push_since(lua_State *L, const AioContextStats *now,
                       const AioContextStats *before)
{
    int64_t dispatched = 0;

    lua_createtable(L, 0, COUNTERS + 4);
    for (int i = 0; i < COUNTERS; i++) {
        int64_t old = counters[i].gauge ? 0 : counter_of(before, i);

        lua_pushinteger(L, counter_of(now, i) - old);
        lua_setfield(L, -2, counters[i].name);
    }
    dispatched += now->bhs - before->bhs + now->fds - before->fds;
    dispatched += now->timers - before->timers;
    dispatched += now->coroutines - before->coroutines;
    lua_pushinteger(L, dispatched);
    lua_setfield(L, -2, "dispatched");
}

/* Tasks run in the home context, all of them. */
static void push_tasks(lua_State *L, LuaContext *self)
{
    LuaVM *vm = self->vm;
    bool home = self == vm->home;

    lua_pushinteger(L, home ? (lua_Integer)vm->priv->live_count : 0);
    lua_setfield(L, -2, "tasks");
}

void lstats_push(lua_State *L, LuaContext *self)
{
    AioContextStats stats;

    aio_context_get_stats(self->ctx, &stats);
    lstats_push_since(L, &stats, &(AioContextStats){0});
    push_tasks(L, self);
    if (self->timing) {
        lhist_push(L, &self->timing->lag);
        lua_setfield(L, -2, "lag");
        lhist_push(L, &self->timing->callback);
        lua_setfield(L, -2, "callback");
        lua_pushinteger(L, (lua_Integer)self->timing->lost);
        lua_setfield(L, -2, "timing_lost");
    }
}

static lua_Integer count_handles(const LuaVM *vm)
{
    lua_Integer n = 0;

    for (const LuaHandle *h = vm->handles; h; h = h->next) {
        n++;
    }
    return n;
}

/**
 * class aio.AllStats: aio.Stats
 *
 * handles: integer - open ones
 * active: integer - of these, what keeps the program running
 * anchors: integer - objects that the loop may still call
 * ready: integer - tasks that are about to run
 * io_in_flight: integer - file operations
 * lua_bytes: integer - memory of Lua objects
 */

/**
 * aio.stats() -> aio.AllStats
 *
 * `ctx:stats()` of the main loop and counters of the program.
 */
static int stats_get(lua_State *L)
{
    LuaVM *vm = alua_vm(L);
    lua_Integer kib = lua_gc(L, LUA_GCCOUNT);

    lstats_push(L, vm_need_home(L, vm));
    lua_pushinteger(L, count_handles(vm));
    lua_setfield(L, -2, "handles");
    lua_pushinteger(L, (lua_Integer)vm->active);
    lua_setfield(L, -2, "active");
    lua_pushinteger(L, anchor_count(vm) + (lua_Integer)vm->priv->live_count);
    lua_setfield(L, -2, "anchors");
    lua_pushinteger(L, (lua_Integer)vm->ready);
    lua_setfield(L, -2, "ready");
    lua_pushinteger(L, (lua_Integer)vm->io_in_flight);
    lua_setfield(L, -2, "io_in_flight");
    lua_pushinteger(L, kib * 1024 + lua_gc(L, LUA_GCCOUNTB));
    lua_setfield(L, -2, "lua_bytes");
    return 1;
}

static void push_handle(lua_State *L, const LuaHandle *h)
{
    char what[160];

    handle_describe(h, what, sizeof(what));
    lua_createtable(L, 0, 6);
    lua_pushstring(L, h->kind);
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, h->name ? h->name : h->origin);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, h->origin);
    lua_setfield(L, -2, "origin");
    lua_pushstring(L, what);
    lua_setfield(L, -2, "description");
    lua_pushboolean(L, h->armed);
    lua_setfield(L, -2, "armed");
    lua_pushboolean(L, !h->unrefd);
    lua_setfield(L, -2, "ref");
}

/* The table at 1, filled from its end. */
static int push_handles(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, 2);
    lua_Integer n = count_handles(vm);

    for (const LuaHandle *h = vm->handles; h; h = h->next) {
        push_handle(L, h);
        lua_rawseti(L, 1, n--);
    }
    return 0;
}

/**
 * class aio.HandleInfo
 *
 * kind: string - as in `"bh"`
 * name: string
 * origin: string - where it was created
 * description: string - all of that on one line
 * armed: boolean - will it fire?
 * ref: boolean - does it keep the program running while it is armed?
 */

/**
 * aio.handles() -> aio.HandleInfo[]
 *
 * The open handles, oldest first.
 */
static int handles_get(lua_State *L)
{
    LuaVM *vm = alua_vm(L);

    lua_createtable(L, (int)count_handles(vm), 0);
    lua_pushcfunction(L, push_handles);
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, vm);
    /* While the list is walked nothing may collect a handle: its finalizer
     * would unlink it. */
    int collecting = lua_gc(L, LUA_GCISRUNNING);
    lua_gc(L, LUA_GCSTOP);
    int status = lua_pcall(L, 2, 0, 0);
    if (collecting) {
        lua_gc(L, LUA_GCRESTART);
    }
    return status == LUA_OK ? 1 : lua_error(L);
}

static const luaL_Reg stats_functions[] = {
    {"stats", stats_get},
    {"handles", handles_get},
    {NULL, NULL},
};

void lstats_open(lua_State *L)
{
    alua_setfuncs(L, stats_functions);
}
