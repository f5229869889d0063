/*
 * lwaker.c - class aio.waker, aio.park and aio.await
 *
 * A waker is a reference-counted C object, so it may be fired from any thread
 * and after its task ended.  In the VM's own thread firing is a flag and a
 * task_wake().  From elsewhere the waker is pushed to the VM's inbox, which a
 * bottom half empties at home; the inbox itself is reference-counted too, and
 * its lock is what makes closing the VM meanwhile safe.
 *
 * A wake that comes while the task is not inside aio.park() is remembered,
 * once, and never ends another wait.
 */
#include <stdlib.h>

#include "open.h"
#include "task_private.h"

struct LuaWaker {
    int refs;      /* atomic */
    LuaTask *task; /* home: NULL once ended */
    WakerInbox *inbox;
    /* inbox->lock: */
    unsigned elsewhere; /* references of waker_ref(): who knows by whom */
    bool counted;       /* ... are in inbox->elsewhere: the task lives */
    bool queued;
    LuaWaker *next;
};

struct WakerInbox {
    pthread_mutex_t lock;
    int refs; /* atomic: the VM and each waker */
    pthread_t home;
    QEMUBH *bh;         /* lock: NULL once the VM is closed */
    unsigned elsewhere; /* lock: references that may wake a living task */
    LuaWaker *head;     /* lock: FIFO of fired wakers */
    LuaWaker **tail;
};

typedef struct WakerHandle {
    AluaObject object;
    LuaWaker *waker;
} WakerHandle;

static void inbox_unref(WakerInbox *inbox)
{
    if (__atomic_sub_fetch(&inbox->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        pthread_mutex_destroy(&inbox->lock);
        free(inbox);
    }
}

static LuaWaker *take_ref(LuaWaker *w)
{
    __atomic_fetch_add(&w->refs, 1, __ATOMIC_RELAXED);
    return w;
}

static void drop_ref(LuaWaker *w)
{
    if (__atomic_sub_fetch(&w->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        inbox_unref(w->inbox);
        free(w);
    }
}

LuaWaker *waker_ref(LuaWaker *w)
{
    WakerInbox *inbox = w->inbox;

    pthread_mutex_lock(&inbox->lock);
    w->elsewhere++;
    inbox->elsewhere += w->counted;
    pthread_mutex_unlock(&inbox->lock);
    return take_ref(w);
}

void waker_unref(LuaWaker *w)
{
    WakerInbox *inbox = w->inbox;

    pthread_mutex_lock(&inbox->lock);
    w->elsewhere--;
    if (w->counted && --inbox->elsewhere == 0 && inbox->bh) {
        qemu_bh_schedule(inbox->bh); /* the loop looks for a deadlock again */
    }
    pthread_mutex_unlock(&inbox->lock);
    drop_ref(w);
}

bool waker_is_elsewhere(LuaVM *vm)
{
    WakerInbox *inbox = vm->priv->inbox;

    if (!inbox) {
        return false;
    }
    pthread_mutex_lock(&inbox->lock);
    bool elsewhere = inbox->elsewhere > 0;
    pthread_mutex_unlock(&inbox->lock);
    return elsewhere;
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

/* The bottom half: what other threads fired. */
static void inbox_deliver(void *opaque)
{
    WakerInbox *inbox = opaque;
    LuaWaker *w;

    pthread_mutex_lock(&inbox->lock);
    LuaWaker *list = inbox->head;
    inbox->head = NULL;
    inbox->tail = &inbox->head;
    for (w = list; w; w = w->next) {
        w->queued = false;
    }
    /* Each one's next stays ours only under the lock: take them one by one. */
    while ((w = list)) {
        list = w->next;
        w->next = NULL;
        fire_at_home(w);
        drop_ref(w);
    }
    pthread_mutex_unlock(&inbox->lock);
}

void waker_fire(LuaWaker *w)
{
    WakerInbox *inbox = w->inbox;

    if (pthread_equal(pthread_self(), inbox->home)) {
        fire_at_home(w);
        return;
    }
    pthread_mutex_lock(&inbox->lock);
    if (inbox->bh && !w->queued) {
        w->queued = true;
        w->next = NULL;
        *inbox->tail = take_ref(w);
        inbox->tail = &w->next;
        qemu_bh_schedule(inbox->bh);
    }
    pthread_mutex_unlock(&inbox->lock);
}

static WakerInbox *inbox_of(LuaVM *vm)
{
    WakerInbox *inbox = vm->priv->inbox;

    if (!inbox) {
        inbox = check_calloc(1, sizeof(*inbox));
        pthread_mutex_init(&inbox->lock, NULL);
        inbox->refs = 1;
        inbox->home = vm->priv->thread;
        inbox->tail = &inbox->head;
        inbox->bh = aio_bh_new(vm->home->ctx, inbox_deliver, inbox);
        vm->priv->inbox = inbox;
    }
    return inbox;
}

void waker_close_inbox(LuaVM *vm)
{
    WakerInbox *inbox = vm->priv->inbox;

    if (!inbox) {
        return;
    }
    inbox_deliver(inbox);
    pthread_mutex_lock(&inbox->lock);
    qemu_bh_delete(inbox->bh);
    inbox->bh = NULL;
    pthread_mutex_unlock(&inbox->lock);
    vm->priv->inbox = NULL;
    inbox_unref(inbox);
}

void waker_task_ended(LuaWaker *w)
{
    WakerInbox *inbox = w->inbox;

    pthread_mutex_lock(&inbox->lock);
    inbox->elsewhere -= w->elsewhere;
    w->counted = false;
    pthread_mutex_unlock(&inbox->lock);
    w->task = NULL;
    drop_ref(w);
}

/* The one waker of a task, created on first use. */
static LuaWaker *waker_of(LuaVM *vm, LuaTask *t)
{
    LuaWaker *w = t ? t->waker : NULL;

    if (!w) {
        w = check_calloc(1, sizeof(*w));
        w->inbox = inbox_of(vm);
        __atomic_fetch_add(&w->inbox->refs, 1, __ATOMIC_RELAXED);
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
    fire_at_home(waker_check(L, 1)); /* where else would Lua be running */
    return 0;
}

static int waker_gc(lua_State *L)
{
    WakerHandle *u = alua_check(L, 1, &waker_class);

    if (u->waker) {
        drop_ref(u->waker);
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

/* aio.park([sec]) -> true, or the timeout triple */
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

/* aio.await(function(done) ... end [, sec]) -> what done() was called with */
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
