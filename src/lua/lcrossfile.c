/*
 * lcrossfile.c - files that another thread gets, too
 *
 * The descriptor is duplicated: each thread has a file of its own on the same
 * open file description, and closes its own.  The engine is made ready for the
 * receiver's context.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lcross.h"
#include "lfile.h"

static void *file_take(lua_State *L, int arg, const char **why)
{
    const LuaFile *f = lua_touserdata(L, arg);
    LuaFile *copy = NULL;

    if (f->fd < 0 || f->closing) {
        *why = "a closed file cannot be sent to another thread";
        return NULL;
    }
    int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        *why = errno == EMFILE ? "the file cannot be sent: EMFILE, no "
                                 "descriptor is left (ulimit -n)"
                               : "the file cannot be sent: its descriptor "
                                 "cannot be duplicated";
        return NULL;
    }
    copy = malloc(sizeof(*copy));
    char *path = strdup(f->path);
    if (!copy || !path) {
        free(copy);
        free(path);
        close(fd);
        *why = "not enough memory";
        return NULL;
    }
    *copy = *f;
    copy->fd = fd;
    copy->path = path;
    copy->borrowed = false; /* the duplicate is the receiver's to close */
    copy->slot_ctx = NULL;  /* and not registered anywhere */
    copy->slot = 0;
    copy->uses = 0;
    return copy;
}

static void file_drop(void *what)
{
    LuaFile *copy = what;

    close(copy->fd);
    free(copy->path);
    free(copy);
}

static void file_arrive(lua_State *L, CrossObject *o)
{
    LuaFile *f = alua_new(L, &file_class, sizeof(*f), 0);
    LuaFile *copy = o->what;
    AluaObject object = f->object;

    *f = *copy;
    f->object = object;
    f->in_flight = 0;
    f->closers = (WaitQueue){NULL, NULL};
    o->what = NULL;
    free(copy);
    f->ctx = f->object.vm->home->ctx;
    f->engine = aio_engine_get(f->ctx, aio_engine_name(f->engine), f->direct,
                               NULL, NULL);
    if (!f->engine) { /* out of descriptors, say: the thread pool still works */
        f->engine = aio_engine_get(f->ctx, "threads", f->direct, NULL, NULL);
    }
}

const CrossClass file_cross = {
    .cls = &file_class,
    .take = file_take,
    .arrive = file_arrive,
    .drop = file_drop,
};
