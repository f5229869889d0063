/*
 * lstats.h - the counters of a context, as a table
 */
#ifndef LSTATS_H
#define LSTATS_H

#include "aioctl/context.h"
#include "vm.h"

void lstats_push(lua_State *L, LuaContext *self);

/* The counters from @before to @now; of those that are no sums, as they are. */
void lstats_push_since(lua_State *L, const AioContextStats *now,
                       const AioContextStats *before);

#endif
