/*
 * lfdtable.c - who watches which file descriptor of a context
 *
 * An array indexed by descriptor (the kernel hands out small numbers), grown by
 * doubling.  Home thread only.  Entries are dropped before what they point to.
 */
#include "lfdtable.h"
#include "lwait.h"

#include <stdlib.h>
#include <string.h>

typedef struct FdUser {
    const LuaHandle *handle;
    struct LuaFdWatch *watch;
    LuaFdYield *yield; /* a shy one: ask it to let go */
    void *shy;
} FdUser;

struct LuaFdTable {
    int size;
    FdUser users[];
};

static FdUser *user_of(const LuaContext *c, int fd)
{
    return c->fds && fd < c->fds->size ? &c->fds->users[fd] : NULL;
}

/* The entry of @fd, made if need be; NULL when there is no memory. */
static FdUser *user_make(LuaContext *c, int fd)
{
    int old_size = c->fds ? c->fds->size : 0;
    int size = old_size ? old_size : 64;
    struct LuaFdTable *table;

    if (fd < old_size) {
        return &c->fds->users[fd];
    }
    while (size <= fd) {
        size = size > INT32_MAX / 2 ? INT32_MAX : size * 2;
    }
    table = realloc(c->fds, sizeof(*table) + (size_t)size * sizeof(FdUser));
    if (!table) {
        return NULL;
    }
    memset(&table->users[old_size], 0,
           (size_t)(size - old_size) * sizeof(FdUser));
    table->size = size;
    c->fds = table;
    return &table->users[fd];
}

void lfdtable_check(lua_State *L, LuaContext *c, int fd, bool waiting)
{
    FdUser *user = user_make(c, fd);
    char what[160];

    if (!user) {
        luaL_error(L, "not enough memory to watch fd %d", fd);
    }
    if (user->watch && !waiting) {
        lwait_let_go(user->watch);
    }
    if (user->yield && !user->yield(user->shy)) {
        luaL_error(L,
                   "fd %d cannot be watched: a task waits in a method of "
                   "its socket",
                   fd);
    }
    if (user->handle) {
        handle_describe(user->handle, what, sizeof(what));
        luaL_error(L,
                   "fd %d already has a handler: %s; delete it first, or "
                   "use its set()",
                   fd, what);
    }
    if (user->watch && !waiting) {
        luaL_error(L, "fd %d cannot get a handler: a task waits for it", fd);
    }
}

void lfdtable_claim(LuaContext *c, int fd, const LuaHandle *h)
{
    user_of(c, fd)->handle = h;
}

void lfdtable_claim_watch(LuaContext *c, int fd, struct LuaFdWatch *watch)
{
    user_of(c, fd)->watch = watch;
}

bool lfdtable_claim_shy(LuaContext *c, int fd, LuaFdYield *yield, void *opaque)
{
    FdUser *user = user_make(c, fd);

    if (user && user->watch) {
        lwait_let_go(user->watch);
    }
    if (!user || user->handle || user->watch ||
        (user->yield && !user->yield(user->shy))) {
        return false;
    }
    user->yield = yield;
    user->shy = opaque;
    return true;
}

struct LuaFdWatch *lfdtable_watch(const LuaContext *c, int fd)
{
    FdUser *user = user_of(c, fd);

    return user ? user->watch : NULL;
}

bool lfdtable_is_used(const LuaContext *c, int fd)
{
    FdUser *user = user_of(c, fd);

    return user && (user->handle || user->watch);
}

void lfdtable_drop(LuaContext *c, int fd)
{
    FdUser *user = user_of(c, fd);

    if (user) {
        *user = (FdUser){0};
    }
}

void lfdtable_free(LuaContext *c)
{
    free(c->fds);
    c->fds = NULL;
}
