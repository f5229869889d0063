/*
 * anchor.c - what the loop may still call, kept alive
 *
 * Two registry tables with integer keys: one of handles, each followed by its
 * callback (user value 1), so that the door has both at hand, and one of all
 * other objects.  Free slots are kept on a C stack whose size is ensured when a
 * slot is handed out, so giving one back neither allocates nor raises and may
 * happen anywhere.
 */
#include <stdlib.h>

#include "vm_private.h"

void anchor_init(lua_State *L, LuaVM *vm)
{
    Anchors *sets[] = {&vm->priv->handles, &vm->priv->objects};

    for (int i = 0; i < 2; i++) {
        lua_createtable(L, 64, 0);
        sets[i]->table = luaL_ref(L, LUA_REGISTRYINDEX);
    }
}

void anchor_free(LuaVM *vm)
{
    free(vm->priv->handles.free);
    free(vm->priv->objects.free);
    vm->priv->handles.free = vm->priv->objects.free = NULL;
}

int anchor_count(const LuaVM *vm)
{
    const LuaVMPrivate *priv = vm->priv;

    return priv->handles.next - priv->handles.free_count + priv->objects.next -
           priv->objects.free_count;
}

static inline Anchors *anchors_of(const AluaObject *o)
{
    LuaVMPrivate *priv = o->vm->priv;

    return o->cls->is_handle ? &priv->handles : &priv->objects;
}

static void make_room(lua_State *L, Anchors *a)
{
    int size = a->free_size ? a->free_size * 2 : 64;
    int *grown = realloc(a->free, (size_t)size * sizeof(int));

    if (!grown) {
        luaL_error(L, "not enough memory");
    }
    a->free = grown;
    a->free_size = size;
}

static int anchor_take(lua_State *L, Anchors *a)
{
    if (a->free_count > 0) {
        return a->free[--a->free_count];
    }
    if (a->next == a->free_size) {
        make_room(L, a);
    }
    return ++a->next;
}

void alua_anchor(lua_State *L, int index)
{
    AluaObject *o = lua_touserdata(L, index);

    if (!o->anchor) {
        luaL_checkstack(L, 4, NULL);
        lua_pushvalue(L, index);
        alua_anchor_top(L, o);
        lua_pop(L, 1);
    }
}

/* Not nil, so that the slot stays in the array part. */
static void push_callback(lua_State *L, int index)
{
    if (lua_getiuservalue(L, index, 1) <= LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushboolean(L, 0);
    }
}

void alua_anchor_top(lua_State *L, AluaObject *o)
{
    Anchors *a = anchors_of(o);

    /* Out of memory loses one slot, no more. */
    lua_rawgeti(L, LUA_REGISTRYINDEX, a->table);
    int slot = anchor_take(L, a);
    if (o->cls->is_handle) {
        push_callback(L, -2);
        lua_rawseti(L, -2, anchor_callback_key(slot));
        lua_pushvalue(L, -2);
        lua_rawseti(L, -2, anchor_handle_key(slot));
    } else {
        lua_pushvalue(L, -2);
        lua_rawseti(L, -2, slot);
    }
    lua_pop(L, 1);
    o->anchor = slot;
}

void alua_refresh(lua_State *L, int index)
{
    AluaObject *o = lua_touserdata(L, index);

    if (o->anchor) {
        lua_pushvalue(L, index);
        lua_rawgeti(L, LUA_REGISTRYINDEX, anchors_of(o)->table);
        push_callback(L, -2);
        lua_rawseti(L, -2, anchor_callback_key(o->anchor));
        lua_pop(L, 2);
    }
}

void anchor_clear(lua_State *L, int table, AluaObject *o)
{
    Anchors *a = anchors_of(o);

    if (o->cls->is_handle) {
        lua_pushboolean(L, 0);
        lua_rawseti(L, table, anchor_callback_key(o->anchor));
        lua_pushboolean(L, 0);
        lua_rawseti(L, table, anchor_handle_key(o->anchor));
    } else {
        lua_pushboolean(L, 0);
        lua_rawseti(L, table, o->anchor);
    }
    a->free[a->free_count++] = o->anchor;
    o->anchor = 0;
}

void alua_unanchor(lua_State *L, AluaObject *o)
{
    if (o->anchor) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, anchors_of(o)->table);
        anchor_clear(L, lua_gettop(L), o);
        lua_pop(L, 1);
    }
}

void alua_pushanchored(lua_State *L, AluaObject *o)
{
    CHECK(o->anchor != 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, anchors_of(o)->table);
    lua_rawgeti(L, -1,
                o->cls->is_handle ? anchor_handle_key(o->anchor) : o->anchor);
    lua_remove(L, -2);
}
