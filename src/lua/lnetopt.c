/*
 * lnetopt.c - socket options, by name
 *
 * One table: a new option is a row.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "lnet.h"
#include "suggest.h"

typedef enum OptionKind {
    OPT_FLAG,
    OPT_NUMBER,
    OPT_SIZE, /* the kernel doubles it: get halves */
} OptionKind;

typedef struct SockOption {
    const char *name;
    int level;
    int option;
    OptionKind kind;
    bool read_only;
} SockOption;

static const SockOption options[] = {
    {"nodelay", IPPROTO_TCP, TCP_NODELAY, OPT_FLAG, false},
    {"cork", IPPROTO_TCP, TCP_CORK, OPT_FLAG, false},
    {"keepidle", IPPROTO_TCP, TCP_KEEPIDLE, OPT_NUMBER, false},
    {"keepinterval", IPPROTO_TCP, TCP_KEEPINTVL, OPT_NUMBER, false},
    {"keepcount", IPPROTO_TCP, TCP_KEEPCNT, OPT_NUMBER, false},
    {"user_timeout", IPPROTO_TCP, TCP_USER_TIMEOUT, OPT_NUMBER, false},
    {"keepalive", SOL_SOCKET, SO_KEEPALIVE, OPT_FLAG, false},
    {"reuseaddr", SOL_SOCKET, SO_REUSEADDR, OPT_FLAG, false},
    {"reuseport", SOL_SOCKET, SO_REUSEPORT, OPT_FLAG, false},
    {"broadcast", SOL_SOCKET, SO_BROADCAST, OPT_FLAG, false},
    {"rcvbuf", SOL_SOCKET, SO_RCVBUF, OPT_SIZE, false},
    {"sndbuf", SOL_SOCKET, SO_SNDBUF, OPT_SIZE, false},
    {"error", SOL_SOCKET, SO_ERROR, OPT_NUMBER, true},
    {"v6only", IPPROTO_IPV6, IPV6_V6ONLY, OPT_FLAG, false},
};

enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

static const SockOption *find_option(lua_State *L, int arg)
{
    const char *name = luaL_checkstring(L, arg);
    const char *names[OPTION_COUNT + 1] = {NULL};
    Suggestion suggestion;

    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
        names[i] = options[i].name;
    }
    const char *closest = suggest_among(&suggestion, name, names);
    const char *hint =
        closest ? lua_pushfstring(L, " (did you mean '%s'?)", closest) : "";
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "unknown option '%s'%s", name, hint));
    return NULL;
}

static int option_get(lua_State *L, LuaSock *s, const SockOption *o)
{
    int value = 0;
    socklen_t len = sizeof(value);

    if (getsockopt(s->fd, o->level, o->option, &value, &len) < 0) {
        return sock_fail(L, s, -errno, o->name);
    }
    if (o->kind == OPT_FLAG) {
        lua_pushboolean(L, value);
    } else {
        lua_pushinteger(L, o->kind == OPT_SIZE ? value / 2 : value);
    }
    return 1;
}

static int check_value(lua_State *L, int arg, const SockOption *o)
{
    if (o->kind == OPT_FLAG) {
        luaL_checktype(L, arg, LUA_TBOOLEAN);
        return lua_toboolean(L, arg);
    }
    int64_t value = o->kind == OPT_SIZE ? alua_check_size(L, arg)
                                        : luaL_checkinteger(L, arg);
    luaL_argcheck(L, value >= 0 && value <= INT32_MAX, arg, "out of range");
    return (int)value;
}

/**
 * sock:option(name: string) -> boolean|integer!
 * sock:option(name: string, value: boolean|integer|string) -> true!
 *
 * The value; `true` after setting it. Flags: `nodelay`, `cork`, `keepalive`,
 * `reuseaddr`, `reuseport`, `broadcast`, `v6only`; numbers: `keepidle`,
 * `keepinterval`, `keepcount`, `user_timeout`, `rcvbuf`, `sndbuf`, `error`
 * (read only).
 */
static int sock_option(lua_State *L)
{
    LuaSock *s = sock_check(L);
    const SockOption *o = find_option(L, 2);

    if (lua_isnoneornil(L, 3)) {
        return option_get(L, s, o);
    }
    luaL_argcheck(L, !o->read_only, 2, "this option can only be read");
    int value = check_value(L, 3, o);
    if (setsockopt(s->fd, o->level, o->option, &value, sizeof(value)) < 0) {
        return sock_fail(L, s, -errno, o->name);
    }
    lua_pushboolean(L, true);
    return 1;
}

const luaL_Reg sock_opt_methods[] = {
    {"option", sock_option},
    {NULL, NULL},
};
