/*
 * lhist.h - class aio.hist, for what counts in C
 */
#ifndef LHIST_H
#define LHIST_H

#include <lua.h>

#include "hist.h"

/* Pushes an aio.hist that has counted what @h has. */
void lhist_push(lua_State *L, const Hist *h);

#endif
