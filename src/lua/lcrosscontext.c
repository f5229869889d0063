/*
 * lcrosscontext.c - handles of another thread's context
 *
 * A handle keeps the AioContext alive, not its loop: notify() of a context that
 * nobody runs any more does nothing.
 */
#include "lcontext.h"
#include "lcross.h"

static void *context_take(lua_State *L, int arg, const char **why)
{
    LuaContext *self = lua_touserdata(L, arg);

    *why = "a closed context cannot be sent to another thread";
    if (self->ctx) {
        aio_context_ref(self->ctx);
    }
    return self->ctx;
}

static void context_drop(void *what)
{
    aio_context_unref(what);
}

/* One that comes home is what it was. */
static void context_arrive(lua_State *L, CrossObject *o)
{
    LuaContext *own = alua_vm(L)->contexts;

    while (own && own->ctx != o->what) {
        own = own->next;
    }
    if (own) {
        lcontext_push(L, own);
    } else {
        lcontext_push_foreign(L, o->what);
    }
    context_drop(o->what);
    o->what = NULL;
}

const CrossClass context_cross = {
    .cls = &lcontext_class,
    .take = context_take,
    .arrive = context_arrive,
    .drop = context_drop,
};
