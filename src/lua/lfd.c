/*
 * lfd.c - class aio.fd: Lua functions run when a file descriptor is ready
 *
 * Lifetime: user values 1..6 are the callbacks (order of callbacks[]), 7 the
 * context, 8 the object the descriptor came from, so that it is not collected
 * and closed while watched.  A handler is armed as long as it has a callback;
 * closing it leaves the descriptor open: that belongs to the script.
 *
 * A descriptor has one handler per context (lfdtable.h).  The core's handler
 * is replaced whole by each set(), as its interface demands.
 */
#include "block/aio.h"
#include "lcheck.h"
#include "lcontext.h"
#include "lfdtable.h"
#include "open.h"

typedef enum FdCallback {
    CB_READ = 1, /* user values 1..6 */
    CB_WRITE,
    CB_POLL,
    CB_POLL_READY,
    CB_POLL_BEGIN,
    CB_POLL_END,
    UV_CONTEXT,
    UV_OBJECT,
    UV_COUNT = UV_OBJECT,
} FdCallback;

/* Keys of set(); the constructor takes the rest, too. */
static const char *const callbacks[] = {
    NULL, "read", "write", "poll", "poll_ready", "poll_begin", "poll_end",
};
static const char *const set_options[] = {
    "read",       "write",    "poll",     "poll_ready",
    "poll_begin", "poll_end", "external", NULL,
};
static const char *const new_options[] = {
    "read",     "write",    "poll", "poll_ready", "poll_begin",
    "poll_end", "external", "name", "ctx",        NULL,
};

typedef struct LuaFd {
    LuaHandle handle;
    int fd;
    bool external;
    bool has[CB_POLL_END + 1]; /* which callbacks are set */
} LuaFd;

/* One question whether there is work; on the C stack. */
typedef struct FdPoll {
    LuaFd *self;
    bool progress; /* what the callback returned */
} FdPoll;

static const AluaClass fd_class;

static LuaFd *fd_check(lua_State *L)
{
    LuaFd *self = alua_check(L, 1, &fd_class);

    lcheck_open(L, &self->handle);
    return self;
}

static void fd_on_read(void *opaque)
{
    alua_call(opaque, CB_READ);
}

static void fd_on_write(void *opaque)
{
    alua_call(opaque, CB_WRITE);
}

static int fd_poll(lua_State *L) /* the protected half of fd_on_poll() */
{
    FdPoll *poll = lua_touserdata(L, 1);

    alua_pushanchored(L, &poll->self->handle.object);
    lua_getiuservalue(L, -1, CB_POLL);
    lua_pushvalue(L, -2); /* -3 keeps it alive when it closes itself */
    lua_call(L, 1, 1);
    poll->progress = lua_toboolean(L, -1);
    return 0;
}

static bool fd_on_poll(void *opaque)
{
    FdPoll poll = {.self = opaque};

    alua_enter(&poll.self->handle, fd_poll, &poll);
    return poll.progress;
}

static void fd_on_poll_ready(void *opaque)
{
    alua_call(opaque, CB_POLL_READY);
}

static void fd_on_poll_begin(void *opaque)
{
    alua_call(opaque, CB_POLL_BEGIN);
}

static void fd_on_poll_end(void *opaque)
{
    alua_call(opaque, CB_POLL_END);
}

static bool fd_watches(const LuaFd *self)
{
    return self->has[CB_READ] || self->has[CB_WRITE] || self->has[CB_POLL];
}

/* Make the core's handler say what has[] says. */
static void fd_install(LuaFd *self)
{
    AioContext *ctx = self->handle.owner->ctx;
    const bool *has = self->has;

    aio_set_fd_handler(
        ctx, self->fd, self->external, has[CB_READ] ? fd_on_read : NULL,
        has[CB_WRITE] ? fd_on_write : NULL, has[CB_POLL] ? fd_on_poll : NULL,
        has[CB_POLL] ? fd_on_poll_ready : NULL, self);
    if (fd_watches(self)) {
        aio_set_fd_poll(ctx, self->fd,
                        has[CB_POLL_BEGIN] ? fd_on_poll_begin : NULL,
                        has[CB_POLL_END] ? fd_on_poll_end : NULL);
    }
}

static void fd_release(LuaHandle *h)
{
    LuaFd *self = (LuaFd *)h;

    aio_set_fd_handler(h->owner->ctx, self->fd, self->external, NULL, NULL,
                       NULL, NULL, NULL);
    lfdtable_drop(h->owner, self->fd);
}

/* What the table at 2 says, merged with what is set, checked as a whole. */
static void fd_check_callbacks(lua_State *L, LuaFd *self, bool *has)
{
    for (int cb = CB_READ; cb <= CB_POLL_END; cb++) {
        int type = lua_getfield(L, 2, callbacks[cb]);

        if (type == LUA_TFUNCTION) {
            has[cb] = true;
        } else if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)) {
            has[cb] = false;
        } else if (type != LUA_TNIL) {
            luaL_error(L, "field '%s' must be a function or false, got %s",
                       callbacks[cb], luaL_typename(L, -1));
        } else {
            has[cb] = self->has[cb];
        }
        lua_pop(L, 1);
    }
    if (has[CB_POLL] != has[CB_POLL_READY]) {
        luaL_error(L, "'poll' and 'poll_ready' are set together: poll says "
                      "whether there is work, poll_ready does it");
    }
}

/* Applies the table at 2 to the handler at @index. */
static void fd_apply(lua_State *L, LuaFd *self, int index)
{
    bool has[CB_POLL_END + 1] = {false};

    fd_check_callbacks(L, self, has);
    for (int cb = CB_READ; cb <= CB_POLL_END; cb++) {
        if (lua_getfield(L, 2, callbacks[cb]) != LUA_TNIL) {
            lua_setiuservalue(L, index, cb);
        } else {
            lua_pop(L, 1);
        }
        self->has[cb] = has[cb];
    }
    if (lua_getfield(L, 2, "external") != LUA_TNIL) {
        self->external = lua_toboolean(L, -1);
    }
    lua_pop(L, 1);
    alua_refresh(L, index);
    if (fd_watches(self)) {
        handle_arm(L, &self->handle, index);
    } else {
        handle_disarm(L, &self->handle);
    }
    fd_install(self);
}

/**
 * alias aio.Descriptor = integer|file*|table|userdata
 *
 * A file descriptor: an integer, an `io` file, or an object with `fd`, `getfd`
 * or `fileno`.
 */

/**
 * class FdHandler (handler)
 *
 * Callbacks of the loop that run while a descriptor is ready.
 */

/**
 * class aio.FdOptions
 *
 * read?: fun(handler: FdHandler)|false - called while it is readable or hung
 *     up
 * write?: fun(handler: FdHandler)|false - called while it is writable
 * poll?: fun(): boolean|false - called when the loop busy-polls; says whether
 *     there is work
 * poll_ready?: fun()|false - called for the work that `poll` has found
 * poll_begin?: fun()|false - before a polling phase
 * poll_end?: fun()|false - after one
 * external?: boolean - pause it under `ctx:disable_external()`
 * name?: string - for messages; by default where it was created
 * ctx?: Context - by default the current one
 */

/**
 * aio.fd(fd: aio.Descriptor, options: aio.FdOptions) -> FdHandler!
 *
 * Watches a descriptor. `nil, message, errno` when it is not open; raises when
 * it has a handler or a waiting task in that context. The descriptor is not
 * closed with the handler.
 */
static int fd_new(lua_State *L)
{
    bool has[CB_POLL_END + 1];
    LuaContext *owner;
    LuaFd *self;
    int fd = lcheck_fd(L, 1);

    luaL_checktype(L, 2, LUA_TTABLE);
    alua_check_options(L, 2, new_options);
    lua_settop(L, 2);
    lcheck_name(L, 2);          /* at 3 */
    lcheck_context(L, 2);       /* at 4 */
    owner = lcontext_opt(L, 4); /* at 5 */
    if (!lcheck_fd_is_open(fd)) {
        return lcheck_fail_fd(L, fd, "aio.fd");
    }
    self = alua_new(L, &fd_class, sizeof(*self), UV_COUNT); /* at 6 */
    lua_pushvalue(L, 5);
    lua_setiuservalue(L, 6, UV_CONTEXT);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, 6, UV_OBJECT);
    self->fd = fd;
    fd_check_callbacks(L, self, has);
    lfdtable_check(L, owner, fd, false);
    handle_open(L, &self->handle, owner, "fd", 3);
    lfdtable_claim(owner, fd, &self->handle);
    self->handle.release = fd_release;
    fd_apply(L, self, 6);
    return 1;
}

/**
 * handler:set(options: aio.FdOptions) -> FdHandler
 *
 * Replaces the callbacks given; `false` removes one; the others stay.
 */
static int fd_set_callbacks(lua_State *L)
{
    LuaFd *self = fd_check(L);

    luaL_checktype(L, 2, LUA_TTABLE);
    alua_check_options(L, 2, set_options);
    fd_apply(L, self, 1);
    lua_settop(L, 1);
    return 1;
}

/**
 * handler:fd() -> integer
 *
 * The descriptor.
 */
static int fd_number(lua_State *L)
{
    lua_pushinteger(L, fd_check(L)->fd);
    return 1;
}

/**
 * handler:delete()
 * handler:close()
 *
 * Stop watching. The descriptor stays open. May be called twice.
 */
static int fd_close(lua_State *L)
{
    LuaFd *self = alua_check(L, 1, &fd_class);

    handle_close(L, &self->handle);
    return 0;
}

static int fd_tostring(lua_State *L)
{
    return lcheck_tostring(L, alua_check(L, 1, &fd_class));
}

static const luaL_Reg fd_methods[] = {
    {"set", fd_set_callbacks},
    {"fd", fd_number},
    {"delete", fd_close},
    {"close", fd_close},
    {"ref", handle_ref},
    {"unref", handle_unref},
    {NULL, NULL},
};

static const luaL_Reg fd_metamethods[] = {
    {"__close", fd_close},
    {"__gc", fd_close},
    {"__tostring", fd_tostring},
    {NULL, NULL},
};

static const AluaClass fd_class = {
    .name = "aio.fd",
    .methods = fd_methods,
    .metamethods = fd_metamethods,
    .is_handle = true,
};

static const luaL_Reg fd_functions[] = {
    {"fd", fd_new},
    {NULL, NULL},
};

void lfd_open(lua_State *L)
{
    alua_class(L, &fd_class);
    alua_setfuncs(L, fd_functions);
}
