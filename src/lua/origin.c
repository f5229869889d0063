/*
 * origin.c - the chain of spawners of a task
 *
 * Spawning looks at the caller's file and line, and finds in a small table of
 * the VM the origin that was made when the same parent last spawned there; only
 * what is new is allocated, and asks Lua for the function's name.
 *
 * A task that spawns its own successor would make an endless chain.  So a chain
 * at its greatest depth takes the nearest ancestor of the same place for the
 * new origin; and when there is none, a new chain begins, which says so.
 *
 * Rule: an origin points up only, hence counting is enough; the table holds one
 * reference to each of its few.
 */
#include "origin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "task_private.h"

enum { SEARCH_LEVELS = 8 }; /* of C functions between us and the Lua function */

/* A place, or (line 0) the name of the task whose children see it. */
struct TaskOrigin {
    TaskOrigin *parent; /* counted, or NULL */
    const char *by;     /* static: what spawned it */
    const char *function;
    unsigned refs;
    int line;
    short depth; /* places from here up */
    bool cut;    /* there were more */
    char text[]; /* the file, then the function; or the name */
};

TaskOrigin *origin_ref(TaskOrigin *o)
{
    if (o) {
        o->refs++;
    }
    return o;
}

/* Ends: each parent is one step nearer to the root. */
void origin_unref(TaskOrigin *o)
{
    while (o && --o->refs == 0) {
        TaskOrigin *parent = o->parent;

        free(o);
        o = parent;
    }
}

void origin_forget_all(LuaVM *vm)
{
    for (int i = 0; i < ORIGINS_KEPT; i++) {
        origin_unref(vm->priv->origins[i]);
        vm->priv->origins[i] = NULL;
    }
}

static TaskOrigin *origin_alloc(size_t text_size, TaskOrigin *parent)
{
    TaskOrigin *o = calloc(1, sizeof(*o) + text_size);

    if (o) {
        o->refs = 1;
        o->parent = origin_ref(parent);
        o->depth = parent ? parent->depth : 0;
    }
    return o;
}

TaskOrigin *origin_named(TaskOrigin *of, const char *name)
{
    size_t size = strlen(name) + 1;
    TaskOrigin *o = origin_alloc(size, of);

    if (o) {
        memcpy(o->text, name, size);
    }
    return o;
}

const char *origin_name(const TaskOrigin *named)
{
    return named->text;
}

/* ---- where are we? ------------------------------------------------------ */

typedef struct Spawner {
    TaskOrigin *parent;
    const char *by;
} Spawner;

static Spawner spawner_of(const LuaVM *vm)
{
    const LuaTask *t = vm->current;

    if (vm->callback) {
        return (Spawner){.by = vm->callback->kind};
    }
    if (!t) {
        return (Spawner){.by = "the loop"};
    }
    return (Spawner){
        .parent = t->named ? t->named : t->origin,
        .by = t->is_main ? "main task" : "task",
    };
}

/* The first Lua function from level 1 on. */
static bool find_caller(lua_State *L, lua_Debug *ar)
{
    for (int level = 1; level <= SEARCH_LEVELS && lua_getstack(L, level, ar);
         level++) {
        lua_getinfo(L, "Sl", ar);
        if (ar->currentline > 0) {
            return true;
        }
    }
    return false;
}

static bool is_place(const TaskOrigin *o, const lua_Debug *ar)
{
    return o->line == ar->currentline && strcmp(o->text, ar->short_src) == 0;
}

/* ---- new ones ----------------------------------------------------------- */

static void name_function(lua_State *L, lua_Debug *ar, char *buf, size_t size)
{
    lua_getinfo(L, "n", ar);
    if (ar->what[0] == 'm') {
        snprintf(buf, size, "main chunk");
    } else if (ar->namewhat[0] != '\0') {
        snprintf(buf, size, "%s '%s'", ar->namewhat, ar->name);
    } else {
        snprintf(buf, size, "function <%s:%d>", ar->short_src, ar->linedefined);
    }
}

static TaskOrigin *origin_new(lua_State *L, lua_Debug *ar, const Spawner *from)
{
    bool full = from->parent && from->parent->depth >= ORIGIN_DEPTH_MAX;
    char function[120];

    if (full) {
        for (TaskOrigin *o = from->parent; o; o = o->parent) {
            if (is_place(o, ar)) {
                return origin_ref(o);
            }
        }
    }
    name_function(L, ar, function, sizeof(function));
    size_t file_size = strlen(ar->short_src) + 1;
    size_t function_size = strlen(function) + 1;
    TaskOrigin *o =
        origin_alloc(file_size + function_size, full ? NULL : from->parent);
    if (!o) {
        return NULL;
    }
    memcpy(o->text, ar->short_src, file_size);
    memcpy(o->text + file_size, function, function_size);
    o->function = o->text + file_size;
    o->line = ar->currentline;
    o->by = from->by;
    o->depth++;
    o->cut = full;
    return o;
}

TaskOrigin *origin_here(lua_State *L, LuaVM *vm)
{
    Spawner from = spawner_of(vm);
    lua_Debug ar;

    if (!find_caller(L, &ar)) {
        return NULL;
    }
    size_t mix = (uintptr_t)from.parent / 16 + (unsigned)ar.currentline;
    TaskOrigin **kept = &vm->priv->origins[mix % ORIGINS_KEPT];
    TaskOrigin *o = *kept;
    if (likely(o && o->parent == from.parent && o->by == from.by &&
               is_place(o, &ar))) {
        return o;
    }
    o = origin_new(L, &ar, &from);
    if (o) {
        origin_unref(*kept);
        *kept = o;
    }
    return o;
}

/* ---- in words ----------------------------------------------------------- */

void origin_format(const TaskOrigin *o, char *buf, size_t size)
{
    if (o) {
        snprintf(buf, size, "%s:%d", o->text, o->line);
    } else {
        snprintf(buf, size, "?");
    }
}

static void add_place(luaL_Buffer *b, const TaskOrigin *o)
{
    const TaskOrigin *parent = o->parent;
    char line[320];

    snprintf(line, sizeof(line), "\n\t%s:%d: in %s, %s", o->text, o->line,
             o->function, o->by);
    luaL_addstring(b, line);
    if (parent && parent->line == 0) {
        luaL_addstring(b, " '");
        luaL_addstring(b, parent->text);
        luaL_addstring(b, "'");
    }
}

void origin_add_chain(luaL_Buffer *b, const TaskOrigin *o)
{
    bool more = o && o->depth >= ORIGIN_DEPTH_MAX;

    if (o) {
        luaL_addstring(b, "\nspawned at:");
    }
    for (; o; o = o->parent) {
        if (o->line > 0) {
            add_place(b, o);
        }
        more = more || o->cut;
    }
    if (more) {
        luaL_addstring(b, "\n\t...\t(long chains are shortened)");
    }
}
