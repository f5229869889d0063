/*
 * lcross.c - messages between VMs, and the classes whose objects cross
 */
#include "lcross.h"

#include <stdlib.h>

static const CrossClass *const cross_classes[] = {
    &chan_cross,  &buf_cross,    &file_cross,    &sock_cross,
    &waker_cross, &remote_cross, &context_cross,
};

const CrossClass *cross_class_of(lua_State *L, int arg)
{
    const AluaObject *o = lua_touserdata(L, arg);

    if (!o || lua_rawlen(L, arg) < sizeof(*o)) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof(cross_classes) / sizeof(cross_classes[0]);
         i++) {
        if (o->cls == cross_classes[i]->cls) {
            return cross_classes[i];
        }
    }
    return NULL;
}

void cross_hold(lua_State *L, int held, int index, unsigned n)
{
    if (lua_isnil(L, held)) {
        lua_newtable(L);
        lua_replace(L, held);
    }
    lua_pushvalue(L, index);
    lua_rawseti(L, held, (lua_Integer)n + 1);
}

const char *cross_push_loopless(lua_State *L, const CrossClass *cls)
{
    return lua_pushfstring(L,
                           "%s cannot be used in aio.offload(), which has no "
                           "loop (aio.iothread() has one)",
                           cls->cls->name);
}

CrossObject *cross_reserve_object(CrossPack *pack)
{
    if (pack->nobjects > 0) {
        CrossObject *more =
            realloc(pack->more, pack->nobjects * sizeof(CrossObject));

        if (!more) {
            return NULL;
        }
        pack->more = more;
    }
    return cross_object(pack, pack->nobjects);
}

void cross_restore(CrossPack *pack)
{
    for (unsigned i = 0; i < pack->nobjects; i++) {
        CrossObject *o = cross_object(pack, i);

        if (o->cls->restore) {
            o->cls->restore(o->from, o->what);
            o->what = NULL;
        }
    }
    cross_free(pack);
}

void cross_reset(CrossPack *pack)
{
    for (unsigned i = 0; i < pack->nobjects; i++) {
        CrossObject *o = cross_object(pack, i);

        if (o->what) {
            o->cls->drop(o->what);
        }
    }
    free(pack->more);
    pack->more = NULL;
    pack->nobjects = 0;
    pack->len = 0;
    pack->has_refs = pack->light = false;
}

void cross_free(CrossPack *pack)
{
    if (pack) {
        cross_reset(pack);
        free(pack);
    }
}
