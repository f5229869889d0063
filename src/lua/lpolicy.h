/*
 * lpolicy.h - policies: scripts that steer a context
 */
#ifndef LPOLICY_H
#define LPOLICY_H

#include "vm.h"

/*
 * ctx:policy(table | nil) -> ctx; ctx:policy() -> name, or nil
 * @owner: argument 1, open.  The policy is kept in its user value @uservalue.
 */
int lpolicy_method(lua_State *L, LuaContext *owner, int uservalue);

#endif
