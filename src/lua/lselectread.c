/*
 * lselectread.c - the cases of aio.select, as a script gave them
 *
 * A case is something with a row in source_classes[], {put =, value =}, {fd =,
 * want =}, something with a descriptor, or seconds.
 */
#include "lcheck.h"
#include "lselect.h"
#include "task_private.h"

typedef struct SourceClass {
    const AluaClass *cls;
    const LuaSource *source;
} SourceClass;

static const SourceClass source_classes[] = {
    {&chan_class, &chan_source},
    {&task_class, &task_source},
    {&sem_class, &sem_source},
    {&event_class, &event_source},
};

static const LuaSource *source_of(lua_State *L, int at)
{
    for (size_t i = 0; i < sizeof(source_classes) / sizeof(SourceClass); i++) {
        if (alua_test(L, at, source_classes[i].cls)) {
            return source_classes[i].source;
        }
    }
    return NULL;
}

/* Raises: what is wrong is at @arg. */
static void bad_case(lua_State *L, const SelectCase *c, int arg,
                     const char *why)
{
    const char *got = luaL_typename(L, arg);

    luaL_error(L, "case '%s' of select: %s, got %s",
               luaL_tolstring(L, c->at - 1, NULL), why, got);
}

/* {put = chan, value = v} */
static void read_put(lua_State *L, SelectCase *c)
{
    if (!alua_test(L, -1, &chan_class)) {
        bad_case(L, c, -1, "put wants a channel");
    }
    c->source = &chan_source;
    c->value = c->at + 1;
    lua_getfield(L, c->at, "value");
    if (lua_isnil(L, -1)) {
        luaL_error(L, "case '%s' of select: value to put expected, got nil",
                   luaL_tolstring(L, c->at - 1, NULL));
    }
    lua_replace(L, c->value);
    lua_replace(L, c->at);
    c->object = lua_touserdata(L, c->at);
}

/* {fd = descriptor, want = "r"} */
static void read_fd(lua_State *L, SelectCase *c)
{
    c->fd = lcheck_fd(L, lua_gettop(L));
    c->fd_wait.want = LWAIT_READ;
    if (lua_getfield(L, c->at, "want") != LUA_TNIL) {
        c->fd_wait.want = lwait_check_want(L, lua_gettop(L));
    }
    lua_pop(L, 2);
}

static void read_table(lua_State *L, SelectCase *c)
{
    if (lua_getfield(L, c->at, "put") != LUA_TNIL) {
        read_put(L, c);
        return;
    }
    lua_pop(L, 1);
    if (lua_getfield(L, c->at, "fd") == LUA_TNIL) {
        bad_case(L, c, c->at,
                 "{put = chan, value = v} or {fd = fd, want = 'r'} "
                 "expected");
    }
    read_fd(L, c);
}

/* Key and source are the two values on top; leaves SELECT_SLOTS values. */
static void read_case(lua_State *L, SelectCase *c)
{
    *c = (SelectCase){.at = lua_gettop(L), .fd = -1, .timeout = -1};
    lua_pushnil(L);
    c->source = source_of(L, c->at);
    if (c->source) {
        c->object = lua_touserdata(L, c->at);
    } else if (lua_type(L, c->at) == LUA_TNUMBER) {
        if (!(lua_tonumber(L, c->at) >= 0)) { /* nor NaN */
            luaL_error(L,
                       "case '%s' of select: seconds that are not negative "
                       "expected, got %f",
                       luaL_tolstring(L, c->at - 1, NULL),
                       lua_tonumber(L, c->at));
        }
        c->timeout = alua_opt_seconds(L, c->at);
    } else if (lua_istable(L, c->at) &&
               luaL_getmetafield(L, c->at, "__index") == LUA_TNIL) {
        read_table(L, c);
    } else if (lua_isuserdata(L, c->at) || lua_istable(L, c->at)) {
        lua_settop(L, c->at + 1);
        c->fd = lcheck_fd(L, c->at);
        c->fd_wait.want = LWAIT_READ;
    } else {
        bad_case(L, c, c->at,
                 "channel, task, semaphore, event, descriptor or "
                 "seconds expected");
    }
    lua_settop(L, c->at + 1);
}

void select_read(lua_State *L, SelectCase *cases)
{
    lua_Integer length = (lua_Integer)lua_rawlen(L, 1);
    SelectCase *c = cases;

    for (lua_Integer i = 1; i <= length; i++) {
        lua_pushinteger(L, i);
        lua_rawgeti(L, 1, i);
        read_case(L, c++);
    }
    for (lua_pushnil(L); lua_next(L, 1);) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
            lua_tointeger(L, -2) <= length) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushvalue(L, -2);
        lua_insert(L, -2); /* step key, key, source */
        read_case(L, c++);
        lua_rotate(L, -SELECT_SLOTS - 1, -1); /* key, source, value, step key */
        c[-1].at--;
        c[-1].value -= c[-1].value > 0;
    }
}

int select_count(lua_State *L)
{
    int count = 0;

    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        count++;
    }
    return count;
}
