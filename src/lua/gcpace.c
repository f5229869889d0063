/*
 * gcpace.c - how often a small heap is collected
 *
 * Lua starts a collection when its heap has doubled.  A small one has doubled
 * after a few dozen reads, and then all of it, the libraries included, is
 * looked through for a few dozen strings.  So the pause is such that up to
 * GARBAGE_KIB come together first.  The loop looks at the heap's size every
 * few turns: where it grows again after it has shrunk, a collection has ended,
 * and what is left is alive.
 *
 * Rule: a script that sets a pause of its own has the last word.
 */
#include "vm_private.h"

enum {
    GARBAGE_KIB = 2048,
    PAUSE_MIN = 200, /* per cent of the heap: Lua's own */
    PAUSE_MAX = 400, /* the heap may grow much before it is looked at again */
};

/* A multiple of 4, which is how Lua keeps it. */
static int pause_for(int heap_kib)
{
    int percent = 100 + GARBAGE_KIB * 100 / (heap_kib + 1);

    percent = percent < PAUSE_MIN ? PAUSE_MIN : percent;
    return (percent > PAUSE_MAX ? PAUSE_MAX : percent) & ~3;
}

static void set_pause(lua_State *L, LuaVMPrivate *priv, int heap_kib)
{
    int wanted = pause_for(heap_kib);
    int before = lua_gc(L, LUA_GCSETPAUSE, wanted);

    if (before == (priv->pause ? priv->pause : PAUSE_MIN)) {
        priv->pause = wanted;
    } else { /* somebody else's */
        lua_gc(L, LUA_GCSETPAUSE, before);
        priv->pace = false;
    }
}

void gcpace_look(LuaVM *vm)
{
    LuaVMPrivate *priv = vm->priv;
    int kib = lua_gc(vm->home->L, LUA_GCCOUNT);

    if (kib < priv->heap_kib) {
        priv->heap_shrinks = true;
    } else if (priv->heap_shrinks) {
        priv->heap_shrinks = false;
        set_pause(vm->home->L, priv, priv->heap_kib);
    }
    priv->heap_kib = kib;
}
