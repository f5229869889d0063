/*
 * taskrun.c - the life of a task: spawn, run, end
 *
 * A task is a coroutine that calls its body by one lua_pcall() on a Lua thread
 * of its own.  It leaves its C stack only by parking, by task_abandon() or by
 * ending, and each of these first restores the flow that was running before.
 *
 * The rule that keeps it right: everything that may raise runs inside that
 * lua_pcall (or, for spawning, inside the caller's); the trampoline itself
 * calls only Lua functions that cannot.  An ended task puts itself on the pool
 * as its last act: whoever takes it from there is another flow, so the stack
 * was left.
 */
#include <stdlib.h>
#include <string.h>

#include "task_private.h"

/* ---- the end of a task -------------------------------------------------- */

static void list_add(LuaTask *t)
{
    LuaVMPrivate *priv = t->vm->priv;

    t->prev = NULL;
    t->next = priv->live;
    if (t->next) {
        t->next->prev = t;
    }
    priv->live = t;
    priv->live_count++;
    priv->live_refd += !t->unrefd;
}

static void list_remove(LuaTask *t)
{
    LuaVMPrivate *priv = t->vm->priv;

    *(t->prev ? &t->prev->next : &priv->live) = t->next;
    if (t->next) {
        t->next->prev = t->prev;
    }
    priv->live_count--;
    priv->live_refd -= !t->unrefd;
    t->prev = t->next = NULL;
}

/* Protected: handle, values... -> results in the handle. */
static int store_results(lua_State *L)
{
    int n = lua_gettop(L) - 1;

    lua_createtable(L, n, 0);
    lua_insert(L, 2);
    for (int i = n; i >= 1; i--) {
        lua_rawseti(L, 2, i);
    }
    lua_setiuservalue(L, 1, UV_RESULT);
    return 0;
}

/* Protected: handle, error -> error, traceback and origin in the handle. */
static int store_failure(lua_State *L)
{
    TaskHandle *h = lua_touserdata(L, 1);
    char origin[160];

    lua_setiuservalue(L, 1, UV_RESULT);
    if (lua_getiuservalue(L, 1, UV_INFO) != LUA_TTABLE) {
        lua_settop(L, 1);
        lua_createtable(L, 3, 0);
        lua_pushvalue(L, -1);
        lua_setiuservalue(L, 1, UV_INFO);
    }
    alua_take_traceback(L);
    lua_rawseti(L, 2, INFO_TRACEBACK);
    task_describe(h->task, L, origin, sizeof(origin));
    lua_pushstring(L, origin);
    lua_rawseti(L, 2, INFO_ORIGIN);
    /* From now on it has a finalizer, and the weak table finds it at exit. */
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_failed);
    lua_getmetatable(L, -1);
    lua_getfield(L, -1, "handles");
    lua_setmetatable(L, 1);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, 3, h);
    return 0;
}

/* There is no memory to keep the failure for whoever may ask later. */
static void tell_at_once(LuaTask *t, TaskHandle *h)
{
    char origin[160];

    h->received = true;
    if (!t->joiners.head && !t->group) {
        task_describe(t, t->L, origin, sizeof(origin));
        lua_pushnil(t->L);
        lua_getiuservalue(t->L, AT_HANDLE, UV_RESULT);
        vm_uncaught(t->vm, t->L, origin);
    }
}

static void task_finish(LuaTask *t, int status, int base)
{
    lua_State *L = t->L;
    TaskHandle *h = t->handle;
    int n = lua_gettop(L) - base;

    if (unlikely(n > FEW_VALUES && !lua_checkstack(L, 8))) {
        lua_settop(L, base); /* room for what follows; results are lost */
        n = 0;
    }
    if (status == LUA_OK) {
        h->state = TASK_DONE;
        h->nresults = n;
        if (n == 1) {
            lua_setiuservalue(L, AT_HANDLE, UV_RESULT);
        } else if (n > 1) {
            lua_pushcfunction(L, store_results);
            lua_insert(L, base + 1);
            lua_pushvalue(L, AT_HANDLE);
            lua_insert(L, base + 2);
            status = lua_pcall(L, n + 1, 0, 0);
        }
    }
    if (status != LUA_OK) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
        bool cancelled = t->root.threw && lua_rawequal(L, -1, -2);
        lua_pop(L, 1);
        if (cancelled) {
            h->state = TASK_CANCELLED;
            h->received = true;
            lua_setiuservalue(L, AT_HANDLE, UV_RESULT);
        } else {
            h->state = TASK_FAILED;
            lua_pushvalue(L, -1); /* stored also when memory is out */
            lua_setiuservalue(L, AT_HANDLE, UV_RESULT);
            lua_pushcfunction(L, store_failure);
            lua_pushvalue(L, AT_HANDLE);
            lua_rotate(L, -3, -1);
            if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
                lua_pop(L, 1);
                tell_at_once(t, h);
                return;
            }
            h->counted = true;
            t->vm->priv->failed++;
            vm_attend(t->vm, VM_REAP);
        }
    }
}

/* The last act of a task that will be used again. */
static void task_recycle(LuaTask *t)
{
    LuaVMPrivate *priv = t->vm->priv;
    lua_State *L = t->L;

    if (lua_gethookmask(L)) {
        lua_sethook(L, NULL, 0, 0);
    }
    lua_settop(L, AT_HANDLER);
    t->co = NULL;
    if (t->seen) {
        t->next = priv->retired;
        priv->retired = t;
    } else {
        t->next = priv->pool;
        priv->pool = t;
        priv->pool_count++;
    }
}

static void task_ended(LuaTask *t)
{
    TaskHandle *h = t->handle;

    scope_pop_all(t);
    if (t->waker) {
        waker_task_ended(t->waker);
        t->waker = NULL;
    }
    if (t->group) {
        group_child_ended(t->group, t, h);
        t->group = NULL;
    }
    link_unref(t->link);
    t->link = NULL;
    h->task = NULL;
    t->handle = NULL;
    alua_unanchor(t->L, &h->object);
    waitq_wake_all(&t->joiners);
    list_remove(t);
    task_flow_leave(t);
}

void coroutine_fn task_entry(void *opaque)
{
    LuaTask *t = opaque;

    task_flow_enter(t);
    t->started = true;
    t->run(t);
}

static void coroutine_fn run_spawned(LuaTask *t)
{
    lua_State *L = t->L;

    if (unlikely(t->root.fired) &&
        !t->must_run) { /* cancelled before it began */
        t->handle->state = TASK_CANCELLED;
        t->handle->received = true;
        lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
        lua_setiuservalue(L, AT_HANDLE, UV_RESULT);
    } else {
        int status = lua_pcall(L, t->nargs, LUA_MULTRET, AT_HANDLER);

        t->vm->priv->inner = L;
        task_finish(t, status, AT_HANDLE);
    }
    task_ended(t);
    task_recycle(t);
}

/* ---- making tasks ------------------------------------------------------- */

static void task_reset(LuaTask *t, TaskHandle *h)
{
    const size_t begin = offsetof(LuaTask, co), end = offsetof(LuaTask, L);

    memset((char *)t + begin, 0, end - begin);
    t->inner = t->L;
    t->handle = h;
    t->id = ++t->vm->priv->tasks_made;
    t->state = TASK_READY;
    t->root.kind = SCOPE_ROOT;
    t->root.task = t;
    t->scope = &t->root;
    h->task = t;
}

enum { CACHE_LINE = 64 };

static LuaTask *task_alloc(lua_State *L, LuaVM *vm)
{
    size_t size = ROUND_UP(sizeof(LuaTask), CACHE_LINE);
    LuaTask *t = aligned_alloc(CACHE_LINE, size);

    if (!t) {
        luaL_error(L, "not enough memory");
    }
    memset(t, 0, size);
    t->vm = vm;
    aio_timer_init(vm->home->ctx, &t->timer, QEMU_CLOCK_REALTIME, SCALE_NS,
                   task_late, t);
    return t;
}

/* First in the pool, with a thread, but not taken: what follows may raise. */
static LuaTask *task_peek(lua_State *L, LuaVM *vm)
{
    LuaVMPrivate *priv = vm->priv;

    if (unlikely(priv->retired)) {
        task_trim(L, vm);
    }
    if (!priv->pool) {
        priv->pool = task_alloc(L, vm);
        priv->pool_count++;
    }
    LuaTask *t = priv->pool;
    if (!t->L) {
        lua_State *thread = lua_newthread(L);

        lua_rawsetp(L, LUA_REGISTRYINDEX, t);
        lua_sethook(thread, NULL, 0, 0);
        lua_pushcfunction(thread, alua_traceback);
        t->L = thread;
    }
    return t;
}

LuaTask *task_spawn(lua_State *L, LuaVM *vm, int nargs)
{
    LuaTask *spawner = task_on_this_stack();
    Error *err = NULL;

    luaL_checkstack(L, 6, NULL);
    TaskHandle *h = alua_new_of(L, vm, &task_class, sizeof(*h), 3);
    LuaTask *t = task_peek(L, vm);
    if (unlikely(nargs > FEW_VALUES && !lua_checkstack(t->L, nargs + 8))) {
        luaL_error(L, "stack overflow (too many arguments)");
    }
    alua_anchor_top(L, &h->object);
    Coroutine *co = aio_co_new(task_entry, t, 0, &err);
    if (unlikely(!co)) {
        alua_unanchor(L, &h->object);
        lua_pushfstring(L, "cannot spawn: %s", error_get_pretty(err));
        error_free(err);
        lua_error(L);
    }
    /* Nothing raises from here on. */
    vm->priv->pool = t->next;
    vm->priv->pool_count--;
    task_reset(t, h);
    t->co = co;
    t->run = run_spawned;
    t->link = spawner ? link_ref(spawner->link) : NULL;
    t->nargs = nargs;
    t->line = alua_caller(L, 1);
    lua_setiuservalue(L, -2, UV_SPAWNER);
    lua_pushvalue(L, -1);
    lua_xmove(L, t->L, 1);
    lua_insert(L, -(nargs + 2)); /* the handle, below the function */
    lua_xmove(L, t->L, nargs + 1);
    list_add(t);
    task_make_ready(t);
    return t;
}

/* ---- the main task ------------------------------------------------------ */

static void coroutine_fn run_main(LuaTask *t)
{
    lua_State *L = t->L;

    t->status = lua_pcall(L, t->nargs, LUA_MULTRET, t->base);
    t->vm->priv->inner = L;
    t->handle->state = t->status == LUA_OK ? TASK_DONE : TASK_FAILED;
    t->handle->received = true;
    t->vm->priv->main_task = NULL;
    task_ended(t);
}

LuaTask *task_new_main(lua_State *L, LuaVM *vm, lua_State *on,
                       size_t stack_size)
{
    Error *err = NULL;
    TaskHandle *h = alua_new(L, &task_class, sizeof(*h), 3);

    alua_anchor(L, -1);
    lua_pop(L, 1);
    LuaTask *t = task_alloc(L, vm);
    t->L = on;
    task_reset(t, h);
    t->run = run_main;
    t->is_main = true;
    t->co = aio_co_new(task_entry, t, stack_size, &err);
    if (!t->co) {
        free(t);
        lua_pushstring(L, error_get_pretty(err));
        error_free(err);
        lua_error(L);
    }
    list_add(t);
    vm->priv->main_task = t;
    return t;
}

/* ---- leaving for good --------------------------------------------------- */

_Noreturn void task_abandon(LuaTask *t)
{
    list_remove(t);
    t->leaving = true;
    task_flow_leave(t);
    qemu_coroutine_yield();
    abort(); /* an abandoned stack was entered */
}

static void coroutine_fn run_unwinding(LuaTask *t)
{
    lua_resetthread(t->L); /* runs what __close is pending; parking is fine */
    t->handle->state = TASK_CANCELLED;
    t->handle->received = true;
    task_ended(t);
}

bool task_unwind_abandoned(LuaTask *t)
{
    t->run = run_unwinding;
    t->co = aio_co_new(task_entry, t, 0, NULL);
    if (!t->co) {
        return false;
    }
    scope_pop_all(t);
    t->leaving = false;
    t->inner = t->L;
    t->state = TASK_READY;
    list_add(t);
    task_make_ready(t);
    return true;
}
