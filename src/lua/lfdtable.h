/*
 * lfdtable.h - who watches which file descriptor of a context
 *
 * The core has one handler per descriptor and replaces it silently.  Here a
 * second user of the same descriptor gets an error that names the first.
 */
#ifndef LFDTABLE_H
#define LFDTABLE_H

#include "vm.h"

struct LuaFdWatch; /* tasks waiting for a descriptor: lwait.c */

/*
 * lfdtable_check: raise unless @fd may be watched
 *
 * A handler excludes everything else; tasks may wait together (@waiting).
 * Makes room in the table, so that a claim right after it cannot fail.
 */
void lfdtable_check(lua_State *L, LuaContext *c, int fd, bool waiting);

/* @fd belongs to @h, or to the tasks of @watch; after lfdtable_check(). */
void lfdtable_claim(LuaContext *c, int fd, const LuaHandle *h);
void lfdtable_claim_watch(LuaContext *c, int fd, struct LuaFdWatch *watch);

/* The waiting tasks of @fd, or NULL. */
struct LuaFdWatch *lfdtable_watch(const LuaContext *c, int fd);

/*
 * lfdtable_claim_shy: @fd is watched by somebody who gives way
 * @yield: lets go of the descriptor (with lfdtable_drop()), or returns false
 *         because tasks wait
 *
 * Returns: false when the descriptor is watched already, or without memory;
 * lfdtable_check() then raises for the former.
 */
typedef bool LuaFdYield(void *opaque);
bool lfdtable_claim_shy(LuaContext *c, int fd, LuaFdYield *yield, void *opaque);

/* Has it a handler, or does a task wait for it?  Not a shy one. */
bool lfdtable_is_used(const LuaContext *c, int fd);

/* Nobody watches @fd any more. */
void lfdtable_drop(LuaContext *c, int fd);

/* Free the table; closing a context does. */
void lfdtable_free(LuaContext *c);

#endif
