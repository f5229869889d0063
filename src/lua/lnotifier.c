/*
 * lnotifier.c - class aio.notifier: a flag that wakes a loop
 *
 * Lifetime: user value 1 is the callback, user value 2 the context.  A notifier
 * is armed (anchored) while it has a callback; without one it is ordinary
 * garbage.  The callback runs after the flag was cleared, so it may be set
 * again at any time and no setting is lost.
 */
#include "block/aio.h"
#include "lcheck.h"
#include "lcontext.h"
#include "open.h"
#include "qemu/event_notifier.h"

enum { UV_CALLBACK = 1, UV_CONTEXT };

typedef struct LuaNotifier {
    LuaHandle handle; /* first: the callback gets the EventNotifier */
    EventNotifier notifier;
    bool watched; /* the loop has our handler */
} LuaNotifier;

static const AluaClass notifier_class;

static LuaNotifier *notifier_check(lua_State *L)
{
    LuaNotifier *self = alua_check(L, 1, &notifier_class);

    lcheck_open(L, &self->handle);
    return self;
}

static void notifier_fire(EventNotifier *notifier)
{
    LuaNotifier *self = container_of(notifier, LuaNotifier, notifier);

    if (event_notifier_test_and_clear(notifier)) {
        alua_call(&self->handle, UV_CALLBACK);
    }
}

static void notifier_watch(LuaNotifier *self, bool on)
{
    if (on != self->watched) {
        aio_set_event_notifier(self->handle.owner->ctx, &self->notifier, false,
                               on ? notifier_fire : NULL, NULL, NULL);
        self->watched = on;
    }
}

static void notifier_release(LuaHandle *h)
{
    LuaNotifier *self = (LuaNotifier *)h;

    notifier_watch(self, false);
    event_notifier_cleanup(&self->notifier);
}

/**
 * class Notifier (notifier)
 *
 * A flag with a descriptor, that wakes a loop.
 */

/**
 * class aio.NotifierOptions
 *
 * name?: string - for messages; by default where it was created
 * ctx?: Context - by default the current one
 */

/**
 * aio.notifier(options?: aio.NotifierOptions) -> Notifier!
 *
 * A flag that is down. `nil, message, errno` when no descriptor is left.
 */
static int notifier_new(lua_State *L)
{
    static const char *const options[] = {"name", "ctx", NULL};
    LuaContext *owner;
    LuaNotifier *self;
    int ret;

    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    alua_check_options(L, 1, options);
    lcheck_name(L, 1);          /* at 2 */
    lcheck_context(L, 1);       /* at 3 */
    owner = lcontext_opt(L, 3); /* at 4 */
    self = alua_new(L, &notifier_class, sizeof(*self), 2);
    lua_pushvalue(L, 4);
    lua_setiuservalue(L, -2, UV_CONTEXT);
    handle_open(L, &self->handle, owner, "notifier", 2);
    ret = event_notifier_init(&self->notifier, false);
    if (ret < 0) {
        handle_close(L, &self->handle);
        return alua_fail(L, -ret, "event notifier", "aio.notifier");
    }
    self->handle.release = notifier_release;
    return 1;
}

/**
 * notifier:set() -> Notifier
 *
 * Raises the flag.
 */
static int notifier_set(lua_State *L)
{
    event_notifier_set(&notifier_check(L)->notifier);
    lua_settop(L, 1);
    return 1;
}

/**
 * notifier:test_and_clear() -> boolean
 *
 * Was it up?
 */
static int notifier_test_and_clear(lua_State *L)
{
    LuaNotifier *self = notifier_check(L);

    lua_pushboolean(L, event_notifier_test_and_clear(&self->notifier));
    return 1;
}

/**
 * notifier:handler(fn: fun(notifier: Notifier)|nil) -> Notifier
 *
 * `fn(notifier)` runs in the loop after each `set`, with the flag down again.
 * `nil` removes it.
 */
static int notifier_handler(lua_State *L)
{
    LuaNotifier *self = notifier_check(L);
    bool on = !lua_isnoneornil(L, 2);

    if (on) {
        luaL_checktype(L, 2, LUA_TFUNCTION);
    }
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, UV_CALLBACK);
    alua_refresh(L, 1);
    if (on) {
        handle_arm(L, &self->handle, 1);
    } else {
        handle_disarm(L, &self->handle);
    }
    notifier_watch(self, on);
    return 1;
}

/**
 * notifier:fd() -> integer
 *
 * A descriptor that is readable while the flag is up.
 */
static int notifier_fd(lua_State *L)
{
    LuaNotifier *self = notifier_check(L);

    lua_pushinteger(L, event_notifier_get_fd(&self->notifier));
    return 1;
}

/**
 * notifier:close()
 *
 * Removes the handler and closes the descriptor. May be called twice.
 */
static int notifier_close(lua_State *L)
{
    LuaNotifier *self = alua_check(L, 1, &notifier_class);

    handle_close(L, &self->handle);
    return 0;
}

static int notifier_tostring(lua_State *L)
{
    return lcheck_tostring(L, alua_check(L, 1, &notifier_class));
}

static const luaL_Reg notifier_methods[] = {
    {"set", notifier_set},         {"test_and_clear", notifier_test_and_clear},
    {"handler", notifier_handler}, {"fd", notifier_fd},
    {"close", notifier_close},     {"ref", handle_ref},
    {"unref", handle_unref},       {NULL, NULL},
};

static const luaL_Reg notifier_metamethods[] = {
    {"__close", notifier_close},
    {"__gc", notifier_close},
    {"__tostring", notifier_tostring},
    {NULL, NULL},
};

static const AluaClass notifier_class = {
    .name = "aio.notifier",
    .methods = notifier_methods,
    .metamethods = notifier_metamethods,
    .is_handle = true,
};

static const luaL_Reg notifier_functions[] = {
    {"notifier", notifier_new},
    {NULL, NULL},
};

void lnotifier_open(lua_State *L)
{
    alua_class(L, &notifier_class);
    alua_setfuncs(L, notifier_functions);
}
