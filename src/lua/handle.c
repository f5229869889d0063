/*
 * handle.c - callbacks with a name and an origin
 *
 * The VM lists its open handles.  An armed one is anchored and, unless it was
 * unref'd, counts in vm->active, which keeps the program running.  While its
 * callback runs (busy) it stays anchored even when it is disarmed: most arm
 * themselves again, and nothing that the door touches goes away under it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm_private.h"

void handle_open(lua_State *L, LuaHandle *h, LuaContext *owner,
                 const char *kind, int name_arg)
{
    const char *name = name_arg ? luaL_optstring(L, name_arg, NULL) : NULL;

    h->kind = kind;
    if (name && !(h->name = strdup(name))) {
        luaL_error(L, "not enough memory");
    }
    int line = alua_caller(L, 1);
    alua_format_origin(L, -1, line, h->origin, sizeof(h->origin));
    lua_pop(L, 1);
    handle_link(h, owner);
}

void handle_link(LuaHandle *h, LuaContext *owner)
{
    LuaVM *vm = owner->vm;

    h->owner = owner;
    h->prev = NULL;
    h->next = vm->handles;
    if (h->next) {
        h->next->prev = h;
    }
    vm->handles = h;
}

void handle_close(lua_State *L, LuaHandle *h)
{
    LuaVM *vm = h->object.vm;

    if (!h->owner) {
        return;
    }
    handle_disarm(L, h);
    if (h->release) {
        h->release(h);
    }
    h->owner = NULL;
    if (h->prev) {
        h->prev->next = h->next;
    } else {
        vm->handles = h->next;
    }
    if (h->next) {
        h->next->prev = h->prev;
    }
    h->prev = h->next = NULL;
    free(h->name);
    h->name = NULL;
}

/* Does it keep the program running while armed?  In another context than home
 * it only fires while a task polls, and that task counts. */
static bool handle_counts(const LuaHandle *h)
{
    return !h->unrefd && h->owner == h->object.vm->home;
}

void handle_arm(lua_State *L, LuaHandle *h, int index)
{
    if (h->armed) {
        return;
    }
    if (!h->object.anchor) {
        alua_anchor(L, index);
    }
    h->armed = true;
    h->object.vm->active += handle_counts(h);
}

void handle_disarm(lua_State *L, LuaHandle *h)
{
    if (!h->armed) {
        return;
    }
    h->armed = false;
    h->object.vm->active -= handle_counts(h);
    if (!h->busy) {
        alua_unanchor(L, &h->object);
    }
}

/* Of any class.  The first word is followed only if the metatable shows that
 * it is the address of a class. */
static LuaHandle *check_handle(lua_State *L, int arg)
{
    LuaHandle *h = lua_touserdata(L, arg);
    bool ours = false;

    if (h && lua_rawlen(L, arg) >= sizeof(*h) && lua_getmetatable(L, arg)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, h->object.cls);
        ours = lua_rawequal(L, -1, -2) && h->object.cls->is_handle;
        lua_pop(L, 2);
    }
    if (!ours) {
        luaL_typeerror(L, arg, "aio handle");
    }
    return h;
}

static int set_unrefd(lua_State *L, bool unrefd)
{
    LuaHandle *h = check_handle(L, 1);

    if (h->armed) { /* with the old, then with the new state */
        h->object.vm->active -= handle_counts(h);
    }
    h->unrefd = unrefd;
    if (h->armed) {
        h->object.vm->active += handle_counts(h);
    }
    lua_settop(L, 1);
    return 1;
}

/**
 * bh:ref() -> BH
 * bh:unref() -> BH
 * timer:ref() -> Timer
 * timer:unref() -> Timer
 * handler:ref() -> FdHandler
 * handler:unref() -> FdHandler
 * notifier:ref() -> Notifier
 * notifier:unref() -> Notifier
 * signal:ref() -> SignalHandler
 * signal:unref() -> SignalHandler
 *
 * `unref` takes it out of what keeps the program running while it is armed,
 * `ref` puts it back.
 */
int handle_ref(lua_State *L)
{
    return set_unrefd(L, false);
}

int handle_unref(lua_State *L)
{
    return set_unrefd(L, true);
}

void handle_describe(const LuaHandle *h, char *buf, size_t size)
{
    if (h->name) {
        snprintf(buf, size, "%s '%s', created at %s", h->kind, h->name,
                 h->origin);
    } else {
        snprintf(buf, size, "%s created at %s", h->kind, h->origin);
    }
}
