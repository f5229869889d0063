/*
 * lselect.h - what the files of aio.select share
 *
 *   lselect.c        trying, waiting
 *   lselectread.c    the cases that a script gave
 *   lselectshared.c  cases that are channels of several threads
 */
#ifndef LSELECT_H
#define LSELECT_H

#include "lchan.h"
#include "lwait.h"

enum { SELECT_SLOTS = 3 };

typedef struct SelectMessage SelectMessage;

/* On the Lua stack each case has three slots: key, source, and what is put. */
typedef struct SelectCase {
    const LuaSource *source; /* NULL: a descriptor, or (fd < 0) seconds */
    void *object;
    int at;    /* where the source is on the stack; its key is below it */
    int value; /* where what is put is; 0: nothing is */
    int fd;
    int64_t timeout;
    LuaSyncWait wait;
    LuaFdWaiter fd_wait;

    SharedChan *chan; /* the source is a channel of several threads */
    SharedWait shared;
    SelectMessage *message; /* to be put there, or NULL */
} SelectCase;

/* ---- lselectread.c ------------------------------------------------------ */

/* How many cases the table at 1 has. */
int select_count(lua_State *L);
/* The list first, in its order: that is the order of precedence. */
void select_read(lua_State *L, SelectCase *cases);

/* ---- lselectshared.c ---------------------------------------------------- */

void select_open_class(lua_State *L);
/* The value to put becomes a message.  False: the error is on top. */
bool select_pack(lua_State *L, SelectCase *c);
/* The message goes back, unless it was put. */
void select_unpack(SelectCase *c);
/* Serve it at once, if that is possible: then c->shared says how. */
bool select_try_shared(SelectCase *c);
void select_queue_shared(SelectCase *c, LuaTask *task, SharedClaim *claim);
/* Pushes the results of one that was served or is closed; their count. */
int select_finish_shared(lua_State *L, SelectCase *c, LuaTask *task);

#endif
