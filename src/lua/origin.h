/*
 * origin.h - where a task was spawned, by whom, and where that was spawned
 *
 * An origin is immutable and counted.  It names a place (file, line, function)
 * and has the origin of the task that spawned there for its parent, so that the
 * chain of spawners outlives the spawners and keeps nothing else of them.
 * Tasks spawned alike share one.  Home thread only.
 */
#ifndef ORIGIN_H
#define ORIGIN_H

#include "vm_private.h"

typedef struct TaskOrigin TaskOrigin;

/* The chain keeps so many places; those of longer ones fall together. */
enum { ORIGIN_DEPTH_MAX = 16 };

/*
 * origin_here: of a task that the running Lua function spawns
 * Borrowed: take a reference before anything else is spawned.  NULL when there
 * is no Lua function, or no memory.
 */
TaskOrigin *origin_here(lua_State *L, LuaVM *vm);

/* @of (may be NULL), for the children of a task of this name; a reference, or
 * NULL: no memory. */
TaskOrigin *origin_named(TaskOrigin *of, const char *name);
const char *origin_name(const TaskOrigin *named);

TaskOrigin *origin_ref(TaskOrigin *o); /* may be NULL */
void origin_unref(TaskOrigin *o);
/* What the VM keeps of places it has seen. */
void origin_forget_all(LuaVM *vm);

/* "f.lua:12", or "?" of NULL. */
void origin_format(const TaskOrigin *o, char *buf, size_t size);
/* "\nspawned at:\n\tf.lua:12: in function 'x', task 'y'\n\t..."; nothing of
 * NULL. */
void origin_add_chain(luaL_Buffer *b, const TaskOrigin *o);

#endif
