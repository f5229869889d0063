/*
 * lparams.h - the settings of a context
 */
#ifndef LPARAMS_H
#define LPARAMS_H

#include "vm.h"

/* The keys that lparams_apply() knows, NULL-ended. */
extern const char *const lparams_keys[];

/* Push a table of all settings. */
void lparams_push(lua_State *L, LuaContext *self);

/*
 * lparams_apply: apply the table at @arg
 *
 * A wrong value raises.  A monitor that cannot be used on this machine is an
 * operational error: returns false, with nil, message, errno pushed.
 */
bool lparams_apply(lua_State *L, int arg, LuaContext *self);

#endif
