/*
 * lbatch.c - aio.batch(fn): submit what fn issued in one go
 *
 * The context is plugged while fn runs, also while it waits for tasks that it
 * spawned; their requests pile up until the plug is pulled, a batch is full, or
 * the loop is about to wait.  The plug is a to-be-closed value, so that it is
 * pulled whichever way fn ends.
 */
#include "aioctl/request.h"
#include "open.h"
#include "task.h"
#include "vm.h"

typedef struct Plug {
    AluaObject object;
    AioContext *ctx; /* NULL: pulled */
} Plug;

static int plug_pull(lua_State *L)
{
    Plug *plug = lua_touserdata(L, 1);

    if (plug->ctx) {
        aio_request_unplug(plug->ctx);
        aio_context_unref(plug->ctx);
        plug->ctx = NULL;
    }
    return 0;
}

static const luaL_Reg plug_methods[] = {{NULL, NULL}};
static const luaL_Reg plug_metamethods[] = {
    {"__close", plug_pull},
    {"__gc", plug_pull},
    {NULL, NULL},
};
static const AluaClass plug_class = {
    .name = "aio.plug",
    .methods = plug_methods,
    .metamethods = plug_metamethods,
};

/* Linked requests (one runs when the one before it has ended well) exist on
 * io_uring only, and not yet here: better an error than another order. */
static void check_batch_options(lua_State *L, int arg)
{
    static const char *const known[] = {"link", NULL};

    if (lua_isnoneornil(L, arg)) {
        return;
    }
    alua_check_options(L, arg, known);
    lua_getfield(L, arg, "link");
    if (lua_toboolean(L, -1)) {
        luaL_argerror(L, arg,
                      "link=true is not supported: wait for one "
                      "request before starting the next");
    }
}

/* aio.batch(fn [, {link=false}]) -> the results of fn */
static int batch_run(lua_State *L)
{
    alua_check_callable(L, 1);
    check_batch_options(L, 2);
    lua_settop(L, 1);
    LuaTask *t = task_check_can_park(L);
    Plug *plug = alua_new(L, &plug_class, sizeof(*plug), 0);

    lua_toclose(L, 2);
    plug->ctx = task_context(t);
    aio_context_ref(plug->ctx);
    aio_request_plug(plug->ctx);
    lua_pushvalue(L, 1);
    lua_call(L, 0, LUA_MULTRET);
    lua_closeslot(L, 2);
    return lua_gettop(L) - 2;
}

void lbatch_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"batch", batch_run}, {NULL, NULL}};

    alua_class(L, &plug_class);
    alua_setfuncs(L, functions);
}
