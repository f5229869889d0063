/*
 * lstats.h - the counters of a context, as a table
 */
#ifndef LSTATS_H
#define LSTATS_H

#include "vm.h"

void lstats_push(lua_State *L, LuaContext *self);

#endif
