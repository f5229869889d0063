/*
 * linfo.c - aio.probe(): what this machine and this build can do
 *
 * Plain facts in one table; wording and layout are scripts/info.lua's.  Probing
 * a monitor or an engine sets one up and drops it again.
 */
#include <errno.h>
#include <features.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "aioctl/context.h"
#include "aioctl/coroutine.h"
#include "aioctl/request.h"
#include "open.h"
#include "vm.h"

static void set_string(lua_State *L, const char *key, const char *value)
{
    if (value && *value) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, key);
    }
}

static void set_integer(lua_State *L, const char *key, int64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

static void push_kernel(lua_State *L)
{
    struct utsname u;

    lua_newtable(L);
    if (uname(&u) == 0) {
        set_string(L, "system", u.sysname);
        set_string(L, "release", u.release);
        set_string(L, "machine", u.machine);
    }
}

static void push_libraries(lua_State *L)
{
    lua_newtable(L);
    set_string(L, "lua", LUA_RELEASE);
    set_string(L, "liburing", AIOCTL_LIBURING_VERSION);
    set_string(L, "glib", AIOCTL_GLIB_VERSION);
#ifdef __GLIBC__
    set_string(L, "glibc", gnu_get_libc_version());
#endif
}

/* [{name=, usable=, why=}, ...] */
static void push_backends(lua_State *L, const char *const *names,
                          bool (*probe)(const char *name, char **why))
{
    lua_newtable(L);
    for (int i = 0; names[i]; i++) {
        char *why = NULL;
        bool usable = probe(names[i], &why);

        lua_createtable(L, 0, 3);
        set_string(L, "name", names[i]);
        lua_pushboolean(L, usable);
        lua_setfield(L, -2, "usable");
        set_string(L, "why", why);
        free(why);
        lua_rawseti(L, -2, i + 1);
    }
}

static void push_stacks(lua_State *L)
{
    AioStackStats stats = {0};

    aio_co_stack_stats(&stats);
    lua_newtable(L);
    set_string(L, "guard", stats.guard);
    set_string(L, "switcher", stats.switcher);
    set_integer(L, "mapped", (int64_t)stats.mapped);
    set_integer(L, "in_use", (int64_t)stats.in_use);
}

/* Absent when there is no such file, as in a container. */
static void set_from_proc(lua_State *L, const char *key, const char *path)
{
    FILE *file = fopen(path, "re");
    long long value;

    if (file) {
        if (fscanf(file, "%lld", &value) == 1) {
            set_integer(L, key, value);
        }
        fclose(file);
    }
}

/* -1: unlimited. */
static void set_rlimit(lua_State *L, const char *key, int resource)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) == 0) {
        set_integer(L, key,
                    limit.rlim_cur == RLIM_INFINITY ? -1
                                                    : (int64_t)limit.rlim_cur);
    }
}

static void push_limits(lua_State *L)
{
    lua_newtable(L);
    set_rlimit(L, "memlock", RLIMIT_MEMLOCK);
    set_rlimit(L, "nofile", RLIMIT_NOFILE);
    set_rlimit(L, "nproc", RLIMIT_NPROC);
    set_from_proc(L, "aio_max_nr", "/proc/sys/fs/aio-max-nr");
    set_from_proc(L, "aio_nr", "/proc/sys/fs/aio-nr");
    set_from_proc(L, "max_map_count", "/proc/sys/vm/max_map_count");
    set_from_proc(L, "io_uring_disabled", "/proc/sys/kernel/io_uring_disabled");
    set_integer(L, "cpus", sysconf(_SC_NPROCESSORS_ONLN));
}

static void set_fdmon(lua_State *L, const LuaVM *vm)
{
    AioContext *ctx = vm->home ? vm->home->ctx : NULL;

    if (ctx) {
        set_string(L, "fdmon", aio_context_fdmon(ctx));
        set_string(L, "fdmon_fallback", aio_context_fdmon_fallback(ctx));
    }
}

/**
 * class aio.Backend
 *
 * name: string
 * usable: boolean
 * why?: string - why it is not
 */

/**
 * class aio.Probe
 *
 * version: string
 * kernel: table<string, string> - `system`, `release`, `machine`
 * libraries: table<string, string> - versions, as `lua`
 * monitors: aio.Backend[] - best first
 * fdmon?: string - the monitor in use
 * fdmon_fallback?: string - why not the one asked for
 * engines: aio.Backend[] - best first
 * stacks: table<string, string|integer> - how stacks of tasks are guarded and
 *     switched
 * limits: table<string, integer> - of the system, as `memlock`
 */

/**
 * aio.probe() -> aio.Probe
 *
 * What this machine and this build can do; what `aioctl info` shows.
 */
static int info_probe(lua_State *L)
{
    lua_newtable(L);
    set_string(L, "version", AIOCTL_VERSION);
    push_kernel(L);
    lua_setfield(L, -2, "kernel");
    push_libraries(L);
    lua_setfield(L, -2, "libraries");
    push_backends(L, aio_fdmon_names(), aio_fdmon_probe);
    lua_setfield(L, -2, "monitors");
    push_backends(L, aio_engine_names(), aio_engine_probe);
    lua_setfield(L, -2, "engines");
    push_stacks(L);
    lua_setfield(L, -2, "stacks");
    push_limits(L);
    lua_setfield(L, -2, "limits");
    set_fdmon(L, alua_vm(L));
    return 1;
}

/**
 * aio.isatty(fd: integer) -> boolean
 *
 * Is it a terminal?
 */
static int info_isatty(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

void linfo_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"probe", info_probe},
        {"isatty", info_isatty},
        {NULL, NULL},
    };

    alua_setfuncs(L, functions);
}
