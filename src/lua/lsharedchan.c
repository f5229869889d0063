/*
 * lsharedchan.c - a channel that other threads have, too: its Lua side
 *
 * Values travel as messages (lcross.h).  The object owns a reference of the
 * SharedChan, hence a metatable with a finalizer, which channels of one thread
 * do without.  A weak table finds the object when a channel comes back.
 */
#include "lchan.h"

#include "sharedchan.h"
#include "task_private.h"

static const char shared_metatable, shared_channels; /* registry keys */

const CrossWords chan_put_words = {.first = "the value"};

/* ---- methods ------------------------------------------------------------ */

static CrossPack *pack_value(lua_State *L)
{
    return cross_pack(L, 1, &chan_put_words);
}

static int put_result(lua_State *L, SharedResult result, CrossPack *pack)
{
    if (result != SHARED_OK) {
        cross_restore(pack);
    }
    switch (result) {
    case SHARED_CLOSED:
        return chan_push_closed(L);
    case SHARED_LATE:
        return alua_timeout(L);
    default:
        lua_pushboolean(L, result == SHARED_OK);
        return 1;
    }
}

int shared_put(lua_State *L, SharedChan *chan, int64_t deadline)
{
    LuaTask *task = task_check_can_park(L);
    CrossPack *pack = cross_pack_held(L, 1, &chan_put_words);
    SharedResult result = sharedchan_put(chan, pack, task, deadline);

    if (result == SHARED_CANCELLED) {
        cross_restore(pack);
        task_throw_cancel(L, task);
    }
    return put_result(L, result, pack);
}

int shared_try_put(lua_State *L, SharedChan *chan)
{
    CrossPack *pack = cross_pack_held(L, 1, &chan_put_words);

    return put_result(L, sharedchan_put(chan, pack, NULL, -1), pack);
}

int shared_get(lua_State *L, SharedChan *chan, int64_t deadline)
{
    LuaTask *task = task_check_can_park(L);
    CrossPack *pack;
    SharedResult result = sharedchan_get(chan, &pack, task, deadline);

    if (result == SHARED_CANCELLED) {
        task_throw_cancel(L, task);
    }
    if (result == SHARED_LATE) {
        return alua_timeout(L);
    }
    if (result == SHARED_CLOSED) {
        lua_pushnil(L);
        return 1;
    }
    if (task_has_pending(task)) { /* lost in a task that unwinds */
        sharedchan_return(chan, pack);
        task_throw_pending(L, task);
    }
    return cross_unpack(L, pack);
}

int shared_try_get(lua_State *L, SharedChan *chan)
{
    CrossPack *pack;

    if (sharedchan_get(chan, &pack, NULL, -1) != SHARED_OK) {
        lua_pushnil(L);
        return 1;
    }
    return cross_unpack(L, pack);
}

/* ---- becoming shared ---------------------------------------------------- */

/* The object at @arg owns a reference, and is found again when the channel
 * comes back to this state. */
static void adopt(lua_State *L, int arg, SharedChan *chan)
{
    LuaChan *self = lua_touserdata(L, arg);

    lua_rawgetp(L, LUA_REGISTRYINDEX, &shared_channels);
    lua_pushvalue(L, arg);
    lua_rawsetp(L, -2, chan);
    lua_pop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &shared_metatable);
    lua_setmetatable(L, arg);
    self->shared = chan;
}

/* Protected: channel, shared channel. */
static int move_items(lua_State *L)
{
    LuaChan *self = lua_touserdata(L, 1);
    SharedChan *chan = lua_touserdata(L, 2);
    lua_Integer n = self->tail - self->head;

    lua_getiuservalue(L, 1, 1);
    for (lua_Integer i = self->head; i < self->tail; i++) {
        lua_rawgeti(L, 3, i);
        cross_check(L, 1, &chan_put_words);
        lua_pop(L, 1);
    }
    for (; n > 0; n--) {
        chan_take_item(L, 1, self);
        sharedchan_append(chan, pack_value(L));
        lua_pop(L, 1);
    }
    adopt(L, 1, chan);
    return 0;
}

/* They go on waiting, in the same order, for the shared one. */
static void move_waiters(WaitQueue *q)
{
    Waiter *w;

    while ((w = waitq_wake_one(q))) {
        ((LuaSyncWait *)w->slot)->moved = true;
    }
}

void chan_share(lua_State *L, int arg)
{
    LuaChan *self = lua_touserdata(L, arg);

    if (self->shared) {
        return;
    }
    if (self->sharing) {
        luaL_error(L, "a channel that is in its own queue cannot be sent to "
                      "another thread: take it out first");
    }
    luaL_checkstack(L, 4, NULL);
    SharedChan *chan = sharedchan_new(self->capacity);
    self->sharing = true;
    if (self->closed) {
        sharedchan_close(chan);
    }
    lua_pushcfunction(L, move_items);
    lua_pushvalue(L, arg);
    lua_pushlightuserdata(L, chan);
    int status = lua_pcall(L, 2, 0, 0);
    self->sharing = false;
    if (status != LUA_OK) {
        self->shared = NULL;
        sharedchan_unref(chan);
        lua_error(L);
    }
    move_waiters(&self->getters);
    move_waiters(&self->putters);
}

/* ---- to other threads --------------------------------------------------- */

static void *chan_take(lua_State *L, int arg, const char **why)
{
    LuaChan *self = lua_touserdata(L, arg);

    chan_share(L, arg);
    return sharedchan_ref(self->shared);
}

static void chan_arrive(lua_State *L, CrossObject *o)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &shared_channels);
    if (lua_rawgetp(L, -1, o->what) == LUA_TUSERDATA) {
        sharedchan_unref(o->what);
    } else {
        LuaChan *self = alua_new(L, &chan_class, sizeof(*self), 1);

        self->capacity = sharedchan_capacity(o->what);
        adopt(L, lua_gettop(L), o->what);
        lua_remove(L, -2);
    }
    lua_remove(L, -2);
    o->what = NULL;
}

const CrossClass chan_cross = {
    .cls = &chan_class,
    .take = chan_take,
    .arrive = chan_arrive,
    .drop = sharedchan_unref,
};

static int shared_gc(lua_State *L)
{
    LuaChan *self = lua_touserdata(L, 1);
    SharedChan *chan = self->shared;

    if (chan) {
        self->shared = NULL;
        self->closed = true;
        sharedchan_unref(chan);
    }
    return 0;
}

/* The metatable of shared channels: the ordinary one, and a finalizer. */
void lsharedchan_open(lua_State *L)
{
    lua_newtable(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &chan_class);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -5);
    }
    lua_pop(L, 1);
    lua_pushcfunction(L, shared_gc);
    lua_setfield(L, -2, "__gc");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &shared_metatable);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &shared_channels);
}
