/*
 * lremote.h - what a bottom half and its remote proxies share
 *
 * A Remote is a counted object between threads.  It never touches the LuaBH
 * from elsewhere: a proxy schedules the QEMUBH under the lock, and closing the
 * bh takes the QEMUBH away under the same lock.
 */
#ifndef LREMOTE_H
#define LREMOTE_H

#include "alua.h"

typedef struct Remote Remote;

/* @idle: called in the home thread when the last proxy is gone, wherever it
 * was; not after remote_detach().  NULL: no memory. */
Remote *remote_new(LuaVM *vm, QEMUBH *bh, void (*idle)(void *opaque),
                   void *opaque);
/* The bh is closed: drops the caller's reference. */
void remote_detach(Remote *remote);
/* Home: is there a proxy, or is the bh scheduled?  It is not closed. */
bool remote_is_live(Remote *remote);
/* Pushes a proxy; the bh at @arg is kept alive by it. */
void remote_push(lua_State *L, Remote *remote, int arg);

void lremote_open(lua_State *L);

#endif
