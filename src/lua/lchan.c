/*
 * lchan.c - class aio.chan: a queue of values between tasks
 *
 * User value 1 is a table with the queued values under the keys head..tail-1.
 * A waiting task's value travels over its own Lua stack: a getter gets it moved
 * onto the top of the lua_State it parked on, a putter keeps its value there
 * until somebody takes it.  That is sound because a parked lua_State does
 * not run, and needs no allocation.
 *
 * Getters wait only while nothing is queued and no putter waits; putters wait
 * only while the queue is full.  Both queues are FIFO.
 *
 * @at: the channel's index on the stack.  What happens when a channel is sent
 * to another thread: lchan.h.
 */
#include <errno.h>

#include "lchan.h"

enum { UV_ITEMS = 1 };
static LuaChan *chan_check(lua_State *L)
{
    return alua_check(L, 1, &chan_class);
}

static lua_Integer chan_count(const LuaChan *self)
{
    return self->shared ? sharedchan_count(self->shared)
                        : self->tail - self->head;
}

static bool chan_is_shut(const LuaChan *self)
{
    return self->shared ? sharedchan_is_closed(self->shared) : self->closed;
}

int chan_push_closed(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    lua_pushinteger(L, EPIPE);
    return 3;
}

/* Pops a value and queues it at the end (or, @again, at the front). */
static void items_add(lua_State *L, LuaChan *self, int at, bool again)
{
    lua_getiuservalue(L, at, UV_ITEMS);
    lua_insert(L, -2);
    lua_rawseti(L, -2, again ? self->head - 1 : self->tail);
    lua_pop(L, 1);
    if (again) {
        self->head--;
    } else {
        self->tail++;
    }
}

void chan_take_item(lua_State *L, int arg, LuaChan *self)
{
    lua_getiuservalue(L, arg, UV_ITEMS);
    lua_rawgeti(L, -1, self->head);
    lua_pushnil(L);
    lua_rawseti(L, -3, self->head);
    lua_remove(L, -2);
    self->head++;
    if (self->head == self->tail) {
        self->head = self->tail = 1; /* stay in the table's array part */
    }
}

/* Moves the value of a waiting putter to the top of @L. */
static void take_from(lua_State *L, const LuaSyncWait *putter)
{
    lua_pushvalue(putter->L, putter->value ? putter->value : -1);
    lua_xmove(putter->L, L, 1);
}

/* Hands the value on top to a waiting getter or queues it; pops it if so. */
static bool chan_offer(lua_State *L, LuaChan *self, int at)
{
    LuaSyncWait *getter = lsync_give(&self->getters);

    if (getter) {
        lua_xmove(L, getter->L, 1);
        return true;
    }
    if (chan_count(self) < self->capacity) {
        items_add(L, self, at, false);
        return true;
    }
    return false;
}

/* Room was made: queue the value of the first waiting putter.  Its place is
 * made before, which may raise: then the putter still waits. */
static void chan_admit(lua_State *L, LuaChan *self, int at)
{
    if (!self->putters.head || chan_count(self) >= self->capacity) {
        return;
    }
    lua_pushboolean(L, true);
    items_add(L, self, at, false);
    self->tail--;
    LuaSyncWait *putter = lsync_give(&self->putters);
    lua_getiuservalue(L, at, UV_ITEMS);
    if (putter) {
        take_from(L, putter);
        self->tail++;
    } else {
        lua_pushnil(L); /* another thread has served the only one */
    }
    lua_rawseti(L, -2, self->tail - (putter != NULL));
    lua_pop(L, 1);
}

/* Pushes the next value, if there is one. */
static bool chan_take(lua_State *L, LuaChan *self, int at)
{
    if (chan_count(self) > 0) {
        chan_take_item(L, at, self);
        chan_admit(L, self, at);
        return true;
    }
    LuaSyncWait *putter = lsync_give(&self->putters); /* straight across */
    if (putter) {
        take_from(L, putter);
        return true;
    }
    return false;
}

static void check_value(lua_State *L)
{
    luaL_argcheck(L, !lua_isnoneornil(L, 2), 2,
                  "a channel cannot carry nil, which means its end");
}

void chan_push_new(lua_State *L, lua_Integer capacity)
{
    luaL_argcheck(L, capacity >= 0, 1, "capacity must not be negative");
    LuaChan *self = alua_new(L, &chan_class, sizeof(*self), 1);
    lua_newtable(L);
    lua_setiuservalue(L, -2, UV_ITEMS);
    self->capacity = capacity;
    self->head = self->tail = 1;
}

/**
 * class Chan (chan)
 *
 * A queue of values between tasks.
 */

/**
 * sync.chan(n?: integer) -> Chan
 *
 * A channel that holds `n` values (0 by default: each `put` waits until its
 * value is taken). Values are anything but `nil`.
 */
static int chan_new(lua_State *L)
{
    chan_push_new(L, luaL_optinteger(L, 1, 0));
    return 1;
}

/**
 * chan:put(v: any, sec?: aio.Wait) -> true!
 *
 * Parks while it is full. `nil, "closed", EPIPE` once it is closed.
 */
static int chan_put(lua_State *L)
{
    LuaChan *self = chan_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 3));
    LuaSyncWait wait;

    check_value(L);
    if (self->shared) {
        lua_settop(L, 2);
        return shared_put(L, self->shared, deadline);
    }
    LuaTask *task = task_check_can_park(L);
    if (self->closed) {
        return chan_push_closed(L);
    }
    lua_settop(L, 2);
    if (chan_offer(L, self, 1)) {
        lua_pushboolean(L, true);
        return 1;
    }
    ParkResult why = lsync_wait(L, &self->putters, &wait, task, deadline);
    if (why == PARK_CANCELLED && !wait.given) { /* else it has been put */
        lsync_throw(L, task, &wait);
    }
    if (wait.closed) {
        return chan_push_closed(L);
    }
    if (wait.moved) {
        return shared_put(L, self->shared, deadline);
    }
    if (!wait.given) {
        return alua_timeout(L);
    }
    lua_pushboolean(L, true);
    return 1;
}

/* The value on top was handed to a getter that will not return it: the next
 * waiting getter gets it, or it becomes the first in the queue again. */
static void chan_pass_on(lua_State *L, LuaChan *self, int at)
{
    LuaSyncWait *getter = lsync_give(&self->getters);

    if (getter) {
        lua_xmove(L, getter->L, 1);
    } else {
        items_add(L, self, at, true);
    }
}

/**
 * chan:get(sec?: aio.Wait) -> any, string?, integer?
 *
 * The next value. Parks while it is empty. `nil` alone once it is closed and
 * empty.
 */
static int chan_get(lua_State *L)
{
    LuaChan *self = chan_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));
    LuaSyncWait wait;

    if (self->shared) {
        return shared_get(L, self->shared, deadline);
    }
    LuaTask *task = task_check_can_park(L);
    lua_settop(L, 1);
    if (chan_take(L, self, 1)) {
        return 1;
    }
    if (self->closed) {
        lua_pushnil(L);
        return 1;
    }
    ParkResult why = lsync_wait(L, &self->getters, &wait, task, deadline);
    if (why == PARK_CANCELLED) {
        if (wait.given) {
            chan_pass_on(L, self, 1);
        }
        lsync_throw(L, task, &wait);
    }
    if (wait.given) {
        return 1; /* moved onto our stack by the putter */
    }
    if (wait.closed) {
        lua_pushnil(L);
        return 1;
    }
    return wait.moved ? shared_get(L, self->shared, deadline) : alua_timeout(L);
}

/**
 * chan:try_put(v: any) -> boolean!
 *
 * Was there room? Never parks. `nil, "closed", EPIPE` once it is closed.
 */
static int chan_try_put(lua_State *L)
{
    LuaChan *self = chan_check(L);

    check_value(L);
    lua_settop(L, 2);
    if (self->shared) {
        return shared_try_put(L, self->shared);
    }
    if (self->closed) {
        return chan_push_closed(L);
    }
    lua_pushboolean(L, chan_offer(L, self, 1));
    return 1;
}

/**
 * chan:try_get() -> any
 *
 * The next value, or `nil` when there is none now. Never parks.
 */
static int chan_try_get(lua_State *L)
{
    LuaChan *self = chan_check(L);

    lua_settop(L, 1);
    if (self->shared) {
        return shared_try_get(L, self->shared);
    }
    if (!chan_take(L, self, 1)) {
        lua_pushnil(L);
    }
    return 1;
}

/* A generic for passes the last value too, which is no timeout. */
static int chan_next(lua_State *L)
{
    lua_settop(L, 1);
    return chan_get(L);
}

/**
 * chan:iter() -> fun(): any
 *
 * An iterator over `get`, until the channel is closed.
 */
static int chan_iter(lua_State *L)
{
    chan_check(L);
    lua_pushvalue(L, lua_upvalueindex(1)); /* the VM, as for methods */
    lua_pushcclosure(L, chan_next, 1);
    lua_pushvalue(L, 1);
    return 2;
}

/**
 * chan:close()
 *
 * What is in it can still be taken; tasks that wait in `put` or `get` return.
 * May be called twice.
 */
static int chan_close(lua_State *L)
{
    LuaChan *self = chan_check(L);
    WaitQueue *queues[] = {&self->getters, &self->putters};

    if (self->shared) {
        sharedchan_close(self->shared);
        return 0;
    }
    self->closed = true;
    for (int i = 0; i < 2; i++) {
        Waiter *w;
        while ((w = waitq_wake_one(queues[i]))) {
            ((LuaSyncWait *)w->slot)->closed = true;
        }
    }
    return 0;
}

/* ---- as a case of select(): @value 0 gets, else puts what lies there ---- */

static int source_try(lua_State *L, void *source, int at, int value)
{
    LuaChan *self = source;

    if (!value) {
        if (!chan_take(L, self, at)) {
            if (!self->closed) {
                return -1;
            }
            lua_pushnil(L);
        }
        return 1;
    }
    if (self->closed) {
        return chan_push_closed(L);
    }
    lua_pushvalue(L, value);
    if (!chan_offer(L, self, at)) {
        lua_pop(L, 1);
        return -1;
    }
    lua_pushboolean(L, true);
    return 1;
}

static WaitQueue *source_queue(void *source, int value)
{
    LuaChan *self = source;

    return value ? &self->putters : &self->getters;
}

static int source_finish(lua_State *L, void *source, int at, LuaSyncWait *wait)
{
    if (wait->closed && wait->value) {
        return chan_push_closed(L);
    }
    if (wait->closed) {
        lua_pushnil(L);
    } else if (wait->value) {
        lua_pushboolean(L, true);
    } /* else a putter has moved it onto the top */
    return 1;
}

static bool source_undo(lua_State *L, void *source, int at, LuaSyncWait *wait)
{
    if (wait->value) {
        return false; /* it has been put */
    }
    chan_pass_on(L, source, at);
    return true;
}

const LuaSource chan_source = {
    .try = source_try,
    .queue = source_queue,
    .finish = source_finish,
    .undo = source_undo,
};

/**
 * chan:is_closed() -> boolean
 */
static int chan_is_closed(lua_State *L)
{
    lua_pushboolean(L, chan_is_shut(chan_check(L)));
    return 1;
}

/**
 * #chan -> integer
 *
 * The number of values in it.
 */
static int chan_length(lua_State *L)
{
    lua_pushinteger(L, chan_count(chan_check(L)));
    return 1;
}

static int chan_tostring(lua_State *L)
{
    LuaChan *self = chan_check(L);

    lua_pushfstring(L, "aio.chan (%I of %I%s%s)", chan_count(self),
                    self->capacity, self->shared ? ", shared" : "",
                    chan_is_shut(self) ? ", closed" : "");
    return 1;
}

static const luaL_Reg chan_methods[] = {
    {"put", chan_put},
    {"get", chan_get},
    {"try_put", chan_try_put},
    {"try_get", chan_try_get},
    {"iter", chan_iter},
    {"close", chan_close},
    {"is_closed", chan_is_closed},
    {NULL, NULL},
};

/* No __gc: a channel that tasks wait on is reachable from their stacks. */
static const luaL_Reg chan_metamethods[] = {
    {"__close", chan_close},
    {"__len", chan_length},
    {"__tostring", chan_tostring},
    {NULL, NULL},
};

const AluaClass chan_class = {
    .name = "aio.chan",
    .methods = chan_methods,
    .metamethods = chan_metamethods,
};

static const luaL_Reg chan_functions[] = {
    {"chan", chan_new},
    {NULL, NULL},
};

void lchan_open(lua_State *L)
{
    alua_class(L, &chan_class);
    lsharedchan_open(L);
    alua_setfuncs(L, chan_functions);
}
