/*
 * fds_module.c - Lua module bench_fds: eventfds, for who cannot make them
 *
 * What our programs and those under stock Lua call to write and read one, so
 * that both pay the same.
 */
#include <lauxlib.h>
#include <lua.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* open() -> fd */
static int fds_open(lua_State *L)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0) {
        return luaL_error(L, "eventfd failed");
    }
    lua_pushinteger(L, fd);
    return 1;
}

/* reserve(count): room for so many descriptors more */
static int fds_reserve(lua_State *L)
{
    rlim_t wanted = (rlim_t)luaL_checkinteger(L, 1) + 64;
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            return luaL_error(L, "not enough open files (ulimit -Hn)");
        }
    }
    return 0;
}

/* set(fd): makes it readable */
static int fds_set(lua_State *L)
{
    uint64_t one = 1;

    if (write((int)lua_tointeger(L, 1), &one, sizeof(one)) != sizeof(one)) {
        return luaL_error(L, "eventfd: write failed");
    }
    return 0;
}

/* drain(fd): reads it; raises if it was not readable */
static int fds_drain(lua_State *L)
{
    uint64_t value;

    if (read((int)lua_tointeger(L, 1), &value, sizeof(value)) !=
        sizeof(value)) {
        return luaL_error(L, "eventfd: nothing to read");
    }
    return 0;
}

/* user_ns() -> user time of the process */
static int fds_user_ns(lua_State *L)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    lua_pushnumber(L, (lua_Number)usage.ru_utime.tv_sec * 1e9 +
                          (lua_Number)usage.ru_utime.tv_usec * 1e3);
    return 1;
}

__attribute__((visibility("default"))) int luaopen_bench_fds(lua_State *L);

int luaopen_bench_fds(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"open", fds_open},   {"reserve", fds_reserve}, {"set", fds_set},
        {"drain", fds_drain}, {"user_ns", fds_user_ns}, {NULL, NULL},
    };

    luaL_newlib(L, functions);
    return 1;
}
