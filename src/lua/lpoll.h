/*
 * lpoll.h - one iteration of a loop, asked for by a script
 */
#ifndef LPOLL_H
#define LPOLL_H

#include "vm.h"

/* Run one iteration of @c from wherever the caller is; true on progress. */
bool lpoll_iteration(lua_State *L, LuaContext *c, bool blocking);

#endif
