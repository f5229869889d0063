/*
 * taskslot.c - what keeps the threads and handles of tasks alive
 *
 * The collector looks at a table in one step, and again when it has changed.
 * So the tasks are not in the registry but in tables of a fixed size that are:
 * no step is long, and a change of one task costs a look at its neighbours.
 *
 * A table has all its places from the beginning: writing to one never
 * allocates.  Slots and tables are used again and never given back.
 */
#include <stdlib.h>

#include "task_private.h"

enum { TASKS_PER_TABLE = 128 };

static void make_table(lua_State *L, TaskSlots *slots)
{
    size_t size = (size_t)slots->made + TASKS_PER_TABLE;
    TaskSlot *grown = realloc(slots->free, size * sizeof(*grown));

    if (!grown) {
        luaL_error(L, "not enough memory");
    }
    slots->free = grown;
    luaL_checkstack(L, 2, NULL);
    lua_createtable(L, TASKS_PER_TABLE * TASK_PLACES, 0);
    int table = luaL_ref(L, LUA_REGISTRYINDEX);
    for (int i = TASKS_PER_TABLE - 1; i >= 0; i--) {
        slots->free[slots->free_count++] = (TaskSlot){
            .table = table,
            .base = i * TASK_PLACES,
        };
    }
    slots->made += TASKS_PER_TABLE;
}

TaskSlot taskslot_take(lua_State *L, LuaVM *vm)
{
    TaskSlots *slots = &vm->priv->task_slots;

    if (slots->free_count == 0) {
        make_table(L, slots);
    }
    return slots->free[--slots->free_count];
}

void taskslot_give(lua_State *L, LuaVM *vm, TaskSlot slot)
{
    TaskSlots *slots = &vm->priv->task_slots;

    for (int place = 1; place <= TASK_PLACES; place++) {
        lua_pushnil(L);
        taskslot_set(L, slot, place);
    }
    slots->free[slots->free_count++] = slot;
}

void taskslot_free_all(LuaVM *vm)
{
    free(vm->priv->task_slots.free);
    vm->priv->task_slots = (TaskSlots){0};
}
