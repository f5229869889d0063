/*
 * uncaught.c - errors that nobody will receive
 *
 * They go to the function set by aio.on_error(), else to stderr, and then
 * (unless the host was told to log only) the program ends with status 1.
 * Errors found in finalizers wait in a list for the loop.
 */
#include <stdio.h>
#include <stdlib.h>

#include "task_private.h"

enum { MAX_HANDLER_ARGS = 3 };

/* The origin travels as a pointer: making it a string may raise. */
static void push_origin(lua_State *L)
{
    lua_pushstring(L, lua_touserdata(L, MAX_HANDLER_ARGS));
    lua_replace(L, MAX_HANDLER_ARGS);
}

/* Protected: error, traceback, origin -> calls the handler; true when there is
 * one. */
static int call_handler(lua_State *L)
{
    push_origin(L);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_on_error) == LUA_TNIL) {
        lua_pushboolean(L, 0);
        return 1;
    }
    lua_insert(L, 1);
    lua_call(L, MAX_HANDLER_ARGS, 0);
    lua_pushboolean(L, 1);
    return 1;
}

/* Protected: error, traceback, origin -> prints them. */
static int print_error(lua_State *L)
{
    push_origin(L);
    const char *message = luaL_tolstring(L, 1, NULL);
    const char *trace = lua_tostring(L, 2);

    fflush(stdout);
    fprintf(stderr, "aioctl: %s\n%s%s(%s)\n", message, trace ? trace : "",
            trace ? "\n" : "", lua_tostring(L, 3));
    fflush(stderr);
    return 0;
}

static bool is_cancel(lua_State *L, int index)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
    bool same = lua_rawequal(L, index < 0 ? index - 1 : index, -1);
    lua_pop(L, 1);
    return same;
}

/* What can be said of the error at @index without memory. */
static const char *plain_message(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TSTRING ? lua_tostring(L, index)
                                             : luaL_typename(L, index);
}

/* Pushes a protected call of @fn with copies of the three values at @at. */
static bool protect(lua_State *L, lua_CFunction fn, int at, int nresults)
{
    lua_pushcfunction(L, fn);
    for (int i = 0; i < MAX_HANDLER_ARGS; i++) {
        lua_pushvalue(L, at + i);
    }
    return lua_pcall(L, MAX_HANDLER_ARGS, nresults, 0) == LUA_OK;
}

void vm_uncaught(LuaVM *vm, lua_State *L, const char *origin)
{
    int at = lua_gettop(L) - 1;

    lua_insert(L, at); /* error, traceback */
    if (!lua_checkstack(L, LUA_MINSTACK)) {
        fprintf(stderr, "aioctl: error in %s: not enough memory\n", origin);
        vm_request_exit(vm, EXIT_FAILURE);
        lua_settop(L, at - 1);
        return;
    }
    if (is_cancel(L, at)) {
        lua_settop(L, at - 1); /* an interrupted callback is no error */
        return;
    }
    lua_pushlightuserdata(L, (void *)origin);
    bool handled = false;
    if (protect(L, call_handler, at, 1)) {
        handled = lua_toboolean(L, -1);
    } else { /* the handler failed: its error is the one to tell */
        lua_replace(L, at);
        lua_pushlightuserdata(L, "aio.on_error");
        lua_replace(L, at + 2);
    }
    if (!handled && vm->priv->forward) {
        lua_settop(L, at + 1);
        vm->priv->forward(vm, L, at, origin);
    } else if (!handled) {
        lua_settop(L, at + 2);
        if (!protect(L, print_error, at, 0)) {
            fprintf(stderr, "aioctl: error in %s: %s\n", origin,
                    plain_message(L, at));
        }
        if (!vm->log_errors) {
            vm_request_exit(vm, EXIT_FAILURE);
        }
    }
    lua_settop(L, at - 1);
}

void vm_note_uncaught(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_uncaught) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_uncaught);
    }
    lua_insert(L, -2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
    vm_attend(alua_vm_of(L), VM_UNCAUGHT);
}

static int report_noted(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, 1);

    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_uncaught);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_uncaught);
    if (!lua_istable(L, 2)) {
        return 0;
    }
    for (lua_Integer i = 1; lua_rawgeti(L, 2, i) == LUA_TTABLE; i++) {
        lua_rawgeti(L, 3, 3);
        lua_rawgeti(L, 3, 2);
        lua_rawgeti(L, 3, 1);
        vm_uncaught(vm, L, lua_tostring(L, 4));
        lua_settop(L, 2);
    }
    return 0;
}

void vm_report_uncaught(LuaVM *vm)
{
    lua_State *L = vm->home->L;

    lua_pushcfunction(L, report_noted);
    lua_pushlightuserdata(L, vm);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        vm_request_exit(vm, EXIT_FAILURE);
    }
}

/* At the end of the program every failed task counts as unjoined. */
static int note_failed(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_failed);
    for (lua_pushnil(L); lua_next(L, 1); lua_settop(L, 2)) {
        lua_getmetatable(L, 3);
        lua_getfield(L, -1, "__gc");
        lua_pushvalue(L, 3);
        lua_call(L, 1, 0);
    }
    return 0;
}

void vm_report_failed(LuaVM *vm)
{
    if (!vm->home) {
        return;
    }
    lua_State *L = vm->home->L;

    if (vm->priv->failed) {
        lua_pushcfunction(L, note_failed);
        if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
            lua_pop(L, 1);
        }
    }
    vm_report_uncaught(vm);
}
