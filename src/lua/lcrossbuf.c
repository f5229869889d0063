/*
 * lcrossbuf.c - buffers that move to another thread
 *
 * The memory moves, nothing is copied: the sender's buffer is closed and its
 * slices are stale.  A registered buffer is taken out of the ring it is
 * registered with, which belongs to the sender's thread.
 */
#include <stdlib.h>

#include "lbuf.h"
#include "lcross.h"

typedef struct MovedBuf {
    BufSlab *slab; /* NULL until the message is complete */
} MovedBuf;

static void *buf_take(lua_State *L, int arg, const char **why)
{
    LuaBuf *b = lua_touserdata(L, arg);
    MovedBuf *moved = NULL;

    if (b != b->root) {
        *why = "a slice of a buffer cannot be sent: send the whole, or a clone";
    } else if (!b->slab) {
        *why = "a closed buffer cannot be sent to another thread";
    } else if (b->pool) {
        *why = "a pooled buffer cannot be sent: send a clone of it";
    } else if (b->pins > 0) {
        *why = "a buffer with operations in flight cannot be sent";
    } else if (!(moved = calloc(1, sizeof(*moved)))) {
        *why = "not enough memory";
    }
    return moved;
}

static void buf_commit(AluaObject *from, void *what)
{
    MovedBuf *moved = what;

    moved->slab = buf_detach((LuaBuf *)from);
    slab_unregister(moved->slab);
}

static void buf_restore(AluaObject *from, void *what)
{
    LuaBuf *b = (LuaBuf *)from;
    MovedBuf *moved = what;

    b->slab = moved->slab;
    b->base = b->slab->base;
    b->size = b->slab->size;
    free(moved);
}

static void buf_arrive(lua_State *L, CrossObject *o)
{
    LuaBuf *b = buf_push_closed(L);
    MovedBuf *moved = o->what;

    b->slab = moved->slab;
    b->base = b->slab->base;
    b->size = b->slab->size;
    o->what = NULL;
    free(moved);
}

static void buf_drop(void *what)
{
    MovedBuf *moved = what;

    if (moved->slab) {
        slab_unref(moved->slab);
    }
    free(moved);
}

const CrossClass buf_cross = {
    .cls = &buf_class,
    .take = buf_take,
    .commit = buf_commit,
    .restore = buf_restore,
    .arrive = buf_arrive,
    .drop = buf_drop,
    .loopless = true,
};
