/*
 * lfileengine.c - which engine a file uses
 *
 * Chosen when the file is opened, and made ready for the context of the task
 * that opened it.  A task of another context asks again for its own.
 */
#include <errno.h>
#include <string.h>

#include "lfile.h"
#include "qapi/error.h"

static bool is_engine(const char *name)
{
    size_t len = strcspn(name, "!");

    for (const char *const *p = aio_engine_names(); *p; p++) {
        if (strlen(*p) == len && strncmp(*p, name, len) == 0) {
            return true;
        }
    }
    return false;
}

/* A name nobody knows is misuse and raises; a refusal is the error triple. */
static int engine_fail(lua_State *L, const char *name, Error *err)
{
    if (error_get_errno(err) != 0 || !is_engine(name)) {
        return alua_raise_error(L, err);
    }
    lua_pushnil(L);
    lua_pushfstring(L, "ENOTSUP: %s", error_get_pretty(err));
    lua_pushinteger(L, ENOTSUP);
    error_free(err);
    return 3;
}

int file_pick_engine(lua_State *L, LuaFile *f, AioContext *ctx,
                     const char *name)
{
    const char *standard = alua_vm(L)->default_engine;
    Error *err = NULL;

    name = name ? name : standard ? standard : "auto";
    f->ctx = ctx;
    f->engine = aio_engine_get(ctx, name, f->direct, &f->fallback, &err);
    return f->engine ? 0 : engine_fail(L, name, err);
}

const AioEngine *file_engine(LuaFile *f, const LuaTask *t)
{
    AioContext *ctx = task_context(t);

    if (f->ctx == ctx) {
        return f->engine;
    }
    Error *err = NULL;
    const AioEngine *engine =
        aio_engine_get(ctx, aio_engine_name(f->engine), f->direct, NULL, &err);
    if (!engine) { /* out of descriptors, say: the thread pool still works */
        error_free(err);
        engine = aio_engine_get(ctx, "threads", f->direct, NULL, NULL);
    }
    return engine;
}
