/*
 * lwatch.c - class aio.watch: what happens to files and folders (inotify)
 *
 * One inotify instance per object, which may watch many paths; user value 1
 * maps its watch descriptors to them.  Events are read in batches into a buffer
 * of the object and handed out one by one, so a reader that is slow only fills
 * the kernel's queue; when that overflows, an event says so.
 */
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lcheck.h"
#include "lcontext.h"
#include "lfdtable.h"
#include "lfile.h"
#include "lwait.h"

enum { UV_PATHS = 1, EVENTS_SIZE = 4096 };

typedef struct LuaWatch {
    AluaObject object;
    int fd;      /* -1: closed */
    bool ending; /* closed, but tasks that wait for fd have not left yet */
    LuaContext *waits; /* where tasks wait, or waited; NULL: never */
    uint32_t mask;
    size_t at, end; /* of the events that were read */
    _Alignas(struct inotify_event) char events[EVENTS_SIZE];
} LuaWatch;

typedef struct EventName {
    const char *name;
    uint32_t mask;
} EventName;

static const EventName event_names[] = {
    {"access", IN_ACCESS},
    {"modify", IN_MODIFY},
    {"attrib", IN_ATTRIB},
    {"close_write", IN_CLOSE_WRITE},
    {"close_nowrite", IN_CLOSE_NOWRITE},
    {"open", IN_OPEN},
    {"moved_from", IN_MOVED_FROM},
    {"moved_to", IN_MOVED_TO},
    {"create", IN_CREATE},
    {"delete", IN_DELETE},
    {"delete_self", IN_DELETE_SELF},
    {"move_self", IN_MOVE_SELF},
    {"unmount", IN_UNMOUNT},
    {"overflow", IN_Q_OVERFLOW},
};

enum {
    EVENT_NAMES = sizeof(event_names) / sizeof(event_names[0]),
    /* All but those that mere readers cause. */
    MASK_DEFAULT = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM |
                   IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF |
                   IN_MOVE_SELF,
};

static const AluaClass watch_class;

static LuaWatch *watch_check(lua_State *L)
{
    LuaWatch *self = alua_check(L, 1, &watch_class);

    luaL_argcheck(L, self->fd >= 0 && !self->ending, 1, "the watch is closed");
    return self;
}

/* ---- options ------------------------------------------------------------ */

static uint32_t mask_of_name(lua_State *L, int index)
{
    const char *name = lua_tostring(L, index);

    for (int i = 0; name && i < EVENT_NAMES; i++) {
        if (!strcmp(name, event_names[i].name)) {
            return event_names[i].mask;
        }
    }
    return luaL_error(L,
                      "option 'events': unknown event '%s' (such are "
                      "create, delete, modify, close_write, moved_to)",
                      luaL_tolstring(L, index, NULL));
}

static uint32_t mask_option(lua_State *L, int arg)
{
    static const char *const known[] = {"events", NULL};
    uint32_t mask = 0;

    if (lua_isnoneornil(L, arg)) {
        return MASK_DEFAULT;
    }
    luaL_checktype(L, arg, LUA_TTABLE);
    alua_check_options(L, arg, known);
    if (lua_getfield(L, arg, "events") == LUA_TNIL) {
        return MASK_DEFAULT;
    }
    if (!lua_istable(L, -1) || lua_rawlen(L, -1) == 0) {
        luaL_error(L, "option 'events': a list of names expected, got %s",
                   luaL_typename(L, -1));
    }
    for (lua_Unsigned i = 1; i <= lua_rawlen(L, -1); i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        mask |= mask_of_name(L, -1);
        lua_pop(L, 1);
    }
    return mask;
}

/* ---- watching ----------------------------------------------------------- */

/* The path at @arg; 0, or the error triple pushed. */
static int watch_path(lua_State *L, LuaWatch *self, int arg)
{
    const char *path = lcheck_path(L, arg);
    int wd = inotify_add_watch(self->fd, path, self->mask);

    if (wd < 0 && errno == ENOSPC) {
        lua_pushfstring(L,
                        "%s: the limit of watches is reached, see "
                        "/proc/sys/fs/inotify/max_user_watches",
                        path);
        return alua_fail(L, ENOSPC, lua_tostring(L, -1), "watch");
    }
    if (wd < 0) {
        return alua_fail(L, errno, path, "watch");
    }
    lua_getiuservalue(L, 1, UV_PATHS);
    lua_pushvalue(L, arg);
    lua_rawseti(L, -2, wd);
    lua_pop(L, 1);
    return 0;
}

/**
 * class aio.WatchOptions
 *
 * events?: string[] - names of events
 */

/**
 * class aio.WatchEvent
 *
 * kind: string - one of the events; `"overflow"`: the kernel has dropped some
 * path: string - what is watched
 * name?: string - what it happened to, in a folder
 * dir?: true - that is a folder itself
 * cookie?: integer - of both halves of a move
 */

/**
 * class Watch (watch)
 *
 * What happens to files and folders.
 */

/**
 * file.watch(path: string, options?: aio.WatchOptions) -> Watch!
 *
 * Watches a file, or what is in a folder (not deeper). Events: `"create"`,
 * `"delete"`, `"modify"`, `"attrib"`, `"close_write"`, `"moved_from"`,
 * `"moved_to"`, `"delete_self"`, `"move_self"`, and if asked for `"access"`,
 * `"open"`, `"close_nowrite"`.
 */
static int watch_new(lua_State *L)
{
    uint32_t mask = mask_option(L, 2);

    lcheck_path(L, 1);
    LuaWatch *self = alua_new(L, &watch_class, sizeof(*self), 1);
    self->fd = -1;
    lua_newtable(L);
    lua_setiuservalue(L, -2, UV_PATHS);
    self->mask = mask;
    self->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (self->fd < 0) {
        return alua_fail(L, errno,
                         errno == EMFILE ? "too many, see /proc/sys/fs/inotify/"
                                           "max_user_instances and ulimit -n"
                                         : "inotify",
                         "watch");
    }
    lua_insert(L, 1); /* where methods have it */
    lua_settop(L, 2);
    int failed = watch_path(L, self, 2);
    if (failed) {
        close(self->fd);
        self->fd = -1;
        return failed;
    }
    lua_settop(L, 1);
    return 1;
}

/**
 * watch:add(path: string) -> true!
 *
 * Watches this one too.
 */
static int watch_add(lua_State *L)
{
    LuaWatch *self = watch_check(L);
    int failed = watch_path(L, self, 2);

    if (!failed) {
        lua_pushboolean(L, true);
    }
    return failed ? failed : 1;
}

/* ---- events ------------------------------------------------------------- */

static void push_kind(lua_State *L, uint32_t mask)
{
    for (int i = 0; i < EVENT_NAMES; i++) {
        if (mask & event_names[i].mask) {
            lua_pushstring(L, event_names[i].name);
            return;
        }
    }
    lua_pushnil(L);
}

static void push_event(lua_State *L, const struct inotify_event *event)
{
    lua_createtable(L, 0, 5);
    push_kind(L, event->mask);
    lua_setfield(L, -2, "kind");
    lua_getiuservalue(L, 1, UV_PATHS);
    lua_rawgeti(L, -1, event->wd);
    lua_setfield(L, -3, "path");
    lua_pop(L, 1);
    if (event->len > 0) {
        lua_pushstring(L, event->name);
        lua_setfield(L, -2, "name");
    }
    if (event->mask & IN_ISDIR) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "dir");
    }
    if (event->cookie) {
        lua_pushinteger(L, event->cookie);
        lua_setfield(L, -2, "cookie");
    }
}

/* The kernel watches it no more: the number may come again. */
static void forget(lua_State *L, int wd)
{
    lua_getiuservalue(L, 1, UV_PATHS);
    lua_pushnil(L);
    lua_rawseti(L, -2, wd);
    lua_pop(L, 1);
}

/* Pushes the next event that was read already, if there is one. */
static bool take_event(lua_State *L, LuaWatch *self)
{
    while (self->at < self->end) {
        struct inotify_event *event = (void *)(self->events + self->at);

        if (event->mask & IN_IGNORED) {
            forget(L, event->wd);
        } else {
            push_event(L, event);
        }
        self->at += sizeof(*event) + event->len;
        if (!(event->mask & IN_IGNORED)) {
            return true;
        }
    }
    return false;
}

/* 1: events were read; 0: there are none now; else a negative errno. */
static int read_events(LuaWatch *self)
{
    ssize_t n;

    do {
        n = read(self->fd, self->events, sizeof(self->events));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN ? 0 : -errno;
    }
    self->at = 0;
    self->end = (size_t)n;
    return 1;
}

/* Closes the descriptor once nobody waits for it; a task that is cancelled in
 * that moment leaves it to the collector. */
static void watch_drop(LuaWatch *self)
{
    if (self->fd >= 0 &&
        (!self->waits || !lfdtable_watch(self->waits, self->fd))) {
        close(self->fd);
        self->fd = -1;
        self->ending = false;
    }
}

/**
 * watch:next(sec?: aio.Wait) -> aio.WatchEvent!
 *
 * The next event. Parks.
 */
static int watch_next(lua_State *L)
{
    LuaWatch *self = watch_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));

    self->waits = lcontext_of_task(alua_vm(L), task_check_can_park(L));
    while (!take_event(L, self)) {
        int got = read_events(self);

        if (got < 0) {
            return alua_fail(L, -got, "inotify", "watch:next");
        }
        if (got == 0 && !lwait_fd(L, self->fd, LWAIT_READ, deadline)) {
            return alua_timeout(L);
        }
        if (self->ending) {
            watch_drop(self);
            return alua_fail(L, ECANCELED, "the watch was closed",
                             "watch:next");
        }
    }
    return 1;
}

/* A generic for passes the last value too, which is no timeout. */
static int watch_step(lua_State *L)
{
    lua_settop(L, 1);
    return watch_next(L);
}

/**
 * watch:iter() -> fun(): aio.WatchEvent|nil
 *
 * An iterator over `next`.
 */
static int watch_iter(lua_State *L)
{
    watch_check(L);
    lua_pushvalue(L, lua_upvalueindex(1)); /* the VM, as for methods */
    lua_pushcclosure(L, watch_step, 1);
    lua_pushvalue(L, 1);
    return 2;
}

/**
 * watch:fd() -> integer
 *
 * A descriptor that is readable while there are events.
 */
static int watch_fd(lua_State *L)
{
    lua_pushinteger(L, watch_check(L)->fd);
    return 1;
}

/**
 * watch:close()
 *
 * Tasks that wait in it get `ECANCELED`. May be called twice.
 */
static int watch_close(lua_State *L)
{
    LuaWatch *self = alua_check(L, 1, &watch_class);

    if (self->fd >= 0 && !self->ending) {
        self->ending = true;
        if (!self->waits || !lwait_wake(self->waits, self->fd)) {
            watch_drop(self);
        }
    }
    return 0;
}

static int watch_gc(lua_State *L)
{
    LuaWatch *self = alua_check(L, 1, &watch_class);

    if (self->fd >= 0 && !self->ending) {
        lua_warning(L, "aio.watch collected while open", 0);
    }
    self->waits = NULL; /* nobody waits: a waiter has it on its stack */
    watch_drop(self);
    return 0;
}

static int watch_tostring(lua_State *L)
{
    LuaWatch *self = alua_check(L, 1, &watch_class);

    lua_pushfstring(L, "aio.watch%s",
                    self->fd < 0 || self->ending ? " (closed)" : "");
    return 1;
}

static const luaL_Reg watch_methods[] = {
    {"add", watch_add}, {"next", watch_next},   {"iter", watch_iter},
    {"fd", watch_fd},   {"close", watch_close}, {NULL, NULL},
};

static const luaL_Reg watch_metamethods[] = {
    {"__close", watch_close},
    {"__gc", watch_gc},
    {"__tostring", watch_tostring},
    {NULL, NULL},
};

static const AluaClass watch_class = {
    .name = "aio.watch",
    .methods = watch_methods,
    .metamethods = watch_metamethods,
};

const luaL_Reg file_watch_functions[] = {
    {"watch", watch_new},
    {NULL, NULL},
};

void lwatch_open_class(lua_State *L)
{
    alua_class(L, &watch_class);
}
