/*
 * lwait.h - waiting for file descriptors, for the functions that do
 */
#ifndef LWAIT_H
#define LWAIT_H

#include "task.h"

enum { LWAIT_READ = 1, LWAIT_WRITE = 2 };

struct LuaFdWatch;

/* One task that waits for one descriptor; lies on its C stack. */
typedef struct LuaFdWaiter {
    LuaTask *task;
    int want;
    int got;   /* not 0: woken */
    bool gone; /* the descriptor was found closed */
    struct LuaFdWatch *watch;
    struct LuaFdWaiter *prev, *next;
} LuaFdWaiter;

/* "r", "w" or "rw" at @arg, or raises. */
int lwait_check_want(lua_State *L, int arg);

/*
 * lwait_begin: link @w (task and want are set) until lwait_end()
 *
 * After lfdtable_check(L, owner, fd, true), with nothing else in between that
 * could claim @fd.  Returns false without memory.  When it gets ready, w->got
 * is set and the task woken.
 */
bool lwait_begin(LuaContext *owner, int fd, LuaFdWaiter *w);
void lwait_end(LuaFdWaiter *w);
/* Wakes those who wait for @fd as if it were ready; false: nobody does. */
bool lwait_wake(const LuaContext *owner, int fd);
/* Before the loop sleeps: make sure that the descriptors which tasks wait for
 * are what is watched.  For who drives the loop. */
void lwait_settle(LuaVM *vm);
/* Somebody else wants the descriptor: frees @watch when no task waits. */
void lwait_let_go(struct LuaFdWatch *watch);
/* Pushes what a waiter got: "r", "w" or "rw". */
void lwait_push(lua_State *L, int got);

/* Parks until @fd is ready; for what, or 0 when it is late.  Raises. */
int lwait_fd(lua_State *L, int fd, int want, int64_t deadline_ns);

#endif
