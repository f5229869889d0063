/*
 * lrun.c - aio.run, exit, stop, on_error
 *
 * Under the host the loop is running already and aio.run(fn) is a call.  Under
 * stock Lua it runs the loop on the caller's C stack and fn as the main task on
 * another one, both on the caller's lua_State: the caller is suspended inside
 * aio.run() for exactly that time.  os.exit() is replaced there, since closing
 * the state from a task's C stack would pull it from under the loop.
 */
#include <lualib.h>
#include <stdlib.h>

#include "open.h"
#include "task_private.h"

enum { MAIN_STACK_SIZE = 8 << 20 };

/* Ends the process when the main task did not come back. */
static void end_run(lua_State *L, LuaVM *vm, LuaTask *t, int code)
{
    if (vm->priv->main_task || vm->priv->process_exit) {
        vm_close(vm);
        if (vm->exit_close && vm->io_in_flight == 0) {
            lua_close(L);
        }
        exit(code);
    }
    vm->exiting = false;
    vm->exit_code = 0;
    int status = t->status;
    task_free_main(t);
    if (code == 3) {
        luaL_error(L, "aio.run: deadlock");
    }
    if (status != LUA_OK) {
        lua_error(L);
    }
    if (code != 0) {
        luaL_error(L, "aio.run: an error that nobody received");
    }
}

/**
 * aio.run(fn: function, ...) -> any ...
 *
 * The results of `fn(...)`. Under a stock Lua 5.4 this runs the loop until all
 * has ended; under `aioctl` it is a call.
 */
static int run(lua_State *L)
{
    LuaVM *vm = alua_vm(L);

    alua_check_callable(L, 1);
    vm_check_thread(L, vm);
    if (vm->current && !vm->callback) {
        lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
        return lua_gettop(L);
    }
    if (vm->callback || vm->priv->running) {
        return luaL_error(L, "aio.run() cannot be called in a callback");
    }
    if (!vm->home) {
        return luaL_error(L, "aio.run: the VM is closed");
    }
    LuaTask *t = task_new_main(L, vm, L, MAIN_STACK_SIZE);
    lua_pushcfunction(L, alua_traceback);
    lua_insert(L, 1);
    t->base = 1;
    t->nargs = lua_gettop(L) - 2;
    int code = vm_run(vm, t);
    end_run(L, vm, t, code);
    return lua_gettop(L) - 1;
}

/**
 * aio.exit(code?: integer)
 *
 * Ends the program with that status once all is closed; it does not return.
 * `os.exit` works as well, from anywhere.
 */
static int aio_exit(lua_State *L)
{
    int code = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);

    vm_exit(L, alua_vm(L), code, true);
}

int vm_exit_status(lua_State *L)
{
    if (lua_isboolean(L, 1)) {
        return lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    return (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
}

/* os.exit([code [, close]]) under stock Lua */
static int os_exit(lua_State *L)
{
    LuaVM *vm = alua_vm(L);
    int status = vm_exit_status(L);
    bool close = lua_toboolean(L, 2);

    if (vm->priv->running) {
        vm_exit(L, vm, status, close);
    }
    if (close) {
        lua_close(L);
    }
    exit(status);
}

static void os_exit_install(lua_State *L, LuaVM *vm)
{
    static const luaL_Reg os_functions[] = {{"exit", os_exit}, {NULL, NULL}};
    int top = lua_gettop(L);

    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (!vm->terminate && lua_getfield(L, -1, LUA_OSLIBNAME) == LUA_TTABLE) {
        alua_setfuncs(L, os_functions);
    }
    lua_settop(L, top);
}

/**
 * aio.stop()
 *
 * Cancels everything; the program ends with status 0.
 */
static int stop(lua_State *L)
{
    vm_request_exit(alua_vm(L), EXIT_SUCCESS);
    return 0;
}

/**
 * aio.on_error(fn: fun(err: any, traceback: string|nil, origin: string)|nil)
 *     -> function|nil
 *
 * The previous one. `fn(err, traceback, origin)` gets the errors that nobody
 * receives, instead of standard error.
 */
static int on_error(lua_State *L)
{
    if (!lua_isnoneornil(L, 1)) {
        luaL_checktype(L, 1, LUA_TFUNCTION);
    }
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_on_error);
    lua_insert(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_on_error);
    return 1;
}

static const luaL_Reg functions[] = {
    {"run", run},           {"exit", aio_exit}, {"stop", stop},
    {"on_error", on_error}, {NULL, NULL},
};

void lrun_open(lua_State *L)
{
    alua_setfuncs(L, functions);
    os_exit_install(L, alua_vm_of(L));
}
