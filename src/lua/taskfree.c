/*
 * taskfree.c - giving the memory of ended tasks back
 *
 * Ended tasks wait on the VM's pool (with their Lua thread) or, when a script
 * has seen the thread, on its retired list (to get a new one); task_trim()
 * bounds the pool, task_destroy_all() empties everything as the VM closes.
 *
 * The rule that keeps it right: only the loop calls these, when the stack of
 * the task was left; a task that could not be ended is never freed, because
 * waiters on its stack point to it.
 */
#include <stdlib.h>

#include "task_private.h"

enum { POOL_MAX = 1024 }; /* ended tasks kept, with their Lua threads */

static void task_free(lua_State *L, LuaTask *t)
{
    if (t->scope) {
        scope_pop_all(t);
    }
    if (t->waker) {
        waker_task_ended(t->waker);
    }
    timer_del(&t->timer);
    timer_deinit(&t->timer);
    origin_unref(t->named);
    origin_unref(t->origin);
    taskslot_give(L, t->vm, t->slot);
    free(t);
}

static void drop_thread(lua_State *L, LuaTask *t)
{
    if (t->L) {
        lua_pushnil(L);
        taskslot_set(L, t->slot, TASK_THREAD);
        t->L = NULL;
    }
}

void task_trim(lua_State *L, LuaVM *vm)
{
    LuaVMPrivate *priv = vm->priv;

    while (priv->retired) {
        LuaTask *t = priv->retired;

        priv->retired = t->next;
        drop_thread(L, t);
        t->next = priv->pool;
        priv->pool = t;
        priv->pool_count++;
    }
    while (priv->pool_count > POOL_MAX) {
        LuaTask *t = priv->pool;

        priv->pool = t->next;
        priv->pool_count--;
        drop_thread(L, t);
        task_free(L, t);
    }
}

void task_free_main(LuaTask *t)
{
    task_free(t->vm->main, t);
}

/* One that could not be ended: waiters on its stack point to it for good, so
 * it is not freed; waking it does nothing. */
static void leave_behind(LuaTask *t)
{
    t->state = TASK_CANCELLED;
    t->handle->state = TASK_CANCELLED;
    t->handle->received = true;
    t->handle->task = NULL;
    scope_pop_all(t);
    if (t->waker) {
        waker_task_ended(t->waker);
        t->waker = NULL;
    }
    timer_del(&t->timer);
}

static void free_list(lua_State *L, LuaTask *t)
{
    while (t) {
        LuaTask *next = t->next;

        task_free(L, t);
        t = next;
    }
}

void task_destroy_all(LuaVM *vm)
{
    LuaVMPrivate *priv = vm->priv;

    free_list(vm->main, priv->pool);
    free_list(vm->main, priv->retired);
    for (LuaTask *t = priv->live; t; t = t->next) {
        leave_behind(t);
    }
    if (priv->exit_caller) { /* abandoned and not unwound: on no list */
        task_free(vm->main, priv->exit_caller);
    }
    origin_forget_all(vm);
    priv->exit_caller = priv->main_task = NULL;
    priv->pool = priv->retired = priv->live = NULL;
    priv->pool_count = 0;
}
