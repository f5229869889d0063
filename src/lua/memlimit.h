/*
 * memlimit.h - a bound on what all Lua states of the process use together
 */
#ifndef MEMLIMIT_H
#define MEMLIMIT_H

#include <lauxlib.h>
#include <lua.h>
#include <stddef.h>

/* Before the first state; 0: no limit. */
void memlimit_set(size_t bytes);
size_t memlimit_get(void);

/* luaL_newstate(), within the limit. */
lua_State *memlimit_newstate(void);

#endif
