/*
 * alua.c - classes: userdata of ours, their metatables and checks
 *
 * An object is recognised by its first word, the address of its AluaClass: no
 * table is looked up, and nothing a script can build without the debug library
 * looks the same.  Metatables are kept in the registry under the address of
 * their class (for alua_new) and under the class name (for luaL_* functions).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm_private.h"

/*
 * Every lua_State in which the process uses us has its VM in its extra space,
 * which new threads copy from the main one.  Threads older than the VM have
 * NULL there and take the longer way.
 */
static bool extra_space_is_ours;

void alua_clear_extra_space(lua_State *L)
{
    *(LuaVM **)lua_getextraspace(L) = NULL;
}

void alua_claim_extra_space(lua_State *L)
{
    alua_clear_extra_space(L);
    extra_space_is_ours = true;
}

void alua_note_vm(lua_State *L, LuaVM *vm)
{
    if (extra_space_is_ours) {
        *(LuaVM **)lua_getextraspace(L) = vm;
    }
}

LuaVM *alua_vm(lua_State *L)
{
    if (likely(extra_space_is_ours)) {
        LuaVM *vm = *(LuaVM **)lua_getextraspace(L);

        if (likely(vm)) {
            return vm;
        }
    }
    LuaVM *vm = lua_touserdata(L, lua_upvalueindex(1));

    return vm ? vm : alua_vm_of(L);
}

LuaVM *alua_vm_of(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_guard);
    LuaVM *vm = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return vm;
}

void vm_check_thread(lua_State *L, LuaVM *vm)
{
    if (!pthread_equal(pthread_self(), vm->priv->thread)) {
        luaL_error(L, "aio: called from another thread than the one that "
                      "opened this Lua state's VM");
    }
}

void alua_setfuncs(lua_State *L, const luaL_Reg *funcs)
{
    lua_pushlightuserdata(L, alua_vm_of(L));
    luaL_setfuncs(L, funcs, 1);
}

void alua_class(lua_State *L, const AluaClass *cls)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, cls) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, cls);
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, cls->name);
    }
    lua_pushstring(L, cls->name);
    lua_setfield(L, -2, "__name");
    if (cls->metamethods) {
        alua_setfuncs(L, cls->metamethods);
    }
    if (cls->methods) {
        lua_newtable(L);
        alua_setfuncs(L, cls->methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
}

void *alua_new(lua_State *L, const AluaClass *cls, size_t size, int uservalues)
{
    return alua_new_of(L, alua_vm(L), cls, size, uservalues);
}

void *alua_new_of(lua_State *L, LuaVM *vm, const AluaClass *cls, size_t size,
                  int uservalues)
{
    if (unlikely(vm->priv->closed)) {
        vm_need_home(L, vm); /* its finalizer would never run */
    }
    AluaObject *o = lua_newuserdatauv(L, size, uservalues);
    memset(o, 0, size);
    o->cls = cls;
    o->vm = vm;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, cls) != LUA_TTABLE) {
        luaL_error(L, "aio: class %s is not registered", cls->name);
    }
    lua_setmetatable(L, -2);
    return o;
}

void *alua_test(lua_State *L, int arg, const AluaClass *cls)
{
    AluaObject *o = lua_touserdata(L, arg);

    /* The length of light userdata is 0. */
    if (!o || lua_rawlen(L, arg) < sizeof(AluaObject)) {
        return NULL;
    }
    return o->cls == cls ? o : NULL;
}

void *alua_check(lua_State *L, int arg, const AluaClass *cls)
{
    void *o = alua_test(L, arg, cls);

    if (!o) {
        luaL_typeerror(L, arg, cls->name);
    }
    return o;
}

/* ---- tracebacks of errors that nobody caught --------------------------------
 */

/*
 * The handler must return the very error value, so the traceback goes to the
 * registry.  Only uncaught errors (and those that cross a scope of ours) come
 * here.  Filed as {value, text}: alua_rethrow() marks it, so that the outer
 * handler keeps the frames where the error really began.
 */
enum { TB_VALUE = 1, TB_TEXT = 2, TB_KEEP = 3 };

int alua_traceback(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_traceback) == LUA_TTABLE) {
        lua_rawgeti(L, -1, TB_KEEP);
        lua_rawgeti(L, -2, TB_VALUE);
        if (lua_toboolean(L, -2) && lua_rawequal(L, -1, 1)) {
            lua_pushnil(L);
            lua_rawseti(L, -4, TB_KEEP);
            lua_settop(L, 1);
            return 1;
        }
    }
    lua_settop(L, 1);
    lua_createtable(L, 3, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, 2, TB_VALUE);
    luaL_traceback(L, L, NULL, 1);
    lua_rawseti(L, 2, TB_TEXT);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_traceback);
    return 1;
}

void alua_file_traceback(lua_State *L)
{
    lua_createtable(L, 3, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, TB_TEXT);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, TB_VALUE);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_traceback);
}

void alua_take_traceback(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_traceback) == LUA_TTABLE) {
        lua_rawgeti(L, -1, TB_TEXT);
        lua_remove(L, -2);
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_traceback);
    }
}

_Noreturn void alua_rethrow(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_traceback) == LUA_TTABLE) {
        lua_pushboolean(L, 1);
        lua_rawseti(L, -2, TB_KEEP);
    }
    lua_pop(L, 1);
    lua_error(L);
    abort();
}

/* ---- where something was created ---------------------------------------- */

int alua_caller(lua_State *L, int level)
{
    lua_Debug ar;

    for (int end = level + 8; level < end && lua_getstack(L, level, &ar);
         level++) {
        lua_getinfo(L, "fl", &ar);
        if (ar.currentline > 0) {
            return ar.currentline;
        }
        lua_pop(L, 1);
    }
    lua_pushboolean(L, 0);
    return 0;
}

void alua_format_origin(lua_State *L, int index, int line, char *buf,
                        size_t size)
{
    lua_Debug ar;

    if (!lua_isfunction(L, index)) {
        snprintf(buf, size, "?");
        return;
    }
    lua_pushvalue(L, index);
    lua_getinfo(L, ">S", &ar);
    snprintf(buf, size, "%s:%d", ar.short_src, line);
}
