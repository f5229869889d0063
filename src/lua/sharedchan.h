/*
 * sharedchan.h - a queue of messages between tasks of any threads
 *
 * Counted; any thread, except that a task waits in its own.
 */
#ifndef SHAREDCHAN_H
#define SHAREDCHAN_H

#include "lcross.h"
#include "task.h"
#include "vmport.h"

typedef struct SharedChan SharedChan;
typedef struct SharedWait SharedWait;

typedef struct SharedWaitList {
    SharedWait *head, *tail;
} SharedWaitList;

/* One wait, on the waiting task's C stack. */
struct SharedWait {
    PortNode node; /* first */
    LuaTask *task;
    VMPort *port;
    SharedClaim *claim; /* of a wait in several queues, or NULL */
    /* The channel's lock: */
    SharedWaitList *list; /* NULL: taken off */
    SharedWait *prev, *next;
    CrossPack *pack; /* what to put; what was got */
    bool decided;
    bool given; /* ... the pack changed hands; else it was closed */
};

typedef enum SharedResult {
    SHARED_OK,
    SHARED_WOULD_WAIT, /* no task was given */
    SHARED_CLOSED,
    SHARED_LATE,
    SHARED_CANCELLED, /* reported: task_throw_cancel() */
} SharedResult;

/* @capacity 0: each message goes straight from a putter to a getter. */
SharedChan *sharedchan_new(lua_Integer capacity);
SharedChan *sharedchan_ref(SharedChan *chan);
void sharedchan_unref(void *chan);

/* @task: who waits until @deadline, or NULL.  Raises nothing.  Unless it is
 * SHARED_OK the message is still the caller's. */
SharedResult sharedchan_put(SharedChan *chan, CrossPack *pack, LuaTask *task,
                            int64_t deadline);
/* SHARED_CLOSED: and empty. */
SharedResult sharedchan_get(SharedChan *chan, CrossPack **pack, LuaTask *task,
                            int64_t deadline);
/* A message that was got and will not be used: for the next one. */
void sharedchan_return(SharedChan *chan, CrossPack *pack);
/* Whatever the capacity. */
void sharedchan_append(SharedChan *chan, CrossPack *pack);

void sharedchan_close(SharedChan *chan);
bool sharedchan_is_closed(SharedChan *chan);
lua_Integer sharedchan_count(SharedChan *chan);
lua_Integer sharedchan_capacity(const SharedChan *chan);

/* ---- sharedselect.c: a wait in several queues --------------------------- */

/*
 * Queue @w of @task under @claim, to put @pack, or to get when it is NULL.  If
 * it can be served at once it is, unless the claim is taken.
 */
void sharedwait_queue(SharedChan *chan, SharedWait *w, LuaTask *task,
                      SharedClaim *claim, CrossPack *pack);
bool sharedwait_is_decided(SharedChan *chan, SharedWait *w);
/* Afterwards nobody else has it; before that the claim was taken. */
void sharedwait_unqueue(SharedChan *chan, SharedWait *w);

#endif
