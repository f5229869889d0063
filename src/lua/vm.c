/*
 * vm.c - opening and closing the VM of a Lua state
 *
 * The VM is a userdata in the registry, whose finalizer (at lua_close) closes
 * what is still open.  Finalizers of older objects run after that one and may
 * still call us: they find a VM without a home (vm_need_home()), in memory that
 * lasts until all finalizers have run.  vm_open() does its work inside a
 * lua_pcall, so it may be called unprotected.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lcontext.h"
#include "lfile.h"
#include "qapi/error.h"
#include "task_private.h"
#include "vmport.h"

const char vm_key_guard, vm_key_traceback, vm_key_on_error, vm_key_uncaught,
    vm_key_failed, vm_key_cancelled;

typedef struct VMBlock {
    LuaVM vm; /* first: alua_vm_of() */
    LuaVMPrivate priv;
} VMBlock;

static int vm_gc(lua_State *L)
{
    VMBlock *block = lua_touserdata(L, 1);

    vm_close(&block->vm);
    anchor_free(&block->vm);
    taskslot_free_all(&block->vm);
    reserve_remove(&block->vm);
    return 0;
}

static LuaVM *vm_new(lua_State *L)
{
    VMBlock *block = lua_newuserdatauv(L, sizeof(*block), 0);

    memset(block, 0, sizeof(*block));
    block->vm.priv = &block->priv;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, vm_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_guard);
    return &block->vm;
}

static int cancelled_tostring(lua_State *L)
{
    lua_pushliteral(L, "cancelled");
    return 1;
}

/* The value that every cancelled task raises. */
static void push_cancelled(lua_State *L)
{
    lua_newuserdatauv(L, 1, 0);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, cancelled_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "aio.cancelled");
    lua_setfield(L, -2, "__name");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
}

static void reap_later(void *opaque)
{
    vm_attend(opaque, VM_REAP);
}

typedef struct Opening {
    AioContext *ctx; /* the home context, or NULL */
    bool bare;       /* no home at all */
    Error *err;
} Opening;

static int vm_build(lua_State *L)
{
    Opening *opening = lua_touserdata(L, 1);
    LuaVM *vm = vm_new(L);

    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    vm->main = lua_tothread(L, -1);
    vm->priv->thread = pthread_self();
    if (!reserve_install(L, vm)) {
        return luaL_error(L, "not enough memory");
    }
    anchor_init(L, vm);
    push_cancelled(L);
    if (opening->bare) {
        return 0;
    }
    task_open_class(L);
    vm->home = lcontext_new(L, vm, opening->ctx, &opening->err);
    if (!vm->home) {
        return 0;
    }
    alua_anchor(L, -1);
    aio_timer_init(vm->home->ctx, &vm->priv->reap_timer, QEMU_CLOCK_REALTIME,
                   SCALE_NS, reap_later, vm);
    coroutine_install(L, vm);
    require_install(L, vm);
    return 0;
}

static LuaVM *open_vm(lua_State *L, Opening *opening, Error **errp)
{
    LuaVM *vm = alua_vm_of(L);

    if (vm) {
        return vm;
    }
    lua_pushcfunction(L, vm_build);
    lua_pushlightuserdata(L, opening);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        error_setg(&opening->err, "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    if (opening->err) { /* what was built is garbage, not to be found again */
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_guard);
        error_propagate(errp, opening->err);
        return NULL;
    }
    vm = alua_vm_of(L);
    alua_note_vm(vm->main, vm);
    return vm;
}

LuaVM *vm_open(lua_State *L, Error **errp)
{
    return open_vm(L, &(Opening){.ctx = NULL}, errp);
}

LuaVM *vm_open_in(lua_State *L, AioContext *ctx, Error **errp)
{
    return open_vm(L, &(Opening){.ctx = ctx}, errp);
}

LuaVM *vm_open_bare(lua_State *L, Error **errp)
{
    return open_vm(L, &(Opening){.bare = true}, errp);
}

LuaContext *vm_need_home(lua_State *L, LuaVM *vm)
{
    if (!vm->home) {
        luaL_error(L, "aio: the event loop is closed, the program is ending");
    }
    return vm->home;
}

/*
 * What cannot be ended (a task that ignores its cancellation, a request that
 * the kernel does not give back) keeps its stack and the home context, which
 * nobody will run again.
 */
static void close_contexts(LuaVM *vm, bool stuck)
{
    while (vm->contexts) {
        LuaContext *c = vm->contexts;

        if (aio_context_is_dispatching(c->ctx) || (stuck && c == vm->home)) {
            vm->contexts = c->next; /* exit from a callback: we are inside */
            c->ctx = NULL;
            continue;
        }
        lcontext_close(vm->main, c);
        CHECK(vm->contexts != c);
    }
    vm->home = NULL;
}

void vm_close(LuaVM *vm)
{
    LuaVMPrivate *priv = vm->priv;
    lua_State *L = vm->main;

    if (priv->closed || !vm->home) {
        return;
    }
    if (!priv->gave_up) {
        vm_shutdown(vm);
    }
    iothread_join_all(vm);
    vm_guard_stop(vm);
    bool stuck = priv->live || vm->io_in_flight;
    priv->closed = true;
    port_close(vm);
    offload_close(vm);
    while (vm->handles) {
        LuaHandle *h = vm->handles;

        if (h->armed) {
            handle_disarm(L, h);
        }
        handle_close(L, h);
    }
    timer_del(&priv->reap_timer);
    timer_deinit(&priv->reap_timer);
    task_destroy_all(vm);
    if (vm->driver) {
        vm->driver->end(vm->home->ctx);
    }
    if (!stuck) { /* else the kernel may still write to it */
        file_scratch_close(vm);
    }
    close_contexts(vm, stuck);
}
