/*
 * lrwlock.c - class aio.rwlock: many readers or one writer
 *
 * Waiters are served first in, first out, readers side by side: a stream of
 * readers cannot keep a writer out, nor the other way round.  A reader that
 * upgrades keeps its lock while it waits to be the only one, ahead of everybody
 * who waits; two of them would wait for each other, so the second is refused.
 *
 * Holders are known by the number of their task (as of aio.mutex), in an array
 * whose size is made sure of before a wait: what is granted allocates nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include "lsync.h"

typedef struct LuaRwlock {
    AluaObject object;
    uint64_t writer;   /* id of a task, 0: none */
    uint64_t *readers; /* ids, in no order */
    size_t reader_count, reader_room;
    size_t waiting; /* tasks in rdlock() and wrlock() */
    WaitQueue waiters;
    WaitQueue upgrader; /* one at most, a reader */
} LuaRwlock;

typedef struct RwWait {
    LuaSyncWait sync;
    bool write;
} RwWait;

static const AluaClass rwlock_class;

static LuaRwlock *rwlock_check(lua_State *L)
{
    return alua_check(L, 1, &rwlock_class);
}

/* ---- holders ------------------------------------------------------------ */

static uint64_t *reader_find(const LuaRwlock *self, uint64_t id)
{
    for (size_t i = self->reader_count; i > 0; i--) {
        if (self->readers[i - 1] == id) {
            return &self->readers[i - 1];
        }
    }
    return NULL;
}

static void reader_remove(LuaRwlock *self, uint64_t *reader)
{
    *reader = self->readers[--self->reader_count];
}

static bool rwlock_is_held(const void *lock, uint64_t owner)
{
    const LuaRwlock *self = lock;

    return self->writer == owner || reader_find(self, owner);
}

/* Room for all holders and waiters, and one more, as readers. */
static void readers_reserve(lua_State *L, LuaRwlock *self)
{
    size_t wanted = self->reader_count + self->waiting + 1;

    if (wanted <= self->reader_room) {
        return;
    }
    size_t room = wanted < 4 ? 4 : wanted * 2;
    uint64_t *readers = realloc(self->readers, room * sizeof(*readers));

    if (!readers) {
        luaL_error(L, "not enough memory for %I readers", (lua_Integer)room);
        return; /* not reached, but clang-tidy does not know */
    }
    self->readers = readers;
    self->reader_room = room;
}

/* ---- granting ----------------------------------------------------------- */

static bool rwlock_has_room(const LuaRwlock *self, bool write)
{
    return !self->writer && !self->upgrader.head &&
           (!write || !self->reader_count);
}

static void rwlock_grant(LuaRwlock *self, uint64_t id, bool write)
{
    if (write) {
        self->writer = id;
    } else {
        self->readers[self->reader_count++] = id;
    }
}

static void upgrade_grant(LuaRwlock *self, uint64_t id)
{
    self->reader_count = 0; /* it was the only one */
    self->writer = id;
}

/* Something has changed: serve whom it is the turn of. */
static void rwlock_admit(LuaRwlock *self)
{
    LuaSyncWait *first = lsync_first(&self->upgrader);

    if (first && self->reader_count == 1) {
        upgrade_grant(self, task_id(first->waiter.task));
        lsync_give(&self->upgrader);
    }
    while ((first = lsync_first(&self->waiters))) {
        bool write = container_of(first, RwWait, sync)->write;

        if (!rwlock_has_room(self, write)) {
            break;
        }
        rwlock_grant(self, task_id(first->waiter.task), write);
        lsync_give(&self->waiters);
    }
}

static void rwlock_release(void *lock, uint64_t owner)
{
    LuaRwlock *self = lock;

    if (self->writer == owner) {
        self->writer = 0;
    } else {
        reader_remove(self, reader_find(self, owner));
    }
    rwlock_admit(self);
}

/* Waits in @queue.  0 when served, or the number of results pushed. */
static int rwlock_wait(lua_State *L, LuaRwlock *self, WaitQueue *queue,
                       bool write, int64_t deadline)
{
    LuaTask *task = self->object.vm->current;
    RwWait wait = {.write = write};

    self->waiting++;
    ParkResult why = lsync_wait(L, queue, &wait.sync, task, deadline);
    self->waiting--;
    if (why == PARK_CANCELLED) {
        if (wait.sync.given && queue == &self->waiters) {
            rwlock_release(self, task_id(task));
        }
        rwlock_admit(self); /* who stood behind us may fit */
        lsync_throw(L, task, &wait.sync);
    }
    if (!wait.sync.given) {
        rwlock_admit(self);
        return alua_timeout(L);
    }
    return 0;
}

/* Returns 0 with the lock taken, or the number of results pushed. */
static int rwlock_take(lua_State *L, LuaRwlock *self, bool write,
                       int64_t deadline)
{
    uint64_t id = task_id(task_check_can_park(L));

    if (rwlock_is_held(self, id)) {
        return luaL_error(L, "rwlock is locked by this task already");
    }
    readers_reserve(L, self);
    if (!self->waiters.head && rwlock_has_room(self, write)) {
        rwlock_grant(self, id, write);
        return 0;
    }
    return rwlock_wait(L, self, &self->waiters, write, deadline);
}

/* ---- methods ------------------------------------------------------------ */

/**
 * class Rwlock (rwlock)
 *
 * Many readers or one writer, served in order.
 */

/**
 * sync.rwlock() -> Rwlock
 */
static int rwlock_new(lua_State *L)
{
    alua_new(L, &rwlock_class, sizeof(LuaRwlock), 0);
    return 1;
}

static int rwlock_lock(lua_State *L, bool write)
{
    LuaRwlock *self = rwlock_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));
    int results = rwlock_take(L, self, write, deadline);

    if (results == 0) {
        lua_pushboolean(L, true);
        results = 1;
    }
    return results;
}

/**
 * rwlock:rdlock(sec?: aio.Wait) -> true!
 *
 * For reading, beside other readers. Parks. Raises when this task has it
 * already.
 */
static int rwlock_rdlock(lua_State *L)
{
    return rwlock_lock(L, false);
}

/**
 * rwlock:wrlock(sec?: aio.Wait) -> true!
 *
 * For writing, alone. Parks. Raises when this task has it already.
 */
static int rwlock_wrlock(lua_State *L)
{
    return rwlock_lock(L, true);
}

static int rwlock_try(lua_State *L, bool write)
{
    LuaRwlock *self = rwlock_check(L);
    uint64_t id = lsync_task_id(self->object.vm);

    if (!id) {
        return luaL_error(L, "an rwlock belongs to a task, and none is "
                             "running");
    }
    readers_reserve(L, self);
    bool ok = !rwlock_is_held(self, id) && !self->waiters.head &&
              rwlock_has_room(self, write);
    if (ok) {
        rwlock_grant(self, id, write);
    }
    lua_pushboolean(L, ok);
    return 1;
}

/**
 * rwlock:try_rdlock() -> boolean
 * rwlock:try_wrlock() -> boolean
 *
 * The same if that needs no wait.
 */
static int rwlock_try_rdlock(lua_State *L)
{
    return rwlock_try(L, false);
}

static int rwlock_try_wrlock(lua_State *L)
{
    return rwlock_try(L, true);
}

static uint64_t check_held(lua_State *L, const LuaRwlock *self)
{
    uint64_t id = lsync_task_id(self->object.vm);

    if (!id || !rwlock_is_held(self, id)) {
        luaL_error(L, "rwlock is not locked by this task");
    }
    return id;
}

/**
 * rwlock:unlock()
 *
 * Raises unless this task has it.
 */
static int rwlock_unlock(lua_State *L)
{
    LuaRwlock *self = rwlock_check(L);

    rwlock_release(self, check_held(L, self));
    return 0;
}

/**
 * rwlock:upgrade(sec?: aio.Wait) -> true!
 *
 * The reader is the writer, and nothing was written in between. Parks until
 * other readers are gone. `nil, message, EDEADLK` when another reader is
 * upgrading: unlock, so that it can. After an error the task is a reader
 * still.
 */
static int rwlock_upgrade(lua_State *L)
{
    LuaRwlock *self = rwlock_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));

    task_check_can_park(L);
    uint64_t id = check_held(L, self);
    if (self->writer) {
        return luaL_error(L, "rwlock is locked for writing already");
    }
    if (self->upgrader.head) {
        return alua_fail(L, EDEADLK, "another reader is upgrading", "upgrade");
    }
    if (self->reader_count > 1) {
        int results = rwlock_wait(L, self, &self->upgrader, true, deadline);

        if (results) {
            return results;
        }
    } else {
        upgrade_grant(self, id);
    }
    lua_pushboolean(L, true);
    return 1;
}

/**
 * rwlock:downgrade()
 *
 * The writer is a reader, others may read too.
 */
static int rwlock_downgrade(lua_State *L)
{
    LuaRwlock *self = rwlock_check(L);
    uint64_t id = check_held(L, self);

    if (self->writer != id) {
        return luaL_error(L, "rwlock is locked for reading only");
    }
    readers_reserve(L, self);
    self->writer = 0;
    rwlock_grant(self, id, false);
    rwlock_admit(self);
    return 0;
}

static const LuaGuardOps rdguard_ops = {
    .lock = "rwlock:rdguard()",
    .is_held = rwlock_is_held,
    .release = rwlock_release,
};

static const LuaGuardOps wrguard_ops = {
    .lock = "rwlock:wrguard()",
    .is_held = rwlock_is_held,
    .release = rwlock_release,
};

static int rwlock_guard(lua_State *L, bool write)
{
    LuaRwlock *self = rwlock_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));

    lguard_push(L, write ? &wrguard_ops : &rdguard_ops);
    int results = rwlock_take(L, self, write, deadline);
    if (results == 0) {
        lguard_set_owner(L, -1, lsync_task_id(self->object.vm));
        results = 1;
    }
    return results;
}

/**
 * rwlock:rdguard(sec?: aio.Wait) -> Guard!
 * rwlock:wrguard(sec?: aio.Wait) -> Guard!
 *
 * `rdlock` or `wrlock`, and `unlock` at the end of the scope.
 */
static int rwlock_rdguard(lua_State *L)
{
    return rwlock_guard(L, false);
}

static int rwlock_wrguard(lua_State *L)
{
    return rwlock_guard(L, true);
}

static int rwlock_tostring(lua_State *L)
{
    const LuaRwlock *self = rwlock_check(L);

    if (self->writer) {
        lua_pushliteral(L, "aio.rwlock (writing)");
    } else {
        lua_pushfstring(L, "aio.rwlock (%I reading)",
                        (lua_Integer)self->reader_count);
    }
    return 1;
}

static int rwlock_gc(lua_State *L)
{
    LuaRwlock *self = rwlock_check(L);

    free(self->readers);
    self->readers = NULL;
    self->reader_room = self->reader_count = 0;
    return 0;
}

static const luaL_Reg rwlock_methods[] = {
    {"rdlock", rwlock_rdlock},         {"wrlock", rwlock_wrlock},
    {"try_rdlock", rwlock_try_rdlock}, {"try_wrlock", rwlock_try_wrlock},
    {"unlock", rwlock_unlock},         {"upgrade", rwlock_upgrade},
    {"downgrade", rwlock_downgrade},   {"rdguard", rwlock_rdguard},
    {"wrguard", rwlock_wrguard},       {NULL, NULL},
};

static const luaL_Reg rwlock_metamethods[] = {
    {"__tostring", rwlock_tostring},
    {"__gc", rwlock_gc},
    {NULL, NULL},
};

static const AluaClass rwlock_class = {
    .name = "aio.rwlock",
    .methods = rwlock_methods,
    .metamethods = rwlock_metamethods,
};

static const luaL_Reg rwlock_functions[] = {
    {"rwlock", rwlock_new},
    {NULL, NULL},
};

void lrwlock_open(lua_State *L)
{
    alua_class(L, &rwlock_class);
    alua_setfuncs(L, rwlock_functions);
}
