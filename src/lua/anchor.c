/*
 * anchor.c - the table of what the loop may still call
 *
 * One registry table with integer keys.  Free slots are kept on a C stack whose
 * size is ensured when a slot is handed out, so giving one back neither
 * allocates nor raises and may happen anywhere.
 */
#include <stdlib.h>

#include "vm_private.h"

void anchor_init(lua_State *L, LuaVM *vm)
{
    lua_createtable(L, 64, 0);
    vm->priv->anchor_table = luaL_ref(L, LUA_REGISTRYINDEX);
}

int anchor_count(const LuaVM *vm)
{
    return vm->priv->anchor_next - vm->priv->anchor_free_count;
}

static int anchor_take(lua_State *L, LuaVMPrivate *priv)
{
    if (priv->anchor_free_count > 0) {
        return priv->anchor_free[--priv->anchor_free_count];
    }
    if (priv->anchor_next == priv->anchor_free_size) {
        int size = priv->anchor_free_size ? priv->anchor_free_size * 2 : 64;
        int *grown = realloc(priv->anchor_free, (size_t)size * sizeof(int));

        if (!grown) {
            luaL_error(L, "not enough memory");
        }
        priv->anchor_free = grown;
        priv->anchor_free_size = size;
    }
    return ++priv->anchor_next;
}

void alua_anchor(lua_State *L, int index)
{
    AluaObject *o = lua_touserdata(L, index);

    if (!o->anchor) {
        luaL_checkstack(L, 3, NULL);
        lua_pushvalue(L, index);
        alua_anchor_top(L, o);
        lua_pop(L, 1);
    }
}

void alua_anchor_top(lua_State *L, AluaObject *o)
{
    LuaVMPrivate *priv = o->vm->priv;

    lua_rawgeti(L, LUA_REGISTRYINDEX, priv->anchor_table);
    lua_pushvalue(L, -2);
    int slot = anchor_take(L, priv);
    lua_rawseti(L, -2, slot); /* out of memory loses one slot, no more */
    lua_pop(L, 1);
    o->anchor = slot;
}

void alua_unanchor(lua_State *L, AluaObject *o)
{
    LuaVMPrivate *priv = o->vm->priv;

    if (!o->anchor) {
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, priv->anchor_table);
    lua_pushboolean(L, 0); /* not nil: the slot stays in the array part */
    lua_rawseti(L, -2, o->anchor);
    lua_pop(L, 1);
    priv->anchor_free[priv->anchor_free_count++] = o->anchor;
    o->anchor = 0;
}

void alua_pushanchored(lua_State *L, AluaObject *o)
{
    CHECK(o->anchor != 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, o->vm->priv->anchor_table);
    lua_rawgeti(L, -1, o->anchor);
    lua_remove(L, -2);
}
