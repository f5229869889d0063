/*
 * lcoroutine.c - the coroutine library, told apart from tasks
 *
 * resume, wrap, close, status, running and yield are replaced by functions with
 * the behaviour and the messages of the originals, which also keep track of the
 * innermost lua_State that is running (priv->inner): stock Lua does not tell,
 * and an interrupt, as well as the check whether one may park, need it.
 *
 * Between setting priv->inner and resetting it nothing may raise.
 *
 * Closing a coroutine runs its __close handlers one level deeper on the C
 * stack, and Lua 5.4 does not count those levels; so closing is refused when
 * little of the C stack is left.
 */
#include <lualib.h>

#include "open.h"
#include "task_private.h"

enum { CLOSE_RESERVE = 512 * 1024 }; /* bytes of C stack */

static lua_State *check_thread(lua_State *L, int arg)
{
    lua_State *co = lua_tothread(L, arg);

    if (!co) {
        luaL_typeerror(L, arg, "coroutine");
    }
    return co;
}

static bool has_frames(lua_State *co)
{
    lua_Debug ar;

    return lua_getstack(co, 0, &ar);
}

/* What callbacks run on is dead to scripts between two callbacks. */
static bool is_idle_door(const LuaVM *vm, lua_State *co)
{
    return unlikely(door_is(vm, co)) && !has_frames(co);
}

/* Moves @nargs values over and resumes; the results, or an error message and
 * -1, end up on @L. */
static int resume_into(lua_State *L, LuaVM *vm, lua_State *co, int nargs)
{
    LuaVMPrivate *priv = vm->priv;
    int n = 0;

    if (unlikely(is_idle_door(vm, co))) {
        lua_pushliteral(L, "cannot resume dead coroutine");
        return -1;
    }
    if (unlikely(!lua_checkstack(co, nargs))) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, nargs);
    lua_State *outer = priv->inner;
    priv->inner = co;
    int status = lua_resume(co, L, nargs, &n);
    priv->inner = outer;
    if (unlikely(status != LUA_OK && status != LUA_YIELD)) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (unlikely(!lua_checkstack(L, n + 1))) {
        lua_pop(co, n);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, n);
    return n;
}

static int co_resume(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, lua_upvalueindex(1));
    lua_State *co = check_thread(L, 1);
    int n = resume_into(L, vm, co, lua_gettop(L) - 1);

    lua_pushboolean(L, n >= 0);
    n = n >= 0 ? n : 1;
    lua_insert(L, -(n + 1));
    return n + 1;
}

/* Runs the pending __close handlers of @co; its status afterwards. */
static int close_thread(lua_State *L, LuaVMPrivate *priv, lua_State *co)
{
    if (aio_co_stack_left() < CLOSE_RESERVE) {
        luaL_error(L, "C stack overflow (closing a coroutine)");
    }
    lua_State *outer = priv->inner;
    priv->inner = co;
    int status = lua_resetthread(co);
    priv->inner = outer;
    return status;
}

/* The function that coroutine.wrap returns.  Upvalues: VM, thread. */
static int wrapped(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, lua_upvalueindex(1));
    lua_State *co = lua_tothread(L, lua_upvalueindex(2));
    int n = resume_into(L, vm, co, lua_gettop(L));

    if (likely(n >= 0)) {
        return n;
    }
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) { /* it died just now */
        status = close_thread(L, vm->priv, co);
        lua_xmove(co, L, 1);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int co_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped, 2);
    return 1;
}

static int co_close(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, lua_upvalueindex(1));
    lua_State *co = check_thread(L, 1);

    if (co == L || (lua_status(co) == LUA_OK && has_frames(co))) {
        return luaL_error(L, "cannot close a %s coroutine",
                          co == L ? "running" : "normal");
    }
    if (is_idle_door(vm, co) || close_thread(L, vm->priv, co) == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
}

static const char *status_name(const LuaVM *vm, lua_State *L, lua_State *co)
{
    int status = lua_status(co);

    if (L == co) {
        return "running";
    }
    if (status == LUA_YIELD) {
        return "suspended";
    }
    if (status == LUA_OK && has_frames(co)) {
        return "normal";
    }
    return status != LUA_OK || lua_gettop(co) == 0 || is_idle_door(vm, co)
               ? "dead"
               : "suspended";
}

static int co_status(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, lua_upvalueindex(1));

    lua_pushstring(L, status_name(vm, L, check_thread(L, 1)));
    return 1;
}

static int co_running(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, lua_upvalueindex(1));
    bool is_main = lua_pushthread(L);

    if (vm->current && vm->current->L == L) {
        vm->current->seen = true; /* its thread is not for reuse any more */
    }
    lua_pushboolean(L, is_main);
    return 2;
}

static int co_yield (lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, lua_upvalueindex(1));

    if (vm->current && vm->current->L == L && !lua_isyieldable(L)) {
        lua_pushliteral(L, "attempt to yield from outside a coroutine");
        return lua_error(L);
    }
    return lua_yield(L, lua_gettop(L));
}

lua_State *coroutine_resumed_by(lua_State *L)
{
    lua_Debug ar;
    lua_State *co = NULL;

    if (!lua_getstack(L, 0, &ar) || !lua_checkstack(L, 3)) {
        return NULL;
    }
    lua_getinfo(L, "f", &ar);
    lua_CFunction fn = lua_tocfunction(L, -1);
    if (fn == wrapped && lua_getupvalue(L, -1, 2)) {
        co = lua_tothread(L, -1);
        lua_pop(L, 1);
    } else if ((fn == co_resume || fn == co_close) && lua_getlocal(L, &ar, 1)) {
        co = lua_tothread(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return co;
}

static const luaL_Reg functions[] = {
    {"resume", co_resume}, {"wrap", co_wrap},
    {"close", co_close},   {"running", co_running},
    {"yield", co_yield },  {"status", co_status},
    {NULL, NULL},
};

/* Into the library's own table, where there is one. */
void coroutine_install(lua_State *L, LuaVM *vm)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_COLIBNAME) == LUA_TTABLE) {
        lua_pushlightuserdata(L, vm);
        luaL_setfuncs(L, functions, 1);
    }
    lua_pop(L, 2);
}

void lcoroutine_open(lua_State *L)
{
    coroutine_install(L, alua_vm_of(L));
}
