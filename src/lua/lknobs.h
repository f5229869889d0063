/*
 * lknobs.h - settings that something changes for a time, and gives back
 */
#ifndef LKNOBS_H
#define LKNOBS_H

#include "aioctl/context.h"
#include "vm.h"

enum { KNOBS = 6, FDMON_NAME_MAX = 16 };

/* A zeroed one has changed nothing. */
typedef struct Knobs {
    AioContextParams before;    /* of what was changed ... */
    bool changed[KNOBS];        /* ... which is this */
    char fdmon[FDMON_NAME_MAX]; /* the monitor before; "": not changed */
} Knobs;

/* Raises unless a table with settings as keys is at @index.  @whose: what the
 * message calls the table. */
void knobs_check(lua_State *L, int index, const char *whose);

/* Checks and applies the table at @index; raises what is wrong with it. */
void knobs_apply(lua_State *L, Knobs *self, LuaContext *owner, int index,
                 const char *whose);

/* Only what was changed, to what it was. */
void knobs_restore(const Knobs *self, AioContext *ctx);

#endif
