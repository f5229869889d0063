/*
 * lpolicy.h - policies: scripts that steer a context
 */
#ifndef LPOLICY_H
#define LPOLICY_H

#include <lua.h>

/*
 * ctx:policy{name=, every=sec, decide=fn, poll_ns=fn, set={...}} -> ctx
 * ctx:policy(nil) -> ctx: remove it; ctx:policy() -> its name, or nil
 */
int lpolicy_method(lua_State *L);

#endif
