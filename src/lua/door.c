/*
 * door.c - the door from the loop into Lua
 *
 * Calls run on the context's callback thread, at the bottom of whose stack lie
 * what each call needs: the message handler and the table of anchors.  When
 * another flow is already running Lua on this C stack (a callback or a task
 * that polls), they run on the innermost lua_State of that flow, as if its poll
 * function had made the call: the one state that is certainly able to take
 * calls.
 *
 * alua_call() is what nearly every callback is: one function, called with its
 * object.  Who watches, fails, or is called while Lua runs goes the long way.
 */
#include <stdio.h>

#include "slice.h"
#include "trace.h"
#include "vm_private.h"

enum { FAILURES_MAX = 100 }; /* in a row; then --on-error=log removes it */
enum { AT_TRACEBACK = 1, AT_HANDLES }; /* on the callback thread */
enum { AT_HAND = 1 }; /* the user value that is anchored with its handle */

void door_open(lua_State *L, LuaVM *vm)
{
    luaL_checkstack(L, LUA_MINSTACK, "no room for callbacks");
    lua_pushcfunction(L, alua_traceback);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->priv->handles.table);
}

bool door_is(const LuaVM *vm, const lua_State *L)
{
    for (const LuaContext *c = vm->contexts; c; c = c->next) {
        if (c->L == L) {
            return true;
        }
    }
    return false;
}

/* The error value is on top of @L. */
static void callback_failed(LuaVM *vm, LuaHandle *h, lua_State *L)
{
    char origin[160] = "a callback";

    if (h) {
        handle_describe(h, origin, sizeof(origin));
    }
    alua_take_traceback(L);
    lua_insert(L, -2);
    vm_uncaught(vm, L, origin);
    if (h && h->owner && ++h->failures >= FAILURES_MAX && vm->log_errors) {
        fprintf(stderr, "aio: %s failed %d times in a row: removed\n", origin,
                FAILURES_MAX);
        handle_close(L, h);
    }
}

static void trace_callback(const LuaHandle *h)
{
    char what[160];

    handle_describe(h, what, sizeof(what));
    trace_begin("callback", what);
}

void alua_enter(LuaHandle *h, lua_CFunction fn, void *self)
{
    LuaVM *vm = h->object.vm;
    LuaVMPrivate *priv = vm->priv;
    const LuaHandle *outer = vm->callback;
    lua_State *outer_inner = priv->inner;
    lua_State *L = outer_inner ? outer_inner : h->owner->L;
    bool anchored = h->object.anchor != 0;

    if (unlikely(!lua_checkstack(L, LUA_MINSTACK))) {
        vm->exit_code = 1; /* nothing can be reported without stack */
        vm->exiting = true;
        return;
    }
    LuaContext *owner = h->owner;
    int top = lua_gettop(L);
    int64_t began = 0;
    if (unlikely(trace_on)) {
        trace_callback(h);
    }
    vm->callback = h;
    priv->inner = L;
    if (unlikely(priv->watch)) {
        began = slice_begin_callback(vm, h);
    }
    if (anchored) {
        alua_pushanchored(L, &h->object); /* outlives a callback that lets go */
    } else {
        lua_pushnil(L);
    }
    lua_pushcfunction(L, alua_traceback);
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, self);
    int status = lua_pcall(L, 1, 0, top + 2);
    vm->callback = outer;
    if (unlikely(status != LUA_OK)) {
        callback_failed(vm, anchored ? h : NULL, L);
    } else if (anchored) {
        h->failures = 0;
    }
    priv->inner = outer_inner;
    if (unlikely(priv->watch)) {
        slice_end_callback(owner, anchored ? h : NULL, began);
    }
    lua_settop(L, top);
    if (unlikely(trace_on)) {
        trace_end();
    }
}

/* ---- one function, called with its object ------------------------------- */

typedef struct Call {
    LuaHandle *handle;
    int callback;
} Call;

static int run_call(lua_State *L) /* protected */
{
    const Call *call = lua_touserdata(L, 1);

    alua_pushanchored(L, &call->handle->object);
    lua_getiuservalue(L, -1, call->callback);
    lua_insert(L, -2);
    lua_call(L, 1, 0);
    return 0;
}

/* Nobody runs, nobody watches, and it did not fail last time. */
static inline bool is_plain(const LuaHandle *h)
{
    const LuaVMPrivate *priv = h->object.vm->priv;

    return ((uintptr_t)priv->inner | (unsigned)priv->watch | h->failures |
            trace_on) == 0;
}

static inline void call_plain(LuaHandle *h, lua_State *L)
{
    LuaVM *vm = h->object.vm;
    LuaVMPrivate *priv = vm->priv;

    vm->callback = h;
    priv->inner = L;
    lua_rawgeti(L, AT_HANDLES, anchor_callback_key(h->object.anchor));
    lua_rawgeti(L, AT_HANDLES, anchor_handle_key(h->object.anchor));
    int status = lua_pcall(L, 1, 0, AT_TRACEBACK);
    vm->callback = NULL;
    if (unlikely(status != LUA_OK)) {
        callback_failed(vm, h, L);
        lua_settop(L, AT_HANDLES);
    }
    priv->inner = NULL;
}

/* The callback of @h, which is busy, has returned. */
static inline void end_call(LuaHandle *h)
{
    lua_State *L = h->object.vm->main;

    if (unlikely(h->closes)) {
        handle_close(L, h);
    }
    if (--h->busy == 0 && !h->armed && lua_checkstack(L, LUA_MINSTACK)) {
        alua_unanchor(L, &h->object);
    }
}

static inline void call(LuaHandle *h, int callback)
{
    if (likely(is_plain(h) && callback == AT_HAND)) {
        lua_State *L = h->owner->L;

        call_plain(h, L);
        if (unlikely(h->closes)) {
            handle_close(L, h);
        }
        if (--h->busy == 0 && !h->armed) {
            anchor_clear(L, AT_HANDLES, &h->object);
        }
    } else {
        alua_enter(h, run_call, &(Call){h, callback});
        end_call(h);
    }
}

void alua_call(LuaHandle *h, int callback)
{
    h->busy++;
    call(h, callback);
}

void alua_call_once(LuaHandle *h, int callback)
{
    h->busy++;
    handle_disarm(NULL, h); /* busy: nothing is done on a state */
    call(h, callback);
}
