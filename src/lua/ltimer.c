/*
 * ltimer.c - class aio.timer: a Lua function run when a clock reaches a time
 *
 * Lifetime: user value 1 is the callback, user value 2 the context.  A timer is
 * armed (anchored) from mod() until it fires or is deleted; an idle timer is
 * ordinary garbage.  The QEMUTimer is part of the userdata: arming allocates
 * nothing in C.
 */
#include "aioctl/context.h"
#include "block/aio.h"
#include "lcheck.h"
#include "lclock.h"
#include "lcontext.h"
#include "open.h"
#include "qemu/timer.h"
#include "slice.h"

enum { UV_CALLBACK = 1, UV_CONTEXT };

typedef struct LuaTimer {
    LuaHandle handle;
    QEMUTimer timer;
    bool is_monotonic;
    int64_t due_ns; /* when to fire, or when that was set; 0: unknown */
} LuaTimer;

static const AluaClass timer_class;

static LuaTimer *timer_check(lua_State *L)
{
    LuaTimer *self = alua_check(L, 1, &timer_class);

    lcheck_open(L, &self->handle);
    return self;
}

static void timer_fire(void *opaque)
{
    LuaTimer *self = opaque;

    slice_due(self->handle.object.vm, self->due_ns);
    alua_call_once(&self->handle, UV_CALLBACK);
}

static void timer_release(LuaHandle *h)
{
    timer_del(&((LuaTimer *)h)->timer);
}

/**
 * alias aio.Clock = "realtime"|"host"|"virtual"|"virtual_rt"
 *
 * `"realtime"` is `aio.now()`, `"host"` the wall clock (since 1970).
 */

/**
 * class Timer (timer)
 *
 * A callback of the loop that runs at a time.
 */

/**
 * class aio.TimerOptions
 *
 * fn: fun(timer: Timer) - called as `fn(timer)`; may not park
 * clock?: aio.Clock - `"realtime"` by default
 * name?: string - for messages; by default where it was created
 * ctx?: Context - by default the current one
 */

/**
 * aio.timer(options: aio.TimerOptions) -> Timer
 *
 * A timer, idle at first, that calls `fn(timer)`.
 */
static int timer_construct(lua_State *L)
{
    static const char *const options[] = {"fn", "clock", "name", "ctx", NULL};
    LuaContext *owner;
    QEMUClockType clock;
    LuaTimer *self;

    luaL_checktype(L, 1, LUA_TTABLE);
    alua_check_options(L, 1, options);
    lua_settop(L, 1);
    if (lua_getfield(L, 1, "fn") != LUA_TFUNCTION) { /* at 2 */
        return luaL_argerror(L, 1, "field 'fn' must be a function");
    }
    lcheck_name(L, 1);           /* at 3 */
    lua_getfield(L, 1, "clock"); /* at 4 */
    clock = lclock_field(L, 4);
    lcheck_context(L, 1);       /* at 5 */
    owner = lcontext_opt(L, 5); /* at 6 */
    self = alua_new(L, &timer_class, sizeof(*self), 2);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, UV_CALLBACK);
    lua_pushvalue(L, 6);
    lua_setiuservalue(L, -2, UV_CONTEXT);
    handle_open(L, &self->handle, owner, "timer", 3);
    aio_timer_init(owner->ctx, &self->timer, clock, SCALE_NS, timer_fire, self);
    self->is_monotonic = clock == QEMU_CLOCK_REALTIME;
    self->handle.release = timer_release;
    return 1;
}

static void note_due(LuaTimer *self)
{
    int64_t due = (int64_t)timer_expire_time_ns(&self->timer);
    LuaContext *owner = self->handle.owner;

    if (self->is_monotonic && owner->timed) {
        self->due_ns = MAX(due, aio_context_looked_ns(owner->ctx));
    } else {
        self->due_ns = 0;
    }
}

/**
 * timer:mod(deadline: number) -> Timer
 *
 * Fires once at that time of its clock (absolute seconds), instead of at an
 * earlier set one; in the past: in this turn of the loop or the next one.
 */
static int timer_set(lua_State *L)
{
    LuaTimer *self = timer_check(L);
    int64_t deadline = lcheck_clock_seconds(L, 2);

    handle_arm(L, &self->handle, 1);
    timer_mod_ns(&self->timer, deadline);
    note_due(self);
    lua_settop(L, 1);
    return 1;
}

/**
 * timer:mod_anticipate(deadline: number) -> Timer
 *
 * The same, but never later than it was to fire already.
 */
static int timer_anticipate(lua_State *L)
{
    LuaTimer *self = timer_check(L);
    int64_t deadline = lcheck_clock_seconds(L, 2);

    handle_arm(L, &self->handle, 1);
    timer_mod_anticipate_ns(&self->timer, deadline);
    note_due(self);
    lua_settop(L, 1);
    return 1;
}

/**
 * timer:del() -> Timer
 *
 * Does not fire. Does nothing to an idle timer.
 */
static int timer_disarm(lua_State *L)
{
    LuaTimer *self = timer_check(L);

    timer_del(&self->timer);
    handle_disarm(L, &self->handle);
    lua_settop(L, 1);
    return 1;
}

/**
 * timer:pending() -> boolean
 *
 * Is it going to fire?
 */
static int timer_is_pending(lua_State *L)
{
    lua_pushboolean(L, timer_pending(&timer_check(L)->timer));
    return 1;
}

/**
 * timer:deadline() -> number|nil
 *
 * Seconds of its clock, or `nil` when it is not pending.
 */
static int timer_deadline(lua_State *L)
{
    LuaTimer *self = timer_check(L);

    if (timer_pending(&self->timer)) {
        int64_t ns = (int64_t)timer_expire_time_ns(&self->timer);

        lua_pushnumber(L, (lua_Number)ns / 1e9);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/**
 * timer:close()
 *
 * Ends it. May be called twice.
 */
static int timer_close(lua_State *L)
{
    LuaTimer *self = alua_check(L, 1, &timer_class);

    handle_close(L, &self->handle);
    return 0;
}

static int timer_tostring(lua_State *L)
{
    return lcheck_tostring(L, alua_check(L, 1, &timer_class));
}

static const luaL_Reg timer_methods[] = {
    {"mod", timer_set},
    {"mod_anticipate", timer_anticipate},
    {"del", timer_disarm},
    {"pending", timer_is_pending},
    {"deadline", timer_deadline},
    {"close", timer_close},
    {"ref", handle_ref},
    {"unref", handle_unref},
    {NULL, NULL},
};

static const luaL_Reg timer_metamethods[] = {
    {"__close", timer_close},
    {"__gc", timer_close},
    {"__tostring", timer_tostring},
    {NULL, NULL},
};

static const AluaClass timer_class = {
    .name = "aio.timer",
    .methods = timer_methods,
    .metamethods = timer_metamethods,
    .is_handle = true,
};

static const luaL_Reg timer_functions[] = {
    {"timer", timer_construct},
    {NULL, NULL},
};

void ltimer_open(lua_State *L)
{
    alua_class(L, &timer_class);
    alua_setfuncs(L, timer_functions);
}
