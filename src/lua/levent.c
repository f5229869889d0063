/*
 * levent.c - class aio.event: a sticky flag that tasks wait for
 *
 * set() wakes everybody who waits at that moment, whatever happens to the flag
 * before they run.
 */
#include "lsync.h"

typedef struct LuaEvent {
    AluaObject object;
    bool set;
    WaitQueue waiters;
} LuaEvent;

static LuaEvent *event_check(lua_State *L)
{
    return alua_check(L, 1, &event_class);
}

/**
 * class Event (event)
 *
 * A flag that stays set.
 */

/**
 * sync.event() -> Event
 */
static int event_new(lua_State *L)
{
    alua_new(L, &event_class, sizeof(LuaEvent), 0);
    return 1;
}

/**
 * event:wait(sec?: aio.Wait) -> true!
 *
 * At once when it is set. Parks.
 */
static int event_wait(lua_State *L)
{
    LuaEvent *self = event_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));
    LuaTask *task = task_check_can_park(L);

    if (self->set) {
        lua_pushboolean(L, true);
        return 1;
    }
    return lsync_wait_open(L, &self->waiters, task, deadline);
}

/**
 * event:set()
 *
 * Wakes all that wait; from anywhere.
 */
static int event_set(lua_State *L)
{
    LuaEvent *self = event_check(L);

    self->set = true;
    while (lsync_give(&self->waiters)) {
        continue;
    }
    return 0;
}

/**
 * event:clear()
 *
 * Takes it back.
 */
static int event_clear(lua_State *L)
{
    event_check(L)->set = false;
    return 0;
}

/**
 * event:is_set() -> boolean
 */
static int event_is_set(lua_State *L)
{
    lua_pushboolean(L, event_check(L)->set);
    return 1;
}

/* ---- as a case of select() ---- */

static int source_try(lua_State *L, void *source, int at, int value)
{
    if (!((LuaEvent *)source)->set) {
        return -1;
    }
    lua_pushboolean(L, true);
    return 1;
}

static WaitQueue *source_queue(void *source, int value)
{
    return &((LuaEvent *)source)->waiters;
}

const LuaSource event_source = {
    .try = source_try,
    .queue = source_queue,
    .finish = lsync_finish_true,
};

static int event_tostring(lua_State *L)
{
    lua_pushfstring(L, "aio.event (%s)", event_check(L)->set ? "set" : "clear");
    return 1;
}

static const luaL_Reg event_methods[] = {
    {"wait", event_wait},     {"set", event_set}, {"clear", event_clear},
    {"is_set", event_is_set}, {NULL, NULL},
};

static const luaL_Reg event_metamethods[] = {
    {"__tostring", event_tostring},
    {NULL, NULL},
};

const AluaClass event_class = {
    .name = "aio.event",
    .methods = event_methods,
    .metamethods = event_metamethods,
};

static const luaL_Reg event_functions[] = {
    {"event", event_new},
    {NULL, NULL},
};

void levent_open(lua_State *L)
{
    alua_class(L, &event_class);
    alua_setfuncs(L, event_functions);
}
