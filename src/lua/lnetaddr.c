/*
 * lnetaddr.c - class aio.address: where a socket is, as a value
 *
 * An address is immutable, compares by value, and its text is what net.dial()
 * takes.  Only numeric addresses and Unix paths: names are lresolve.c's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lnet.h"

static const char *scheme_of(const NetAddress *net, int type)
{
    if (net->any.sa_family == AF_UNIX) {
        return type == SOCK_DGRAM       ? "unix-dgram"
               : type == SOCK_SEQPACKET ? "unix-seqpacket"
                                        : "unix";
    }
    return type == SOCK_DGRAM ? "udp" : "tcp";
}

/* ---- text --------------------------------------------------------------- */

static size_t path_length(const NetAddress *net)
{
    size_t header = offsetof(struct sockaddr_un, sun_path);
    size_t n = net->len > header ? net->len - header : 0;

    /* A path ends at its zero; an abstract name may contain zeros. */
    return n > 0 && net->un.sun_path[0] ? strnlen(net->un.sun_path, n) : n;
}

/* For messages: zeros are shown as '@', as /proc/net/unix does. */
static void unix_text(const NetAddress *net, char *buf, size_t size)
{
    size_t n = path_length(net);

    n = n < size ? n : size - 1;
    for (size_t i = 0; i < n; i++) {
        char c = net->un.sun_path[i];

        buf[i] = (char)(c ? c : '@');
    }
    buf[n] = '\0';
}

/* For the script: what net.dial() takes, zeros and all. */
static void push_unix(lua_State *L, const NetAddress *net)
{
    size_t n = path_length(net);
    const char *path = net->un.sun_path;

    if (n > 0 && path[0] == '\0') {
        lua_pushliteral(L, "@");
        lua_pushlstring(L, path + 1, n - 1);
        lua_concat(L, 2);
    } else {
        lua_pushlstring(L, path, n);
    }
}

static void host_text(const NetAddress *net, char *buf, size_t size)
{
    char scope[IF_NAMESIZE + 1] = "";

    if (net->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &net->in.sin_addr, buf, (socklen_t)size);
        return;
    }
    inet_ntop(AF_INET6, &net->in6.sin6_addr, buf, (socklen_t)size);
    if (net->in6.sin6_scope_id) {
        scope[0] = '%';
        if (!if_indextoname(net->in6.sin6_scope_id, scope + 1)) {
            snprintf(scope, sizeof(scope), "%%%u", net->in6.sin6_scope_id);
        }
        strncat(buf, scope, size - strlen(buf) - 1);
    }
}

void address_text(const NetAddress *net, int type, char *buf, size_t size)
{
    char host[ADDRESS_TEXT_MAX];

    if (net->len == 0) {
        snprintf(buf, size, "?");
    } else if (net->any.sa_family == AF_UNIX) {
        unix_text(net, host, sizeof(host));
        snprintf(buf, size, "%s:%s", scheme_of(net, type), host);
    } else if (net->any.sa_family == AF_INET) {
        host_text(net, host, sizeof(host));
        snprintf(buf, size, "%s:%s:%u", scheme_of(net, type), host,
                 ntohs(net->in.sin_port));
    } else {
        host_text(net, host, sizeof(host));
        snprintf(buf, size, "%s:[%s]:%u", scheme_of(net, type), host,
                 ntohs(net->in6.sin6_port));
    }
}

/* ---- making ------------------------------------------------------------- */

void address_push(lua_State *L, const NetAddress *net, int type)
{
    LuaAddress *a = alua_new(L, &address_class, sizeof(*a), 0);

    a->type = type;
    a->net = *net;
}

const LuaAddress *address_check(lua_State *L, int arg)
{
    return alua_check(L, arg, &address_class);
}

static bool scope_id(const char *scope, uint32_t *id)
{
    char *end;

    *id = if_nametoindex(scope);
    if (*id == 0) {
        unsigned long n = strtoul(scope, &end, 10);
        *id = *end || end == scope || n > UINT32_MAX ? 0 : (uint32_t)n;
    }
    return *id != 0;
}

/* "fe80::1%eth0" */
static bool parse_in6(const char *host, struct sockaddr_in6 *in6)
{
    char plain[INET6_ADDRSTRLEN + 1];
    const char *percent = strchr(host, '%');
    size_t n = percent ? (size_t)(percent - host) : strlen(host);

    if (n >= sizeof(plain)) {
        return false;
    }
    memcpy(plain, host, n);
    plain[n] = '\0';
    if (inet_pton(AF_INET6, plain, &in6->sin6_addr) != 1) {
        return false;
    }
    return !percent || scope_id(percent + 1, &in6->sin6_scope_id);
}

static bool parse_numeric(const char *host, uint16_t port, NetAddress *net)
{
    *net = (NetAddress){0};
    if (inet_pton(AF_INET, host, &net->in.sin_addr) == 1) {
        net->in.sin_family = AF_INET;
        net->in.sin_port = htons(port);
        net->len = sizeof(net->in);
    } else if (parse_in6(host, &net->in6)) {
        net->in6.sin6_family = AF_INET6;
        net->in6.sin6_port = htons(port);
        net->len = sizeof(net->in6);
    }
    return net->len > 0;
}

/* SOCK_STREAM etc. from "stream", "datagram", "seqpacket" at @arg. */
static int check_type(lua_State *L, int arg)
{
    static const char *const names[] = {"stream", "datagram", "seqpacket",
                                        NULL};
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};

    return types[luaL_checkoption(L, arg, "stream", names)];
}

/* core.numeric(host, port [, type]) -> address, or nil when it is a name */
static int address_numeric(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1);
    lua_Integer port = luaL_checkinteger(L, 2);
    NetAddress net;

    luaL_argcheck(L, port >= 0 && port <= 65535, 2,
                  "a port is a number from 0 to 65535");
    int type = check_type(L, 3);
    if (parse_numeric(host, (uint16_t)port, &net)) {
        address_push(L, &net, type);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/* core.unix(path [, type]) -> address; "@name" is in the abstract namespace */
static int address_unix(lua_State *L)
{
    size_t n;
    const char *path = luaL_checklstring(L, 1, &n);
    int type = check_type(L, 2);
    NetAddress net = {.un = {.sun_family = AF_UNIX}};
    size_t header = offsetof(struct sockaddr_un, sun_path);

    luaL_argcheck(L, n > 0, 1, "the path of a socket must not be empty");
    if (n >= sizeof(net.un.sun_path)) {
        return luaL_argerror(
            L, 1,
            lua_pushfstring(L,
                            "the path of a socket has at most %d bytes, "
                            "this one %d: \"%s\"",
                            (int)sizeof(net.un.sun_path) - 1, (int)n, path));
    }
    luaL_argcheck(L, path[0] == '@' || strlen(path) == n, 1,
                  "the path of a socket must not contain zeros");
    memcpy(net.un.sun_path, path, n);
    if (path[0] == '@') {
        net.un.sun_path[0] = '\0';
        net.len = (socklen_t)(header + n);
    } else {
        net.len = (socklen_t)(header + n + 1);
    }
    address_push(L, &net, type);
    return 1;
}

const luaL_Reg address_functions[] = {
    {"numeric", address_numeric},
    {"unix", address_unix},
    {NULL, NULL},
};

/* ---- properties --------------------------------------------------------- */

static int address_tostring(lua_State *L)
{
    const LuaAddress *a = address_check(L, 1);
    char text[ADDRESS_TEXT_MAX];

    if (a->net.len > 0 && a->net.any.sa_family == AF_UNIX) {
        lua_pushfstring(L, "%s:", scheme_of(&a->net, a->type));
        push_unix(L, &a->net);
        lua_concat(L, 2);
        return 1;
    }
    address_text(&a->net, a->type, text, sizeof(text));
    lua_pushstring(L, text);
    return 1;
}

static bool same_type(const LuaAddress *a, const LuaAddress *b)
{
    return a->type == b->type && a->net.any.sa_family == b->net.any.sa_family;
}

static int address_eq(lua_State *L)
{
    const LuaAddress *a = alua_test(L, 1, &address_class);
    const LuaAddress *b = alua_test(L, 2, &address_class);

    lua_pushboolean(L, a && b && same_type(a, b) && a->net.len == b->net.len &&
                           memcmp(&a->net.any, &b->net.any, a->net.len) == 0);
    return 1;
}

/**
 * address:host() -> string|nil
 *
 * As in `"127.0.0.1"` or `"::1"`; `nil` for Unix.
 */
static int address_host(lua_State *L)
{
    const LuaAddress *a = address_check(L, 1);
    char host[ADDRESS_TEXT_MAX];

    if (a->net.any.sa_family == AF_UNIX || a->net.len == 0) {
        lua_pushnil(L);
    } else {
        host_text(&a->net, host, sizeof(host));
        lua_pushstring(L, host);
    }
    return 1;
}

/**
 * address:port() -> integer|nil
 *
 * `nil` for Unix.
 */
static int address_port(lua_State *L)
{
    const LuaAddress *a = address_check(L, 1);

    if (a->net.any.sa_family == AF_INET) {
        lua_pushinteger(L, ntohs(a->net.in.sin_port));
    } else if (a->net.any.sa_family == AF_INET6) {
        lua_pushinteger(L, ntohs(a->net.in6.sin6_port));
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/**
 * address:path() -> string|nil
 *
 * As in `"/run/x"`, `"@abstract"` or `""` (no name); `nil` for others.
 */
static int address_path(lua_State *L)
{
    const LuaAddress *a = address_check(L, 1);

    if (a->net.any.sa_family == AF_UNIX) {
        push_unix(L, &a->net);
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/**
 * address:family() -> "ipv4"|"ipv6"|"unix"
 */
static int address_family(lua_State *L)
{
    int family = address_check(L, 1)->net.any.sa_family;

    lua_pushstring(L, family == AF_INET    ? "ipv4"
                      : family == AF_INET6 ? "ipv6"
                                           : "unix");
    return 1;
}

/**
 * address:type() -> aio.SocketType
 */
static int address_type(lua_State *L)
{
    int type = address_check(L, 1)->type;

    lua_pushstring(L, type == SOCK_DGRAM       ? "datagram"
                      : type == SOCK_SEQPACKET ? "seqpacket"
                                               : "stream");
    return 1;
}

static const luaL_Reg address_methods[] = {
    {"host", address_host},     {"port", address_port}, {"path", address_path},
    {"family", address_family}, {"type", address_type}, {NULL, NULL},
};

static const luaL_Reg address_metamethods[] = {
    {"__tostring", address_tostring},
    {"__eq", address_eq},
    {NULL, NULL},
};

const AluaClass address_class = {
    .name = "aio.address",
    .methods = address_methods,
    .metamethods = address_metamethods,
};
