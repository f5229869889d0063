/*
 * sharedchan.h - a queue of messages between tasks of any threads
 *
 * Counted; any thread, except that a task waits in its own.
 */
#ifndef SHAREDCHAN_H
#define SHAREDCHAN_H

#include "lcross.h"
#include "task.h"

typedef struct SharedChan SharedChan;

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

#endif
