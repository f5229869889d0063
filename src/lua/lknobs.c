/*
 * lknobs.c - settings that something changes for a time, and gives back
 *
 * What a setting was is kept when it is changed for the first time.  Settings
 * that others change meanwhile stay as these leave them.
 */
#include "lknobs.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lparams.h"
#include "suggest.h"

typedef AioContextParams Params;

static const size_t knobs[KNOBS] = {
    offsetof(Params, poll_max_ns),     offsetof(Params, poll_grow),
    offsetof(Params, poll_shrink),     offsetof(Params, max_batch),
    offsetof(Params, thread_pool_min), offsetof(Params, thread_pool_max),
};

enum { KNOB_POLL = 0, KNOB_BATCH = 3, KNOB_POOL = 4 };

static int64_t *knob(Params *params, int i)
{
    return (int64_t *)((char *)params + knobs[i]);
}

static int64_t knob_of(const Params *params, int i)
{
    return *(const int64_t *)((const char *)params + knobs[i]);
}

void knobs_check(lua_State *L, int index, const char *whose)
{
    if (!lua_istable(L, index)) {
        luaL_error(L, "%s must be a table of settings, got %s", whose,
                   luaL_typename(L, index));
    }
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        const char *const *k = lparams_keys;
        const char *key =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";

        while (*k && strcmp(*k, key) != 0) {
            k++;
        }
        if (!*k) {
            Suggestion s;
            const char *near = suggest_among(&s, key, lparams_keys);

            luaL_error(L, "%s: unknown setting '%s'%s%s%s", whose, key,
                       near ? " (did you mean '" : "", near ? near : "",
                       near ? "'?)" : "");
        }
    }
}

void knobs_apply(lua_State *L, Knobs *self, LuaContext *owner, int index,
                 const char *whose)
{
    const char *fdmon = aio_context_fdmon(owner->ctx);
    Params old, new;

    knobs_check(L, index, whose);
    aio_context_get_params(owner->ctx, &old);
    if (lua_getfield(L, index, "fdmon") != LUA_TNIL && !*self->fdmon) {
        snprintf(self->fdmon, FDMON_NAME_MAX, "%s", fdmon);
    }
    lua_pop(L, 1);
    if (!lparams_apply(L, index, owner)) {
        luaL_error(L, "%s: %s", whose, lua_tostring(L, -2));
    }
    aio_context_get_params(owner->ctx, &new);
    for (int i = 0; i < KNOBS; i++) {
        if (!self->changed[i] && knob_of(&new, i) != knob_of(&old, i)) {
            self->changed[i] = true;
            *knob(&self->before, i) = knob_of(&old, i);
        }
    }
}

static bool any_changed(const Knobs *self, int first, int end)
{
    while (first < end && !self->changed[first]) {
        first++;
    }
    return first < end;
}

/* Values that were accepted once are accepted again. */
void knobs_restore(const Knobs *self, AioContext *ctx)
{
    Params p;

    aio_context_get_params(ctx, &p);
    for (int i = 0; i < KNOBS; i++) {
        if (self->changed[i]) {
            *knob(&p, i) = knob_of(&self->before, i);
        }
    }
    /* Not otherwise: it makes busy polling begin anew. */
    if (any_changed(self, KNOB_POLL, KNOB_BATCH)) {
        aio_context_set_poll_params(ctx, p.poll_max_ns, p.poll_grow,
                                    p.poll_shrink, NULL);
    }
    if (self->changed[KNOB_BATCH]) {
        aio_context_set_aio_params(ctx, p.max_batch, NULL);
    }
    if (any_changed(self, KNOB_POOL, KNOBS)) {
        aio_context_set_thread_pool_params(ctx, p.thread_pool_min,
                                           p.thread_pool_max, NULL);
    }
    if (*self->fdmon) {
        aio_context_set_fdmon(ctx, self->fdmon, NULL);
    }
}
