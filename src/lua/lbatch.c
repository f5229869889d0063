/*
 * lbatch.c - aio.batch(fn): submit what fn issued in one go
 *
 * The context is plugged while fn runs, also while it waits for tasks that it
 * spawned; their requests pile up until the plug is pulled, a batch is full, or
 * the loop is about to wait.  The plug is a to-be-closed value, so that it is
 * pulled whichever way fn ends.
 *
 * With {link = true} the task is in a chain meanwhile, and so are those that it
 * spawns, for their lives: what they read, write and sync runs one after
 * another, and a failure cancels the rest.
 */
#include <stdlib.h>

#include "batch.h"
#include "lbuf.h"
#include "open.h"
#include "task_private.h"

typedef struct Plug {
    AluaObject object;
    AioContext *ctx; /* NULL: pulled */
    LuaTask *task;   /* whose link is ours meanwhile; NULL: nobody's */
    LuaLink *link, *outer;
} Plug;

/* ---- links -------------------------------------------------------------- */

LuaLink *link_ref(LuaLink *link)
{
    if (link) {
        link->refs++;
    }
    return link;
}

void link_unref(LuaLink *link)
{
    if (link && --link->refs == 0) {
        free(link);
    }
}

/* ---- plugs -------------------------------------------------------------- */

/* The task gets its former link back, with the reference. */
static void plug_unlink(Plug *plug)
{
    if (plug->task) {
        link_unref(plug->task->link);
        plug->task->link = plug->outer;
        plug->task = NULL;
    }
    link_unref(plug->link);
    plug->link = NULL;
}

static int plug_pull(lua_State *L)
{
    Plug *plug = lua_touserdata(L, 1);

    plug_unlink(plug);
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

static bool check_batch_options(lua_State *L, int arg)
{
    static const char *const known[] = {"link", NULL};

    if (lua_isnoneornil(L, arg)) {
        return false;
    }
    luaL_checktype(L, arg, LUA_TTABLE);
    alua_check_options(L, arg, known);
    return opt_boolean_field(L, arg, "link", false);
}

/* From here on the task, and those that it spawns, are in the chain. */
static void plug_link(lua_State *L, Plug *plug, LuaTask *t)
{
    plug->link = calloc(1, sizeof(*plug->link));
    if (!plug->link) {
        luaL_error(L, "not enough memory");
    }
    plug->link->refs = 1;
    plug->outer = t->link;
    plug->task = t;
    t->link = link_ref(plug->link);
}

/**
 * class aio.BatchOptions
 *
 * link?: boolean - run one after another
 */

/**
 * aio.batch(fn: function, options?: aio.BatchOptions) -> any ...
 *
 * The results of `fn()`. I/O that it starts, also in tasks that it spawns and
 * waits for, is submitted together. Parks. With `link` these run one after
 * another, in the order in which they were issued, on every engine (io_uring
 * gets them linked): reads, writes, syncs, `allocate`, `punch`, `zero` and
 * `nop`; not what works on paths, sizes or closing. The first that fails ends
 * those behind it with `nil, message, ECANCELED`, untouched. A short read or
 * write counts as failed: its own result is what it moved (for `read_exact`
 * and `write_all` an error), the rest is cancelled. So does one that timed out
 * or was cancelled. Tasks spawned by `fn` stay in the chain for their lives.
 */
static int batch_run(lua_State *L)
{
    alua_check_callable(L, 1);
    bool linked = check_batch_options(L, 2);
    lua_settop(L, 1);
    LuaTask *t = task_check_can_park(L);
    Plug *plug = alua_new(L, &plug_class, sizeof(*plug), 0);

    lua_toclose(L, 2);
    if (linked) {
        plug_link(L, plug, t);
    }
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
