/*
 * lbh.c - class aio.bh: a Lua function run once per schedule()
 *
 * Lifetime: user value 1 is the callback, user value 2 the context, so the
 * context outlives its bottom halves.  A bh is armed (anchored) from schedule()
 * until its callback starts, and as long as a remote proxy of it exists; an
 * idle bh is ordinary garbage.
 *
 * A remote proxy is a counted C object between threads: any thread may schedule
 * through it.  It never touches the LuaBH: it schedules the QEMUBH under its
 * lock, and closing the bh takes the QEMUBH away under the same lock.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "block/aio.h"
#include "lcheck.h"
#include "lcontext.h"
#include "open.h"
#include "qemu/main-loop.h"

enum { UV_CALLBACK = 1, UV_CONTEXT };

/* One per bh that was ever asked for a proxy; all proxies share it. */
typedef struct Remote {
    atomic_int refs; /* the bh's own and one per proxy */
    pthread_mutex_t lock;
    QEMUBH *bh; /* under lock; NULL once the bh is closed */
} Remote;

typedef struct LuaBH {
    LuaHandle handle;
    QEMUBH *bh;
    Remote *remote;
    int proxies; /* open proxies in this VM: the bh stays armed */
    bool scheduled;
    bool oneshot; /* aio.defer: closed when it fires */
} LuaBH;

typedef struct LuaRemoteBH {
    AluaObject object;
    Remote *remote; /* NULL when closed; user value 1 is the bh */
} LuaRemoteBH;

static const AluaClass bh_class;
static const AluaClass remote_class;

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
    if (!self->scheduled && self->proxies == 0) {
        handle_disarm(L, &self->handle);
    }
}

static int bh_run(lua_State *L) /* the protected half of bh_fire() */
{
    LuaBH *self = lua_touserdata(L, 1);

    alua_pushanchored(L, &self->handle.object);
    self->scheduled = false;
    bh_settle(L, self); /* first, so that the callback may reschedule */
    lua_getiuservalue(L, -1, UV_CALLBACK);
    lua_pushvalue(L, -2); /* -3 keeps it alive until alua_enter() is done */
    lua_call(L, 1, 0);
    if (self->oneshot) {
        handle_close(L, &self->handle);
    }
    return 0;
}

static void bh_fire(void *opaque)
{
    LuaBH *self = opaque;

    alua_enter(&self->handle, bh_run, self);
}

static void remote_unref(Remote *remote)
{
    if (atomic_fetch_sub_explicit(&remote->refs, 1, memory_order_acq_rel) ==
        1) {
        pthread_mutex_destroy(&remote->lock);
        free(remote);
    }
}

static void bh_release(LuaHandle *h)
{
    LuaBH *self = (LuaBH *)h;

    if (self->remote) {
        pthread_mutex_lock(&self->remote->lock);
        self->remote->bh = NULL;
        pthread_mutex_unlock(&self->remote->lock);
        remote_unref(self->remote);
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
    self->oneshot = oneshot;
    self->bh = aio_bh_new_full(owner->ctx, bh_fire, self, "aio.bh");
    return self;
}

static void bh_arm(lua_State *L, LuaBH *self, int index)
{
    handle_arm(L, &self->handle, index);
    self->scheduled = true;
}

/*
 * aio.bh(fn [, name [, ctx]]) -> bh
 * A bottom half: fn(bh) runs in the next tick after schedule().  It may not
 * park.  @name is for messages (default: where it was created); @ctx the
 * context to run in (default: the current one).
 */
static int bh_new(lua_State *L)
{
    bh_create(L, false);
    return 1;
}

/*
 * aio.defer(fn [, name [, ctx]]) -> bh
 * Run fn once in the next tick; the bh closes itself then.
 */
static int bh_defer(lua_State *L)
{
    LuaBH *self = bh_create(L, true);

    bh_arm(L, self, -1);
    qemu_bh_schedule(self->bh);
    return 1;
}

/*
 * bh:schedule() -> bh
 * Run the callback in the next tick, once however often this is called before.
 */
static int bh_schedule(lua_State *L)
{
    LuaBH *self = bh_check(L);

    bh_arm(L, self, 1);
    qemu_bh_schedule(self->bh);
    lua_settop(L, 1);
    return 1;
}

/*
 * bh:schedule_idle() -> bh
 * Run the callback when the loop wakes up anyway, but within 10 ms; a tick
 * that ran nothing else counts as one without progress.
 */
static int bh_schedule_idle(lua_State *L)
{
    LuaBH *self = bh_check(L);

    bh_arm(L, self, 1);
    qemu_bh_schedule_idle(self->bh);
    lua_settop(L, 1);
    return 1;
}

/* bh:cancel() -> bh: undo schedule(); does nothing to an idle bh. */
static int bh_cancel(lua_State *L)
{
    LuaBH *self = bh_check(L);

    qemu_bh_cancel(self->bh);
    self->scheduled = false;
    bh_settle(L, self);
    lua_settop(L, 1);
    return 1;
}

/* bh:delete(), bh:close(): cancel and free; idempotent. */
static int bh_close(lua_State *L)
{
    LuaBH *self = alua_check(L, 1, &bh_class);

    handle_close(L, &self->handle);
    return 0;
}

static Remote *remote_new(QEMUBH *bh)
{
    Remote *remote = calloc(1, sizeof(*remote));

    if (remote) {
        atomic_init(&remote->refs, 1);
        pthread_mutex_init(&remote->lock, NULL);
        remote->bh = bh;
    }
    return remote;
}

/*
 * bh:remote() -> proxy
 * An object whose schedule() may be called from any thread.  The bh stays
 * alive, and (unless unref'd) the program running, until the proxy is closed.
 */
static int bh_remote(lua_State *L)
{
    LuaBH *self = bh_check(L);
    LuaRemoteBH *proxy = alua_new(L, &remote_class, sizeof(*proxy), 1);

    if (!self->remote && !(self->remote = remote_new(self->bh))) {
        return luaL_error(L, "not enough memory");
    }
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, UV_CALLBACK);
    handle_arm(L, &self->handle, 1);
    atomic_fetch_add_explicit(&self->remote->refs, 1, memory_order_relaxed);
    proxy->remote = self->remote;
    self->proxies++;
    return 1;
}

static int bh_tostring(lua_State *L)
{
    return lcheck_tostring(L, alua_check(L, 1, &bh_class));
}

/*
 * proxy:schedule() -> proxy
 * Raises when the bh or the proxy has been closed.
 */
static int remote_schedule(lua_State *L)
{
    LuaRemoteBH *self = alua_check(L, 1, &remote_class);
    bool open;
    LuaBH *bh;

    if (!self->remote) {
        return luaL_error(L, "remote bh is closed");
    }
    lua_getiuservalue(L, 1, UV_CALLBACK);
    bh = lua_touserdata(L, -1);
    bh->scheduled = true; /* closing the proxy now must not lose the call */
    pthread_mutex_lock(&self->remote->lock);
    open = self->remote->bh != NULL;
    if (open) {
        qemu_bh_schedule(self->remote->bh);
    }
    pthread_mutex_unlock(&self->remote->lock);
    if (!open) {
        return luaL_error(L, "remote bh: its bh is closed");
    }
    lua_settop(L, 1);
    return 1;
}

/* proxy:close(): the bh may be collected again; idempotent. */
static int remote_close(lua_State *L)
{
    LuaRemoteBH *self = alua_check(L, 1, &remote_class);
    LuaBH *bh;

    if (!self->remote) {
        return 0;
    }
    remote_unref(self->remote);
    self->remote = NULL;
    lua_getiuservalue(L, 1, UV_CALLBACK);
    bh = lua_touserdata(L, -1);
    bh->proxies--;
    if (bh->handle.owner) {
        bh_settle(L, bh);
    }
    return 0;
}

static const luaL_Reg bh_methods[] = {
    {"schedule", bh_schedule},
    {"schedule_idle", bh_schedule_idle},
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

static const luaL_Reg remote_methods[] = {
    {"schedule", remote_schedule},
    {"close", remote_close},
    {NULL, NULL},
};

static const luaL_Reg remote_metamethods[] = {
    {"__close", remote_close},
    {"__gc", remote_close},
    {NULL, NULL},
};

static const AluaClass remote_class = {
    .name = "aio.remote_bh",
    .methods = remote_methods,
    .metamethods = remote_metamethods,
};

static const luaL_Reg bh_functions[] = {
    {"bh", bh_new},
    {"defer", bh_defer},
    {NULL, NULL},
};

void lbh_open(lua_State *L)
{
    alua_class(L, &bh_class);
    alua_class(L, &remote_class);
    alua_setfuncs(L, bh_functions);
}
