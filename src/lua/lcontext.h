/*
 * lcontext.h - class aio.context, as the VM and the handle classes need it
 *
 * A context is ordinary garbage: its handles keep it alive through a user
 * value.  The VM anchors its home context.
 */
#ifndef LCONTEXT_H
#define LCONTEXT_H

#include "vm.h"

extern const AluaClass lcontext_class;

/* User values of a context. */
enum { LCONTEXT_UV_THREAD = 1, LCONTEXT_UV_POLICY };

/*
 * lcontext_new: push a new context around @ctx, or (NULL) an AioContext of its
 * own
 *
 * Linked into vm->contexts, with its callback thread in user value 1.
 * Works before lcontext_open() ran.  NULL with @errp set, and nothing pushed,
 * when the AioContext cannot be created; raises only on lack of memory.
 */
LuaContext *lcontext_new(lua_State *L, LuaVM *vm, AioContext *ctx,
                         Error **errp);

/* Push a handle of another thread's context. */
void lcontext_push_foreign(lua_State *L, AioContext *ctx);

/* Close its handles and drop the AioContext; idempotent. */
void lcontext_close(lua_State *L, LuaContext *self);

/* Push the userdata of an open context. */
void lcontext_push(lua_State *L, LuaContext *self);

/* Push and return the open context at @arg (nil or none: the current one). */
LuaContext *lcontext_opt(lua_State *L, int arg);

/* The context that @task runs in. */
LuaContext *lcontext_of_task(LuaVM *vm, const LuaTask *task);

/*
 * lcontext_polled: the VM's loop calls this after each iteration of its home
 * context with what aio_poll() returned; tasks inside home:poll() wake up.
 */
void lcontext_polled(LuaVM *vm, bool progress);

#endif
