/*
 * interrupt.c - SIGINT: cancel the main task, wherever it is
 *
 * The signal handler sets a flag, wakes the loop, and puts a hook on the
 * innermost lua_State that is running, so that Lua code which never parks is
 * reached as well.  The hook raises the cancellation on that very state.  When
 * it is not the main task that spins, the main task is cancelled first and the
 * spinning one gets a moment to make way before it is cancelled too.
 */
#include <stdlib.h>

#include "task_private.h"

#define MAKE_WAY_NS 100000000LL
enum { HOOK_COUNT = 10000 };

static LuaTask *target(LuaVM *vm)
{
    return vm->priv->main_task;
}

void vm_interrupt_deliver(LuaVM *vm)
{
    __atomic_fetch_and(&vm->priv->attention, ~VM_INTERRUPTED, __ATOMIC_RELAXED);
    if (target(vm)) {
        task_request_cancel(target(vm));
        return;
    }
    for (LuaTask *t = vm->priv->live; t; t = t->next) {
        if (!t->root.threw) { /* else it is cleaning up: not once more */
            task_request_cancel(t);
        }
    }
    /* There may be no task at all, only armed handles: the loop ends, and
     * gives the tasks their time to unwind. */
    vm->priv->stop = true;
}

static void throw_here(lua_State *L, LuaVM *vm)
{
    LuaTask *t = vm->callback ? NULL : vm->current;

    lua_sethook(L, NULL, 0, 0);
    vm->priv->spin_deadline = 0;
    if (!t) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
        lua_error(L);
    }
    task_request_cancel(t);
    if (task_has_pending(t)) {
        task_throw_pending(L, t);
    }
}

/* What C functions of ours do between two calls is not to be torn apart; a C
 * function that goes on for long cannot be interrupted anyway. */
static bool is_in_lua(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "S", ar);
    return ar->what[0] != 'C';
}

static void interrupt_hook(lua_State *L, lua_Debug *ar)
{
    LuaVM *vm = alua_vm_of(L);
    LuaVMPrivate *priv = vm->priv;

    if (!is_in_lua(L, ar)) {
        return;
    }
    if (priv->attention & VM_INTERRUPTED) {
        vm_interrupt_deliver(vm);
        if (!priv->spin_deadline) { /* asked again meanwhile: no longer */
            priv->spin_deadline = task_deadline(MAKE_WAY_NS);
        }
    }
    if (!priv->spin_deadline) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    /* Who was cancelled before may be cleaning up: it has until the deadline.
     */
    if (!vm->callback && vm->current && !vm->current->root.threw &&
        (vm->current == target(vm) || !target(vm))) {
        throw_here(L, vm);
    } else if (task_deadline(0) >= priv->spin_deadline) {
        throw_here(L, vm);
    } else {
        lua_sethook(L, interrupt_hook, LUA_MASKCOUNT, HOOK_COUNT);
    }
}

void vm_interrupt(LuaVM *vm)
{
    LuaVMPrivate *priv = vm->priv;

    if (!pthread_equal(pthread_self(), priv->thread)) {
        pthread_kill(priv->thread, SIGINT); /* the hook must be set at home */
        return;
    }
    vm_attend(vm, VM_INTERRUPTED);
    lua_State *L = priv->inner;
    if (L) {
        lua_sethook(L, interrupt_hook,
                    LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
                    1);
    }
}
