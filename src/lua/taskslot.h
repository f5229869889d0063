/*
 * taskslot.h - two places per task, in tables that the registry keeps
 *
 * A live task keeps its handle there, and also a recycled one its Lua thread.
 */
#ifndef TASKSLOT_H
#define TASKSLOT_H

#include "alua.h"

typedef struct TaskSlot {
    int table; /* registry reference */
    int base;  /* its places are base + TASK_HANDLE, base + TASK_THREAD */
} TaskSlot;

enum { TASK_HANDLE = 1, TASK_THREAD, TASK_PLACES = TASK_THREAD };

typedef struct TaskSlots {
    TaskSlot *free; /* a stack with room for all */
    int free_count, made;
} TaskSlots;

/* Both places are nil.  May raise; the slot is not lost then. */
TaskSlot taskslot_take(lua_State *L, LuaVM *vm);
void taskslot_give(lua_State *L, LuaVM *vm, TaskSlot slot); /* empties it */
void taskslot_free_all(LuaVM *vm); /* once nothing is in any */

/* Pops a value into a place; uses two slots of the stack, cannot raise. */
static inline void taskslot_set(lua_State *L, TaskSlot slot, int place)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, slot.table);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, slot.base + place);
    lua_pop(L, 2);
}

/* Pushes what is there; uses two slots. */
static inline void taskslot_get(lua_State *L, TaskSlot slot, int place)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, slot.table);
    lua_rawgeti(L, -1, slot.base + place);
    lua_replace(L, -2);
}

#endif
