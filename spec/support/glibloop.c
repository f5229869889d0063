/*
 * glibloop.c - a C module as others write them: Lua functions called by GLib
 *
 * It knows nothing of aioctl; GLib's default main loop is all they share.
 */
#include <glib.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

typedef struct Call {
    lua_State *L;
    int function;
} Call;

/* Calls the function; an error is printed, and is nobody else's. */
static gboolean call_once(gpointer opaque)
{
    Call *call = opaque;
    lua_State *L = call->L;

    lua_rawgeti(L, LUA_REGISTRYINDEX, call->function);
    luaL_unref(L, LUA_REGISTRYINDEX, call->function);
    g_free(call);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        g_printerr("glibloop: %s\n", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return G_SOURCE_REMOVE;
}

static Call *new_call(lua_State *L, int arg)
{
    Call *call = g_new(Call, 1);

    luaL_checktype(L, arg, LUA_TFUNCTION);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    call->L = lua_tothread(L, -1);
    lua_pushvalue(L, arg);
    call->function = luaL_ref(L, LUA_REGISTRYINDEX);
    return call;
}

/* timeout(ms, fn) */
static int timeout(lua_State *L)
{
    guint ms = (guint)luaL_checkinteger(L, 1);

    g_timeout_add(ms, call_once, new_call(L, 2));
    return 0;
}

/* idle(fn) */
static int idle(lua_State *L)
{
    g_idle_add(call_once, new_call(L, 1));
    return 0;
}

/* iterate(may_block) -> was something dispatched? */
static int iterate(lua_State *L)
{
    lua_pushboolean(L, g_main_context_iteration(NULL, lua_toboolean(L, 1)));
    return 1;
}

static const luaL_Reg functions[] = {
    {"timeout", timeout},
    {"idle", idle},
    {"iterate", iterate},
    {NULL, NULL},
};

LUAMOD_API int luaopen_glibloop(lua_State *L);

LUAMOD_API int luaopen_glibloop(lua_State *L)
{
    luaL_newlib(L, functions);
    return 1;
}
