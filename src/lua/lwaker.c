/*
 * lwaker.c - class aio.waker, aio.park and aio.await
 *
 * A waker is a reference-counted C object, so it may be fired from any thread
 * and after its task ended.  In the VM's own thread firing is a flag and a
 * task_wake().  From elsewhere the waker is posted to the VM's port.
 *
 * A wake that comes while the task is not inside aio.park() is remembered,
 * once, and never ends another wait.
 */
#include <stdlib.h>

#include "lcross.h"
#include "open.h"
#include "task_private.h"
#include "vmport.h"

struct LuaWaker {
    PortNode node; /* first; posted: with a reference of its own */
    int refs;      /* atomic */
    LuaTask *task; /* home: NULL once ended */
    VMPort *port;
    /* port->lock: */
    unsigned elsewhere; /* references of waker_ref(): who knows by whom */
    bool counted;       /* ... are in port->elsewhere: the task lives */
};

typedef struct WakerHandle {
    AluaObject object;
    LuaWaker *waker;
    bool foreign; /* of another thread's task: a reference of waker_ref() */
} WakerHandle;

static LuaWaker *take_ref(LuaWaker *w)
{
    __atomic_fetch_add(&w->refs, 1, __ATOMIC_RELAXED);
    return w;
}

static void drop_ref(LuaWaker *w)
{
    if (__atomic_sub_fetch(&w->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        port_unref(w->port);
        free(w);
    }
}

LuaWaker *waker_ref(LuaWaker *w)
{
    VMPort *port = w->port;

    pthread_mutex_lock(&port->lock);
    w->elsewhere++;
    port->elsewhere += w->counted;
    pthread_mutex_unlock(&port->lock);
    return take_ref(w);
}

void waker_unref(LuaWaker *w)
{
    VMPort *port = w->port;

    pthread_mutex_lock(&port->lock);
    w->elsewhere--;
    if (w->counted && --port->elsewhere == 0 && port->bh) {
        qemu_bh_schedule(port->bh); /* the loop looks for a deadlock again */
    }
    pthread_mutex_unlock(&port->lock);
    drop_ref(w);
}

static void fire_at_home(LuaWaker *w)
{
    LuaTask *t = w->task;

    if (!t) {
        return;
    }
    if (t->in_park) {
        task_wake(t);
    } else {
        t->token = true;
    }
}

static void waker_deliver(PortNode *node)
{
    LuaWaker *w = (LuaWaker *)node;

    fire_at_home(w);
    drop_ref(w);
}

void waker_fire(LuaWaker *w)
{
    if (port_is_home(w->port)) {
        fire_at_home(w);
        return;
    }
    take_ref(w); /* the post's, before it can be delivered */
    if (port_post(w->port, &w->node) != PORT_POSTED) {
        drop_ref(w);
    }
}

void waker_task_ended(LuaWaker *w)
{
    VMPort *port = w->port;

    pthread_mutex_lock(&port->lock);
    port->elsewhere -= w->elsewhere;
    w->counted = false;
    pthread_mutex_unlock(&port->lock);
    w->task = NULL;
    drop_ref(w);
}

/* The one waker of a task, created on first use. */
static LuaWaker *waker_of(LuaVM *vm, LuaTask *t)
{
    LuaWaker *w = t ? t->waker : NULL;

    if (!w) {
        w = check_calloc(1, sizeof(*w));
        w->node.deliver = waker_deliver;
        w->port = port_ref(port_of(vm));
        w->task = t;
        w->refs = 0;
        if (t) {
            w->counted = true;
            t->waker = take_ref(w);
        }
    }
    return take_ref(w);
}

/* ---- class -------------------------------------------------------------- */

static const AluaClass waker_class;

int waker_push(lua_State *L, TaskHandle *h)
{
    WakerHandle *u = alua_new(L, &waker_class, sizeof(*u), 0);

    u->waker = waker_of(h->object.vm, h->task);
    return 1;
}

LuaWaker *waker_check(lua_State *L, int arg)
{
    WakerHandle *u = alua_check(L, arg, &waker_class);

    luaL_argcheck(L, u->waker != NULL, arg, "the waker was finalized");
    return u->waker;
}

/* waker() */
static int waker_call(lua_State *L)
{
    WakerHandle *u = alua_test(L, 1, &waker_class);

    if (likely(u && u->waker && !u->foreign)) {
        fire_at_home(u->waker);
    } else {
        waker_fire(waker_check(L, 1));
    }
    return 0;
}

static int waker_gc(lua_State *L)
{
    WakerHandle *u = alua_check(L, 1, &waker_class);

    if (u->waker) {
        (u->foreign ? waker_unref : drop_ref)(u->waker);
        u->waker = NULL;
    }
    return 0;
}

static const luaL_Reg waker_metamethods[] = {
    {"__call", waker_call},
    {"__gc", waker_gc},
    {NULL, NULL},
};

static const AluaClass waker_class = {
    .name = "aio.waker",
    .metamethods = waker_metamethods,
};

/* ---- to other threads --------------------------------------------------- */

static void *waker_take(lua_State *L, int arg, const char **why)
{
    WakerHandle *u = lua_touserdata(L, arg);

    *why = "a finalized waker";
    return u->waker ? waker_ref(u->waker) : NULL;
}

static void waker_arrive(lua_State *L, CrossObject *o)
{
    WakerHandle *u = alua_new(L, &waker_class, sizeof(*u), 0);

    u->waker = o->what;
    o->what = NULL;
    u->foreign = !port_is_home(u->waker->port);
    if (!u->foreign) { /* back at home, where it hides no deadlock */
        take_ref(u->waker);
        waker_unref(u->waker);
    }
}

static void waker_drop(void *what)
{
    waker_unref(what);
}

const CrossClass waker_cross = {
    .cls = &waker_class,
    .take = waker_take,
    .arrive = waker_arrive,
    .drop = waker_drop,
};

/**
 * aio.park(sec?: aio.Wait) -> true!
 *
 * Parks until the running task's waker is called. A call that came before is
 * remembered, once.
 */
static int park(lua_State *L)
{
    int64_t deadline = -1;
    ParkResult why = PARK_WOKEN;

    if (lua_gettop(L) > 0) {
        deadline = task_deadline(alua_opt_timeout(L, 1));
    }
    LuaTask *t = task_check_can_park(L);
    if (!t->token) {
        t->in_park = true;
        why = task_park(t, PARK_ON_TASKS, deadline);
        t->in_park = false;
    }
    if (unlikely(why == PARK_CANCELLED)) {
        task_throw_cancel(L, t);
    }
    if (why == PARK_TIMEOUT) {
        return alua_timeout(L);
    }
    t->token = false;
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- await -------------------------------------------------------------- */

typedef struct Await {
    AluaObject object;
    LuaTask *task; /* while it waits */
    bool done;
    int nresults;
} Await;

static const AluaClass await_class = {.name = "aio.await"};

/* done(...): the first call counts; true when it did */
static int await_done(lua_State *L)
{
    Await *a = lua_touserdata(L, lua_upvalueindex(2));
    int n = lua_gettop(L);

    if (a->done) {
        lua_pushboolean(L, 0);
        return 1;
    }
    lua_createtable(L, n, 0);
    lua_insert(L, 1);
    for (int i = n; i >= 1; i--) {
        lua_rawseti(L, 1, i);
    }
    lua_setiuservalue(L, lua_upvalueindex(2), 1);
    a->nresults = n;
    a->done = true;
    if (a->task) {
        task_wake(a->task);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/**
 * aio.await(fn: fun(done: fun(...: any): boolean), sec?: aio.Wait) -> any ...
 *
 * Whatever `done` is called with, for callback interfaces: calls `fn(done)`
 * and parks until somebody calls `done(...)`.
 */
static int await(lua_State *L)
{
    LuaVM *vm = alua_vm(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));

    alua_check_callable(L, 1);
    task_check_can_park(L);
    lua_settop(L, 1);
    Await *a = alua_new(L, &await_class, sizeof(*a), 1);
    lua_insert(L, 1);
    lua_pushlightuserdata(L, vm);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, await_done, 2);
    lua_call(L, 1, 0);
    if (!a->done) {
        LuaTask *t = task_check_can_park(L);
        ParkResult why = PARK_WOKEN;

        a->task = t;
        while (!a->done && why == PARK_WOKEN) {
            why = task_park(t, PARK_ON_TASKS, deadline);
        }
        a->task = NULL;
        if (why == PARK_CANCELLED) {
            task_throw_cancel(L, t);
        }
        if (!a->done) {
            return alua_timeout(L);
        }
    }
    luaL_checkstack(L, a->nresults + 1, "too many results");
    lua_getiuservalue(L, 1, 1);
    for (int i = 1; i <= a->nresults; i++) {
        lua_rawgeti(L, 2, i);
    }
    return a->nresults;
}

static const luaL_Reg functions[] = {
    {"park", park},
    {"await", await},
    {NULL, NULL},
};

void lwaker_open(lua_State *L)
{
    alua_class(L, &waker_class);
    alua_class(L, &await_class);
    alua_setfuncs(L, functions);
}
