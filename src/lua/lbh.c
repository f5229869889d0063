/*
 * lbh.c - class aio.bh: a Lua function run once per schedule()
 *
 * Lifetime: user value 1 is the callback, user value 2 the context, so the
 * context outlives its bottom halves.  A bh is armed (anchored) from schedule()
 * until its callback starts, from schedule_always() until cancel(), and as long
 * as a remote proxy of it exists; an idle bh is ordinary garbage.
 */
#include "block/aio.h"
#include "lcheck.h"
#include "lcontext.h"
#include "lremote.h"
#include "open.h"
#include "qemu/main-loop.h"

enum { UV_CALLBACK = 1, UV_CONTEXT };

typedef struct LuaBH {
    LuaHandle handle;
    QEMUBH *bh;
    Remote *remote; /* what its proxies share, made for the first one */
    bool scheduled;
    bool always; /* stays scheduled */
} LuaBH;

static const AluaClass bh_class;

static LuaBH *bh_check(lua_State *L)
{
    LuaBH *self = alua_check(L, 1, &bh_class);

    lcheck_open(L, &self->handle);
    return self;
}

/* The loop may still call it when it is scheduled or somebody far away can
 * schedule it. */
static void bh_settle(lua_State *L, LuaBH *self)
{
    if (!self->scheduled && !(self->remote && remote_is_live(self->remote))) {
        handle_disarm(L, &self->handle);
    }
}

static void bh_fire(void *opaque)
{
    LuaBH *self = opaque;

    if (self->always) {
        qemu_bh_schedule(self->bh); /* first: the callback may cancel it */
        alua_call(&self->handle, UV_CALLBACK);
        return;
    }
    self->scheduled = false;
    if (unlikely(self->remote) && remote_is_live(self->remote)) {
        alua_call(&self->handle, UV_CALLBACK);
    } else {
        alua_call_once(&self->handle, UV_CALLBACK);
    }
}

static void bh_release(LuaHandle *h)
{
    LuaBH *self = (LuaBH *)h;

    if (self->remote) {
        remote_detach(self->remote);
        self->remote = NULL;
    }
    if (self->bh) {
        qemu_bh_delete(self->bh);
        self->bh = NULL;
    }
}

/* Pushes a bh of fn at 1, name at 2, context at 3. */
static LuaBH *bh_create(lua_State *L, bool oneshot)
{
    LuaContext *owner;
    LuaBH *self;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 3);
    owner = lcontext_opt(L, 3); /* at 4 */
    self = alua_new(L, &bh_class, sizeof(*self), 2);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, UV_CALLBACK);
    lua_pushvalue(L, 4);
    lua_setiuservalue(L, -2, UV_CONTEXT);
    handle_open(L, &self->handle, owner, "bh", 2);
    self->handle.release = bh_release;
    self->handle.closes = oneshot;
    self->bh = aio_bh_new_full(owner->ctx, bh_fire, self, "aio.bh");
    return self;
}

/* The result of most methods: the bh at 1. */
static int bh_itself(lua_State *L)
{
    if (unlikely(lua_gettop(L) != 1)) {
        lua_settop(L, 1);
    }
    return 1;
}

static void bh_arm(lua_State *L, LuaBH *self, int index)
{
    handle_arm(L, &self->handle, index);
    self->scheduled = true;
}

/**
 * class BH (bh)
 *
 * A bottom half: a callback of the loop that runs when it was scheduled.
 */

/**
 * aio.bh(fn: fun(bh: BH), name?: string, ctx?: Context) -> BH
 *
 * A bottom half: `fn(bh)` runs in the next turn of the loop after it was
 * scheduled.
 */
static int bh_new(lua_State *L)
{
    bh_create(L, false);
    return 1;
}

/**
 * aio.defer(fn: fun(bh: BH), name?: string, ctx?: Context) -> BH
 *
 * A bottom half that is scheduled already, and closed when it has run.
 */
static int bh_defer(lua_State *L)
{
    LuaBH *self = bh_create(L, true);

    bh_arm(L, self, -1);
    qemu_bh_schedule(self->bh);
    return 1;
}

/**
 * bh:schedule() -> BH
 *
 * To run once, however often this is called before.
 */
static int bh_schedule(lua_State *L)
{
    LuaBH *self = bh_check(L);

    bh_arm(L, self, 1);
    qemu_bh_schedule(self->bh);
    return bh_itself(L);
}

/**
 * bh:schedule_idle() -> BH
 *
 * To run when the loop wakes up anyway, or within 10 ms. A turn that ran
 * nothing else counts as one without progress.
 */
static int bh_schedule_idle(lua_State *L)
{
    LuaBH *self = bh_check(L);

    bh_arm(L, self, 1);
    qemu_bh_schedule_idle(self->bh);
    return bh_itself(L);
}

/**
 * bh:schedule_always() -> BH
 *
 * To run in each turn of the loop, which does not sleep meanwhile.
 */
static int bh_schedule_always(lua_State *L)
{
    LuaBH *self = bh_check(L);

    bh_arm(L, self, 1);
    self->always = true;
    qemu_bh_schedule(self->bh);
    return bh_itself(L);
}

/**
 * bh:cancel() -> BH
 *
 * Undoes each of them.
 */
static int bh_cancel(lua_State *L)
{
    LuaBH *self = bh_check(L);

    qemu_bh_cancel(self->bh);
    self->scheduled = self->always = false;
    bh_settle(L, self);
    return bh_itself(L);
}

/**
 * bh:delete()
 * bh:close()
 *
 * End it. May be called twice.
 */
static int bh_close(lua_State *L)
{
    LuaBH *self = alua_check(L, 1, &bh_class);

    handle_close(L, &self->handle);
    return 0;
}

/* The last proxy of the bh is gone. */
static void bh_forgotten(void *opaque)
{
    LuaBH *self = opaque;
    lua_State *L = self->handle.object.vm->main;

    if (lua_checkstack(L, LUA_MINSTACK)) { /* else it stays armed */
        bh_settle(L, self);
    }
}

/**
 * class RemoteBH (remote)
 *
 * Schedules a bottom half from any thread.
 */

/**
 * bh:remote() -> RemoteBH
 *
 * An object whose `schedule` may be called in any thread. Until it is closed
 * the bottom half stays alive and, unless `unref` was called, the program
 * running.
 */
static int bh_remote(lua_State *L)
{
    LuaBH *self = bh_check(L);

    if (!self->remote) {
        self->remote =
            remote_new(self->handle.object.vm, self->bh, bh_forgotten, self);
        if (!self->remote) {
            return luaL_error(L, "not enough memory");
        }
    }
    remote_push(L, self->remote, 1);
    handle_arm(L, &self->handle, 1);
    return 1;
}

static int bh_tostring(lua_State *L)
{
    return lcheck_tostring(L, alua_check(L, 1, &bh_class));
}

static const luaL_Reg bh_methods[] = {
    {"schedule", bh_schedule},
    {"schedule_idle", bh_schedule_idle},
    {"schedule_always", bh_schedule_always},
    {"cancel", bh_cancel},
    {"delete", bh_close},
    {"close", bh_close},
    {"remote", bh_remote},
    {"ref", handle_ref},
    {"unref", handle_unref},
    {NULL, NULL},
};

static const luaL_Reg bh_metamethods[] = {
    {"__close", bh_close},
    {"__gc", bh_close},
    {"__tostring", bh_tostring},
    {NULL, NULL},
};

static const AluaClass bh_class = {
    .name = "aio.bh",
    .methods = bh_methods,
    .metamethods = bh_metamethods,
    .is_handle = true,
};

static const luaL_Reg bh_functions[] = {
    {"bh", bh_new},
    {"defer", bh_defer},
    {NULL, NULL},
};

void lbh_open(lua_State *L)
{
    alua_class(L, &bh_class);
    lremote_open(L);
    alua_setfuncs(L, bh_functions);
}
