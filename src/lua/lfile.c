/*
 * lfile.c - class aio.file: closing and fields
 *
 * close() closes the file to new
 * operations at once, waits until those in flight have ended, and closes the
 * descriptor on the thread pool too (the last close of a deleted file frees its
 * blocks); its errors are returned.  __close and __gc may run where parking is
 * not possible: they close the descriptor on the spot, or leave that to the
 * last operation in flight.
 *
 * Fields are looked up by a C __index: methods first, then fd, align, ...
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lfile.h"
#include "open.h"
#include "qapi/error.h"

LuaFile *file_check_at(lua_State *L, int arg)
{
    LuaFile *f = alua_check(L, arg, &file_class);
    luaL_argcheck(L, f->fd >= 0 && !f->closing, arg, "the file is closed");
    return f;
}

LuaFile *file_check(lua_State *L)
{
    return file_check_at(L, 1);
}

/* ---- closing ------------------------------------------------------------ */

void file_close_fd(LuaFile *f)
{
    file_drop_slot(f);
    if (!f->borrowed) {
        close(f->fd);
    }
    f->fd = -1;
}

/* __close and __gc */
static int file_drop(lua_State *L)
{
    LuaFile *f = alua_check(L, 1, &file_class);

    if (f->fd >= 0 && f->in_flight == 0) {
        file_close_fd(f);
    }
    f->closing = f->fd >= 0;
    return 0;
}

static int64_t close_call(void *arg)
{
    int fd = *(int *)arg;

    *(int *)arg = -1;
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

/* Cancelled, perhaps before it began: nobody else has the descriptor. */
static void close_now(void *arg)
{
    if (*(int *)arg >= 0) {
        close_call(arg);
    }
}

/* Nothing can be opened under the number before close(2) has run, and no
 * operation starts on it: closing is set. */
static int close_fd(lua_State *L, LuaFile *f)
{
    int fd = f->fd;

    file_drop_slot(f);
    if (fd < 0 || f->borrowed) { /* another closer was faster */
        f->fd = -1;
        lua_pushboolean(L, true);
        return 1;
    }
    f->fd = -1;
    int64_t ret = file_call(L, NULL, close_call, &fd, close_now);
    return file_result(L, f, ret, "close");
}

/**
 * f:close() -> true!
 *
 * Waits for the I/O under way; returns late write errors, which a `<close>`
 * cannot.
 */
static int file_close(lua_State *L)
{
    LuaFile *f = alua_check(L, 1, &file_class);

    if (f->fd < 0) {
        lua_pushboolean(L, true);
        return 1;
    }
    LuaTask *t = task_check_can_park(L);
    f->closing = true;
    while (f->in_flight > 0) {
        Waiter w = {0};
        if (waitq_wait(&f->closers, &w, t, -1) == PARK_CANCELLED) {
            file_drop(L); /* now, or by the last operation */
            task_throw_cancel(L, t);
        }
    }
    return close_fd(L, f);
}

static int file_gc(lua_State *L)
{
    LuaFile *f = lua_touserdata(L, 1);

    if (f->object.cls && f->path) {
        bool leaked = f->fd >= 0 && !f->borrowed;
        file_drop(L);
        if (leaked) {
            lua_warning(L, "aio.file collected while open: ", 1);
            lua_warning(L, f->path, 0);
        }
        free(f->path);
        f->path = NULL;
    }
    return 0;
}

/* ---- fields ------------------------------------------------------------- */

static bool push_field(lua_State *L, const LuaFile *f, const char *key)
{
    if (!strcmp(key, "fd")) {
        lua_pushinteger(L, f->fd);
    } else if (!strcmp(key, "align")) {
        lua_pushinteger(L, f->memory_align > f->offset_align ? f->memory_align
                                                             : f->offset_align);
    } else if (!strcmp(key, "path")) {
        lua_pushstring(L, f->path);
    } else if (!strcmp(key, "engine")) {
        lua_pushstring(L, f->engine ? aio_engine_name(f->engine) : NULL);
    } else if (!strcmp(key, "fallback")) {
        lua_pushstring(L, f->fallback);
    } else if (!strcmp(key, "direct")) {
        lua_pushboolean(L, f->direct);
    } else if (!strcmp(key, "registered")) {
        lua_pushboolean(L, f->slot_ctx != NULL);
    } else {
        return false;
    }
    return true;
}

/* Upvalue 2: the table of methods. */
static int file_index(lua_State *L)
{
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) {
        return 1;
    }
    LuaFile *f = alua_check(L, 1, &file_class);
    if (lua_type(L, 2) != LUA_TSTRING ||
        !push_field(L, f, lua_tostring(L, 2))) {
        lua_pushnil(L);
    }
    return 1;
}

static int file_describe(lua_State *L)
{
    LuaFile *f = alua_check(L, 1, &file_class);

    lua_pushfstring(L, "aio.file (%s%s)", f->path,
                    f->fd < 0   ? ", closed"
                    : f->direct ? ", direct"
                                : "");
    return 1;
}

static const luaL_Reg file_methods[] = {
    {"close", file_close},
    {NULL, NULL},
};

static const luaL_Reg file_metamethods[] = {
    {"__close", file_drop},
    {"__gc", file_gc},
    {"__tostring", file_describe},
    {NULL, NULL},
};

const AluaClass file_class = {
    .name = "aio.file",
    .methods = file_methods,
    .metamethods = file_metamethods,
};

static void open_class(lua_State *L)
{
    alua_class(L, &file_class);
    luaL_getmetatable(L, file_class.name);
    lua_getfield(L, -1, "__index");
    alua_setfuncs(L, file_io_methods);
    alua_setfuncs(L, file_meta_methods);
    alua_setfuncs(L, file_move_methods);
    alua_setfuncs(L, file_lock_methods);
    lua_pushlightuserdata(L, alua_vm_of(L));
    lua_pushvalue(L, -2);
    lua_pushcclosure(L, file_index, 2);
    lua_setfield(L, -3, "__index");
}

/**
 * file.methods: table<string, function>
 *
 * The methods of files, for adding to them.
 */

/**
 * aio.file: aio.file
 *
 * The module of files.
 */
void lfile_open(lua_State *L)
{
    lua_newtable(L);
    alua_setfuncs(L, file_open_functions);
    alua_setfuncs(L, file_fs_functions);
    alua_setfuncs(L, file_attr_functions);
    alua_setfuncs(L, file_std_functions);
    alua_setfuncs(L, file_watch_functions);
    lwatch_open_class(L);
    open_class(L);
    lua_setfield(L, -3, "methods"); /* for what aio/file.lua adds */
    lua_pop(L, 1);
    lua_setfield(L, -2, "file");
}
