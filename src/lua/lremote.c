/*
 * lremote.c - class aio.remote_bh: schedules a bottom half from any thread
 *
 * All proxies of a bh, in its own thread, in others and on their way, share one
 * Remote, which counts them.  The last one to go tells the bh's thread, by its
 * port, that the bh may be collected.
 *
 * A proxy may be closed right after schedule(): the bh stays armed while it is
 * scheduled.  Scheduling happens under the lock, so who sees there that no
 * proxy is left sees also what the last one scheduled.
 */
#include "base/counted.h"
#include "lremote.h"

#include <stdlib.h>

#include "aioctl/context.h"
#include "lcross.h"
#include "vmport.h"

struct Remote {
    PortNode node; /* first; posted: with a reference of its own */
    int refs;      /* atomic: the bh's, one per proxy */
    VMPort *port;
    pthread_mutex_t lock;
    QEMUBH *bh;       /* lock: NULL once it is closed */
    unsigned proxies; /* lock */
    void (*idle)(void *opaque);
    void *opaque; /* home: NULL once detached */
};

typedef struct LuaRemoteBH {
    AluaObject object;
    Remote *remote; /* NULL when closed; user value 1: the bh, at home */
} LuaRemoteBH;

static const AluaClass remote_class;

static void remote_unref(Remote *remote)
{
    if (__atomic_sub_fetch(&remote->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        pthread_mutex_destroy(&remote->lock);
        port_unref(remote->port);
        free_counted(remote);
    }
}

static void remote_deliver(PortNode *node)
{
    Remote *remote = (Remote *)node;

    if (remote->opaque) {
        remote->idle(remote->opaque);
    }
    remote_unref(remote);
}

Remote *remote_new(LuaVM *vm, QEMUBH *bh, void (*idle)(void *opaque),
                   void *opaque)
{
    Remote *remote = calloc(1, sizeof(*remote));

    if (remote) {
        remote->refs = 1;
        remote->node.deliver = remote_deliver;
        remote->port = port_ref(port_of(vm));
        pthread_mutex_init(&remote->lock, NULL);
        remote->bh = bh;
        remote->idle = idle;
        remote->opaque = opaque;
    }
    return remote;
}

void remote_detach(Remote *remote)
{
    pthread_mutex_lock(&remote->lock);
    remote->bh = NULL;
    pthread_mutex_unlock(&remote->lock);
    remote->opaque = NULL;
    remote_unref(remote);
}

bool remote_is_live(Remote *remote)
{
    pthread_mutex_lock(&remote->lock);
    bool live = remote->proxies > 0 || aio_bh_is_scheduled(remote->bh);
    pthread_mutex_unlock(&remote->lock);
    return live;
}

/* One more proxy. */
static Remote *add_proxy(Remote *remote)
{
    pthread_mutex_lock(&remote->lock);
    remote->proxies++;
    pthread_mutex_unlock(&remote->lock);
    __atomic_fetch_add(&remote->refs, 1, __ATOMIC_RELAXED);
    return remote;
}

/* One less; any thread. */
static void drop_proxy(void *what)
{
    Remote *remote = what;

    pthread_mutex_lock(&remote->lock);
    bool last = --remote->proxies == 0;
    pthread_mutex_unlock(&remote->lock);
    if (last && port_is_home(remote->port)) {
        if (remote->opaque) {
            remote->idle(remote->opaque);
        }
    } else if (last) {
        __atomic_fetch_add(&remote->refs, 1, __ATOMIC_RELAXED);
        if (port_post(remote->port, &remote->node) != PORT_POSTED) {
            remote_unref(remote);
        }
    }
    remote_unref(remote);
}

/* ---- class -------------------------------------------------------------- */

void remote_push(lua_State *L, Remote *remote, int arg)
{
    LuaRemoteBH *proxy = alua_new(L, &remote_class, sizeof(*proxy), 1);

    if (arg) {
        lua_pushvalue(L, arg);
        lua_setiuservalue(L, -2, 1);
    }
    proxy->remote = add_proxy(remote);
}

/**
 * remote:schedule() -> RemoteBH
 *
 * Schedules the bottom half. Raises once either is closed.
 */
static int remote_schedule(lua_State *L)
{
    LuaRemoteBH *self = alua_check(L, 1, &remote_class);
    Remote *remote = self->remote;

    if (!remote) {
        return luaL_error(L, "remote bh is closed");
    }
    pthread_mutex_lock(&remote->lock);
    bool open = remote->bh != NULL;
    if (open) {
        qemu_bh_schedule(remote->bh);
    }
    pthread_mutex_unlock(&remote->lock);
    if (!open) {
        return luaL_error(L, "remote bh: its bh is closed");
    }
    lua_settop(L, 1);
    return 1;
}

/**
 * remote:close()
 *
 * Lets the bottom half be collected again.
 */
static int remote_close(lua_State *L)
{
    LuaRemoteBH *self = alua_check(L, 1, &remote_class);
    Remote *remote = self->remote;

    if (remote) {
        self->remote = NULL;
        drop_proxy(remote);
    }
    return 0;
}

static int remote_tostring(lua_State *L)
{
    LuaRemoteBH *self = alua_check(L, 1, &remote_class);

    lua_pushfstring(L, "aio.remote_bh%s: %p", self->remote ? "" : " (closed)",
                    (void *)self);
    return 1;
}

static const luaL_Reg remote_methods[] = {
    {"schedule", remote_schedule},
    {"close", remote_close},
    {NULL, NULL},
};

static const luaL_Reg remote_metamethods[] = {
    {"__close", remote_close},
    {"__gc", remote_close},
    {"__tostring", remote_tostring},
    {NULL, NULL},
};

static const AluaClass remote_class = {
    .name = "aio.remote_bh",
    .methods = remote_methods,
    .metamethods = remote_metamethods,
};

/* ---- to other threads --------------------------------------------------- */

static void *remote_take(lua_State *L, int arg, const char **why)
{
    LuaRemoteBH *self = lua_touserdata(L, arg);

    *why = "a closed remote bh cannot be sent to another thread";
    return self->remote ? add_proxy(self->remote) : NULL;
}

static void remote_arrive(lua_State *L, CrossObject *o)
{
    LuaRemoteBH *self = alua_new(L, &remote_class, sizeof(*self), 1);

    self->remote = o->what;
    o->what = NULL;
}

const CrossClass remote_cross = {
    .cls = &remote_class,
    .take = remote_take,
    .arrive = remote_arrive,
    .drop = drop_proxy,
};

void lremote_open(lua_State *L)
{
    alua_class(L, &remote_class);
}
