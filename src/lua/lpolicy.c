/*
 * lpolicy.c - ctx:policy{}: a script that steers its context
 *
 * A policy is a handle that scripts never see: user values 1 and 2 are decide
 * and poll_ns, 3 the table that poll_ns is called with.  Its context owns it
 * (user value), so it neither keeps the program running nor the context alive.
 *
 * decide runs in a timer's callback; poll_ns in the tick, in place of the C
 * rule for the budget of busy polling, through one alua_enter() that allocates
 * nothing.  What either raises ends here: the policy is removed with a warning,
 * and the settings it has changed are what they were.  Only a cancellation goes
 * on, to where all go.
 */
#include "lpolicy.h"

#include <math.h>
#include <stdio.h>

#include "aioctl/context.h"
#include "base/clock.h"
#include "lcontext.h"
#include "lknobs.h"
#include "lparams.h"
#include "lstats.h"
#include "vm_private.h"

enum { UV_DECIDE = 1, UV_POLL_NS, UV_STATE };

typedef struct LuaPolicy {
    LuaHandle handle;
    QEMUTimer timer;
    int64_t every_ns;
    AioContextStats seen; /* at the last decide */
    int64_t seen_ns, seen_cpu_ns;
    bool choosing; /* poll_ns is running: a nested poll keeps the budget */

    Knobs knobs; /* those it has changed */
} LuaPolicy;

static const AluaClass policy_class;

/* ---- the end of a policy ------------------------------------------------ */

static void policy_release(LuaHandle *h)
{
    LuaPolicy *self = (LuaPolicy *)h;

    timer_del(&self->timer);
    aio_context_set_poll_policy(h->owner->ctx, NULL, NULL);
    h->owner->policy = NULL;
}

static void policy_remove(lua_State *L, LuaPolicy *self)
{
    knobs_restore(&self->knobs, self->handle.owner->ctx);
    handle_close(L, &self->handle);
}

static int with_traceback(lua_State *L)
{
    const char *message = lua_tostring(L, 1);

    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
    if (lua_rawequal(L, 1, -1)) {
        lua_settop(L, 1);
        return 1;
    }
    luaL_traceback(L, L, message ? message : luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

/* The error value is on top of the stack. */
static void policy_failed(lua_State *L, LuaPolicy *self)
{
    char what[160];

    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
    if (lua_rawequal(L, -1, -2)) {
        lua_pop(L, 1);
        lua_error(L);
    }
    lua_pop(L, 1);
    if (!self->handle.owner) {
        return; /* it has removed itself first */
    }
    handle_describe(&self->handle, what, sizeof(what));
    policy_remove(L, self);
    fflush(stdout);
    fprintf(stderr,
            "aioctl: warning: a policy failed and was removed, the defaults "
            "are back (%s): %s\n",
            what, lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
}

/* Pushes it, which keeps it alive, and returns it. */
static LuaPolicy *push_policy(lua_State *L, LuaContext *owner)
{
    LuaPolicy *self = (LuaPolicy *)owner->policy;

    lcontext_push(L, owner);
    lua_getiuservalue(L, -1, LCONTEXT_UV_POLICY);
    lua_remove(L, -2);
    return self;
}

/* ---- decide ------------------------------------------------------------- */

static void set_integer(lua_State *L, const char *key, int64_t value)
{
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

/* Pushes what has happened since the last time. */
static void push_delta(lua_State *L, LuaPolicy *self)
{
    int64_t now = clock_monotonic_ns(), cpu = clock_thread_cpu_ns();
    AioContextStats stats;

    aio_context_get_stats(self->handle.owner->ctx, &stats);
    lstats_push_since(L, &stats, &self->seen);
    set_integer(L, "cpu_ns", cpu - self->seen_cpu_ns);
    lua_pushnumber(L, (lua_Number)(now - self->seen_ns) / 1e9);
    lua_setfield(L, -2, "seconds");
    self->seen = stats;
    self->seen_ns = now;
    self->seen_cpu_ns = cpu;
}

/* Protected: policy. */
static int decide_protected(lua_State *L)
{
    LuaPolicy *self = lua_touserdata(L, 1);

    lua_getiuservalue(L, 1, UV_DECIDE);
    push_delta(L, self);
    lparams_push(L, self->handle.owner);
    lua_call(L, 2, 1);
    if (self->handle.owner && !lua_isnil(L, -1)) {
        knobs_apply(L, &self->knobs, self->handle.owner, lua_gettop(L),
                    "what decide returned");
    }
    return 0;
}

static void arm(LuaPolicy *self)
{
    int64_t now = clock_monotonic_ns();

    timer_mod_ns(&self->timer, self->every_ns > INT64_MAX - now
                                   ? INT64_MAX
                                   : now + self->every_ns);
}

static int decide_run(lua_State *L)
{
    LuaPolicy *self = push_policy(L, lua_touserdata(L, 1));

    lua_pushcfunction(L, with_traceback);
    lua_pushcfunction(L, decide_protected);
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 1, 0, -3) != LUA_OK) {
        policy_failed(L, self);
    } else if (self->handle.owner) {
        arm(self);
    }
    return 0;
}

static void decide_fire(void *opaque)
{
    LuaPolicy *self = opaque;

    alua_enter(&self->handle, decide_run, self->handle.owner);
}

/* ---- poll_ns ------------------------------------------------------------ */

typedef struct Choice {
    LuaContext *owner;
    const AioPollState *state;
    int64_t ns;
} Choice;

/* The keys are there already, unless the script has taken them out. */
static void set_state(lua_State *L, const char *key, int64_t value)
{
    lua_pushstring(L, key);
    lua_pushinteger(L, value);
    lua_rawset(L, -3);
}

static void fill_state(lua_State *L, const AioPollState *state)
{
    set_state(L, "poll_ns", state->poll_ns);
    set_state(L, "block_ns", state->block_ns);
    set_state(L, "poll_max_ns", state->poll_max_ns);
    set_state(L, "poll_grow", state->poll_grow);
    set_state(L, "poll_shrink", state->poll_shrink);
    lua_pushliteral(L, "hit");
    lua_pushboolean(L, state->hit);
    lua_rawset(L, -3);
}

/* Protected: policy, light userdata of the choice. */
static int choose_protected(lua_State *L)
{
    Choice *choice = lua_touserdata(L, 2);

    lua_getiuservalue(L, 1, UV_POLL_NS);
    lua_getiuservalue(L, 1, UV_STATE);
    fill_state(L, choice->state);
    lua_call(L, 1, 1);
    lua_Number ns = lua_tonumber(L, -1);

    if (lua_type(L, -1) != LUA_TNUMBER || isnan(ns)) {
        return luaL_error(L,
                          "poll_ns must return a number of nanoseconds, got "
                          "%s",
                          luaL_tolstring(L, -1, NULL));
    }
    choice->ns = ns >= 0x1p62 ? INT64_MAX : ns <= 0 ? 0 : (int64_t)ns;
    return 0;
}

static int choose_run(lua_State *L)
{
    Choice *choice = lua_touserdata(L, 1);
    LuaPolicy *self = push_policy(L, choice->owner);

    self->choosing = true;
    lua_pushcfunction(L, with_traceback);
    lua_pushcfunction(L, choose_protected);
    lua_pushvalue(L, -3);
    lua_pushlightuserdata(L, choice);
    int status = lua_pcall(L, 2, 0, -4);
    self->choosing = false;
    if (status != LUA_OK) {
        policy_failed(L, self);
    }
    return 0;
}

/* AioPollPolicy; it may remove the policy. */
static int64_t choose(void *opaque, const AioPollState *state)
{
    LuaContext *owner = opaque;
    LuaPolicy *self = (LuaPolicy *)owner->policy;
    Choice choice = {owner, state, aio_poll_budget(state)};

    if (self->choosing) {
        return state->poll_ns;
    }
    alua_enter(&self->handle, choose_run, &choice);
    return choice.ns;
}

/* ---- ctx:policy{} ------------------------------------------------------- */

enum { ARG_NAME = 3, ARG_EVERY, ARG_DECIDE, ARG_POLL_NS, ARG_SET };

static void check_function(lua_State *L, int index, const char *key)
{
    if (!lua_isnil(L, index) && !lua_isfunction(L, index)) {
        luaL_error(L, "policy: field '%s' must be a function, got %s", key,
                   luaL_typename(L, index));
    }
}

/* The fields of the table at 2 to ARG_NAME..., checked.  Returns every. */
static int64_t check_fields(lua_State *L)
{
    static const char *const keys[] = {"name",    "every", "decide",
                                       "poll_ns", "set",   NULL};
    lua_Number every = 1;

    luaL_checktype(L, 2, LUA_TTABLE);
    alua_check_options(L, 2, keys);
    lua_settop(L, 2);
    for (const char *const *key = keys; *key; key++) {
        lua_getfield(L, 2, *key);
    }
    if (!lua_isnil(L, ARG_NAME) && lua_type(L, ARG_NAME) != LUA_TSTRING) {
        luaL_error(L, "policy: field 'name' must be a string, got %s",
                   luaL_typename(L, ARG_NAME));
    }
    check_function(L, ARG_DECIDE, "decide");
    check_function(L, ARG_POLL_NS, "poll_ns");
    if (!lua_isnil(L, ARG_EVERY)) {
        every = lua_tonumber(L, ARG_EVERY);
        if (lua_type(L, ARG_EVERY) != LUA_TNUMBER || !(every >= 0.001)) {
            luaL_error(L, "policy: field 'every' must be a number of seconds, "
                          "at least 0.001");
        }
    }
    if (!lua_isnil(L, ARG_SET)) {
        knobs_check(L, ARG_SET, "policy: field 'set'");
    } else if (lua_isnil(L, ARG_DECIDE) && lua_isnil(L, ARG_POLL_NS)) {
        luaL_error(L, "policy: none of the fields decide, poll_ns and set is "
                      "there: it would do nothing");
    }
    return every >= 9e9 ? INT64_MAX : (int64_t)(every * 1e9);
}

/* A policy at the top, registered and doing nothing yet. */
static LuaPolicy *policy_new(lua_State *L, LuaContext *owner)
{
    LuaPolicy *self;

    alua_class(L, &policy_class);
    self = alua_new(L, &policy_class, sizeof(*self), UV_STATE);
    lua_createtable(L, 0, 6);
    fill_state(L, &(AioPollState){0});
    lua_setiuservalue(L, -2, UV_STATE);
    lua_pushvalue(L, ARG_DECIDE);
    lua_setiuservalue(L, -2, UV_DECIDE);
    lua_pushvalue(L, ARG_POLL_NS);
    lua_setiuservalue(L, -2, UV_POLL_NS);
    aio_timer_init(owner->ctx, &self->timer, QEMU_CLOCK_REALTIME, SCALE_NS,
                   decide_fire, self);
    handle_open(L, &self->handle, owner, "policy",
                lua_isnil(L, ARG_NAME) ? 0 : ARG_NAME);
    self->handle.release = policy_release;
    self->handle.unrefd = true;
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, LCONTEXT_UV_POLICY);
    owner->policy = &self->handle;
    self->handle.armed = true; /* not anchored: see above */
    return self;
}

/* Protected: what policy_start() was given, and the policy at the top. */
static int apply_set(lua_State *L)
{
    LuaPolicy *self = lua_touserdata(L, 2);
    AioContextParams p;

    if (!lua_isnil(L, 1)) {
        knobs_apply(L, &self->knobs, self->handle.owner, 1,
                    "policy: field 'set'");
    }
    lua_getiuservalue(L, 2, UV_POLL_NS);
    aio_context_get_params(self->handle.owner->ctx, &p);
    if (!lua_isnil(L, -1) && p.poll_max_ns == 0) {
        return luaL_error(L, "policy: poll_ns would never be called, as "
                             "poll_max_ns is 0: add set = {poll_max_ns = ...}");
    }
    return 0;
}

/* The policy is at the top. */
static void policy_start(lua_State *L, LuaPolicy *self, int64_t every_ns)
{
    LuaContext *owner = self->handle.owner;

    lua_pushcfunction(L, apply_set);
    lua_pushvalue(L, ARG_SET);
    lua_pushvalue(L, -3);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        policy_remove(L, self);
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
        lua_error(L);
    }
    if (!lua_isnil(L, ARG_POLL_NS)) {
        aio_context_set_poll_policy(owner->ctx, choose, owner);
    }
    if (!lua_isnil(L, ARG_DECIDE)) {
        self->every_ns = every_ns;
        self->seen_ns = clock_monotonic_ns();
        self->seen_cpu_ns = clock_thread_cpu_ns();
        aio_context_get_stats(owner->ctx, &self->seen);
        arm(self);
    }
}

/**
 * class aio.PollState
 *
 * poll_ns: integer - what this wait was allowed
 * block_ns: integer - how long it took in all
 * hit: boolean - polling found the work
 * poll_max_ns: integer - as set
 * poll_grow: integer - as set
 * poll_shrink: integer - as set
 */

/**
 * class aio.Delta: aio.Counters
 *
 * seconds: number - that it covers
 * cpu_ns: integer - CPU time of the thread
 */

/**
 * class aio.Policy
 *
 * name?: string - for messages; default: where it was set
 * every?: number - seconds between calls of `decide`, 1 by default
 * decide?: fun(delta: aio.Delta, knobs: aio.CurrentSettings): aio.Settings? -
 *     called in a timer with what `ctx:stats()` has counted since the last
 *     call, and `ctx:get()`; what it returns is a table for `ctx:set`, or
 *     nothing
 * poll_ns?: fun(state: aio.PollState): number - called after each wait that
 *     polled or slept; returns how many nanoseconds the next one may poll
 *     before it sleeps, at most `poll_max_ns` (which must not be 0). It
 *     replaces the rule of the loop. `state` is the same table each time
 * set?: aio.Settings - settings to begin with
 */

/**
 * ctx:policy() -> string|nil
 * ctx:policy(policy: aio.Policy|nil) -> Context
 *
 * Sets a script that steers the context: see [aio.policy](aio.policy.md).
 * `ctx:policy(nil)` removes it, `ctx:policy()` is its name, or `nil`.
 */
int lpolicy_method(lua_State *L)
{
    LuaContext *owner = alua_check(L, 1, &lcontext_class);
    const LuaHandle *h = owner->policy;

    if (!owner->ctx) {
        return luaL_error(L, "context is closed");
    }
    if (lua_isnone(L, 2)) {
        lua_pushstring(L, !h ? NULL : h->name ? h->name : h->origin);
        return 1;
    }
    int64_t every_ns = lua_isnil(L, 2) ? 0 : check_fields(L);

    if (owner->policy) {
        policy_remove(L, (LuaPolicy *)owner->policy);
    }
    if (!lua_isnil(L, 2)) {
        policy_start(L, policy_new(L, owner), every_ns);
    }
    lua_settop(L, 1);
    return 1;
}

static int policy_gc(lua_State *L)
{
    LuaPolicy *self = alua_check(L, 1, &policy_class);

    handle_close(L, &self->handle);
    return 0;
}

static const luaL_Reg policy_metamethods[] = {
    {"__gc", policy_gc},
    {NULL, NULL},
};

static const AluaClass policy_class = {
    .name = "aio.policy",
    .metamethods = policy_metamethods,
    .is_handle = true,
};
