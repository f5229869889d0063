/*
 * lclock.h - names of clocks in Lua
 */
#ifndef LCLOCK_H
#define LCLOCK_H

#include "alua.h"
#include "qemu/timer.h"

/* The clock called like the string at @arg (nil or none: realtime); raises on
 * an unknown name. */
QEMUClockType lclock_opt(lua_State *L, int arg);

/* The same for the value of an option 'clock' at @index. */
QEMUClockType lclock_field(lua_State *L, int index);

#endif
