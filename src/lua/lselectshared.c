/*
 * lselectshared.c - cases of aio.select that are channels of several threads
 *
 * What is to be put is packed once, before it is first tried, and what moved
 * with it goes back if another case is served or something raises.  The message
 * belongs to a Lua object that has the slot of the value.
 */
#include "lselect.h"
#include "task_private.h"

struct SelectMessage {
    AluaObject object;
    CrossPack *pack; /* NULL: not ours any more */
};

/* Only when memory is out: else it was put or went back. */
static int message_gc(lua_State *L)
{
    SelectMessage *message = lua_touserdata(L, 1);

    cross_free(message->pack);
    message->pack = NULL;
    return 0;
}

static const luaL_Reg message_metamethods[] = {
    {"__gc", message_gc},
    {NULL, NULL},
};

static const AluaClass message_class = {
    .name = "aio.select_message",
    .metamethods = message_metamethods,
};

void select_open_class(lua_State *L)
{
    alua_class(L, &message_class);
}

/* Protected: value, VM -> message, whose user value keeps its objects. */
static int pack_value(lua_State *L)
{
    LuaVM *vm = lua_touserdata(L, 2);
    SelectMessage *message =
        alua_new_of(L, vm, &message_class, sizeof(*message), 1);

    lua_pushvalue(L, 1);
    message->pack = cross_pack_held(L, 1, &chan_put_words);
    lua_setiuservalue(L, 3, 1);
    lua_settop(L, 3);
    return 1;
}

bool select_pack(lua_State *L, SelectCase *c)
{
    if (!c->value || c->message) {
        return true;
    }
    lua_pushcfunction(L, pack_value);
    lua_pushvalue(L, c->value);
    lua_pushlightuserdata(L, alua_vm(L));
    if (lua_pcall(L, 2, 1, 0) != LUA_OK) {
        return false;
    }
    c->message = lua_touserdata(L, -1);
    lua_replace(L, c->value);
    return true;
}

void select_unpack(SelectCase *c)
{
    if (c->message && c->message->pack) {
        cross_restore(c->message->pack);
        c->message->pack = NULL;
    }
}

bool select_try_shared(SelectCase *c)
{
    SharedResult result;

    c->shared = (SharedWait){.decided = true};
    result = c->value ? sharedchan_put(c->chan, c->message->pack, NULL, -1)
                      : sharedchan_get(c->chan, &c->shared.pack, NULL, -1);
    c->shared.given = result == SHARED_OK;
    return result != SHARED_WOULD_WAIT;
}

void select_queue_shared(SelectCase *c, LuaTask *task, SharedClaim *claim)
{
    sharedwait_queue(c->chan, &c->shared, task, claim,
                     c->message ? c->message->pack : NULL);
}

int select_finish_shared(lua_State *L, SelectCase *c, LuaTask *task)
{
    if (c->value) {
        if (!c->shared.given) {
            select_unpack(c);
            return chan_push_closed(L);
        }
        c->message->pack = NULL;
        lua_pushboolean(L, true);
        return 1;
    }
    if (!c->shared.given) {
        lua_pushnil(L);
        return 1;
    }
    if (task_has_pending(task)) { /* lost in a task that unwinds */
        sharedchan_return(c->chan, c->shared.pack);
        task_throw_pending(L, task);
    }
    return cross_unpack(L, c->shared.pack);
}
