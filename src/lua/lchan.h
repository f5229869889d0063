/*
 * lchan.h - the two lives of a channel
 *
 * A channel begins in one thread (lchan.c): values stay in its Lua state.  Once
 * it is sent to another thread it is shared (lsharedchan.c) for good: values
 * are messages (lcross.h), also between tasks of one thread.
 */
#ifndef LCHAN_H
#define LCHAN_H

#include "lsync.h"
#include "sharedchan.h"

typedef struct LuaChan {
    AluaObject object;
    lua_Integer capacity;
    lua_Integer head, tail; /* keys of the queued values */
    bool closed;
    bool sharing; /* chan_share() is looking at the queued values */
    WaitQueue getters, putters;
    SharedChan *shared; /* not NULL: the rest is not used any more */
} LuaChan;

extern const AluaClass chan_class;

/* Pushes a new channel; raises when the capacity is negative. */
void chan_push_new(lua_State *L, lua_Integer capacity);

/* Pushes the first queued value and removes it; there is one. */
void chan_take_item(lua_State *L, int arg, LuaChan *self);
int chan_push_closed(lua_State *L); /* nil, "closed", EPIPE */

/* Make the channel at @arg a shared one; raises when it holds what cannot be
 * sent.  Idempotent. */
void chan_share(lua_State *L, int arg);

/* The methods of a shared channel at 1; put: the value at 2, and nothing else
 * on the stack. */
int shared_put(lua_State *L, SharedChan *chan, int64_t deadline);
int shared_get(lua_State *L, SharedChan *chan, int64_t deadline);
int shared_try_put(lua_State *L, SharedChan *chan);
int shared_try_get(lua_State *L, SharedChan *chan);
void lsharedchan_open(lua_State *L);

extern const CrossWords chan_put_words;

#endif
