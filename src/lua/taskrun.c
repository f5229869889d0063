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
    origin_unref(t->named);
    origin_unref(t->origin);
    t->named = t->origin = NULL;
    h->task = NULL;
    t->handle = NULL;
    task_drop_handle(t->L, t);
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
        task_finish_cancelled(t);
    } else {
        int status = lua_pcall(L, t->nargs, LUA_MULTRET, AT_HANDLER);

        t->vm->priv->inner = L;
        task_finish(t, status);
    }
    task_ended(t);
    task_recycle(t);
}

/* ---- making tasks ------------------------------------------------------- */

static void task_reset(LuaTask *t, TaskHandle *h)
{
    const size_t begin = offsetof(LuaTask, co), end = offsetof(LuaTask, L);
    size_t size = end - begin;

    /* Of a constant size this would be "rep stos", which is much slower. */
    __asm__("" : "+r"(size));
    memset((char *)t + begin, 0, size);
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

    TaskSlot slot = taskslot_take(L, vm);
    LuaTask *t = aligned_alloc(CACHE_LINE, size);
    if (!t) {
        taskslot_give(L, vm, slot);
        luaL_error(L, "not enough memory");
    }
    memset(t, 0, size);
    t->vm = vm;
    t->slot = slot;
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

        taskslot_set(L, t->slot, TASK_THREAD);
        lua_sethook(thread, NULL, 0, 0);
        lua_pushcfunction(thread, alua_traceback);
        t->L = thread;
    }
    return t;
}

/* A handle, without what alua_new() has to look up. */
static TaskHandle *push_new_handle(lua_State *L, LuaVM *vm)
{
    vm_need_home(L, vm); /* else its finalizer would never run */
    TaskHandle *h = lua_newuserdatauv(L, sizeof(*h), 1);

    *h = (TaskHandle){.object = {.cls = &task_class, .vm = vm}};
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->priv->task_meta);
    lua_setmetatable(L, -2);
    return h;
}

LuaTask *task_spawn(lua_State *L, LuaVM *vm, int nargs)
{
    LuaTask *spawner = task_on_this_stack();
    Error *err = NULL;
    TaskHandle *h = push_new_handle(L, vm);
    LuaTask *t = task_peek(L, vm);

    if (unlikely(nargs > FEW_VALUES && !lua_checkstack(t->L, nargs + 8))) {
        luaL_error(L, "stack overflow (too many arguments)");
    }
    Coroutine *co = aio_co_new(task_entry, t, 0, &err);
    if (unlikely(!co)) {
        lua_pushfstring(L, "cannot spawn: %s", error_get_pretty(err));
        error_free(err);
        lua_error(L);
    }
    /* Nothing raises from here on. */
    lua_pushvalue(L, -1);
    taskslot_set(L, t->slot, TASK_HANDLE);
    vm->priv->pool = t->next;
    vm->priv->pool_count--;
    task_reset(t, h);
    t->co = co;
    t->run = run_spawned;
    t->link = spawner ? link_ref(spawner->link) : NULL;
    t->nargs = nargs;
    t->origin = origin_ref(origin_here(L, vm));
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
    TaskHandle *h = push_new_handle(L, vm);
    LuaTask *t = task_alloc(L, vm);

    taskslot_set(L, t->slot, TASK_HANDLE);
    t->L = on;
    task_reset(t, h);
    t->run = run_main;
    t->is_main = true;
    t->co = aio_co_new(task_entry, t, stack_size, &err);
    if (!t->co) {
        task_drop_handle(L, t); /* which has no task any more */
        h->task = NULL;
        task_free_main(t);
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
