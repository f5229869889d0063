/*
 * lnet.c - class aio.socket: making, closing, fields; module aio.net.core
 *
 * A socket is a handle that is never armed: nothing is called, tasks wait.  So
 * it is ordinary garbage while nobody waits, closes with its context, and
 * aio.handles() tells where it was made.  scripts/aio/net.lua is built on the
 * functions of aio.net.core, which are not for scripts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lcontext.h"
#include "lnet.h"
#include "open.h"
#include "suggest.h"

LuaSock *sock_check_slow(lua_State *L)
{
    LuaSock *s = alua_check(L, 1, &sock_class);

    if (unlikely(s->fd < 0)) {
        luaL_argerror(L, 1, "the socket is closed");
    }
    return s;
}

void sock_describe(const LuaSock *s, char *buf, size_t size)
{
    if (s->family == AF_UNSPEC) {
        snprintf(buf, size, "pipe, fd %d", s->fd);
    } else if (s->peer.len == 0) {
        snprintf(buf, size, "socket, fd %d", s->fd);
    } else {
        address_text(&s->peer, s->type, buf, size);
    }
}

/* ---- closing ------------------------------------------------------------ */

/* Only the file we made: somebody may have put another one in its place. */
static void unlink_socket_file(LuaSock *s)
{
    struct stat st;

    if (lstat(s->unlink_path, &st) == 0 && st.st_dev == s->unlink_dev &&
        st.st_ino == s->unlink_ino) {
        unlink(s->unlink_path);
    }
    free(s->unlink_path);
    s->unlink_path = NULL;
}

void sock_close_fd(LuaSock *s)
{
    if (s->unlink_path) {
        unlink_socket_file(s);
    }
    close(s->fd);
    s->fd = -1;
    free(s->input);
    s->input = NULL;
    s->input_at = s->input_end = s->input_size = 0;
}

static void sock_release(LuaHandle *h)
{
    LuaSock *s = (LuaSock *)h;

    if (s->session) {
        tls_drop(s);
    }
    if (s->fd >= 0) {
        sock_unwatch(s);
        if (s->accepted) {
            aio_accepted_free(s->accepted);
            s->accepted = NULL;
        }
        sock_close_fd(s);
    }
}

/**
 * sock:close() -> true
 *
 * Tasks that wait in it get `ECANCELED`. May be called twice.
 */
static int sock_close(lua_State *L)
{
    LuaSock *s = alua_check(L, 1, &sock_class);

    if (s->fd >= 0) {
        handle_close(L, &s->handle);
        sock_wake_all(s);
    }
    lua_pushboolean(L, true);
    return 1;
}

static int sock_gc(lua_State *L)
{
    LuaSock *s = lua_touserdata(L, 1);
    char what[ADDRESS_TEXT_MAX];

    if (s->fd >= 0 && s->handle.owner) {
        sock_describe(s, what, sizeof(what));
        lua_warning(L, "aio.socket collected while open: ", 1);
        lua_warning(L, what, 0);
    }
    if (s->handle.owner) {
        handle_close(L, &s->handle);
    }
    return 0;
}

/* ---- making ------------------------------------------------------------- */

LuaSock *sock_push(lua_State *L)
{
    LuaVM *vm = alua_vm(L);
    LuaSock *s = alua_new(L, &sock_class, sizeof(*s), SOCK_UV_COUNT);

    s->fd = -1;
    lcontext_push(L, vm->home);
    lua_setiuservalue(L, -2, SOCK_UV_CONTEXT);
    handle_open(L, &s->handle, vm->home, "socket", 0);
    s->handle.release = sock_release;
    s->scratch = sock_scratch(L);
    return s;
}

void sock_adopt(LuaSock *s, int fd, int family, int type)
{
    s->fd = fd;
    s->family = family;
    s->type = type;
    /* Unknown: the first call finds out. */
    s->sides[SIDE_READ].ready = s->sides[SIDE_WRITE].ready = true;
}

/* core.socket(address) -> socket of its family and type, not connected */
static int core_socket(lua_State *L)
{
    const LuaAddress *a = address_check(L, 1);
    int family = a->net.any.sa_family;
    LuaSock *s = sock_push(L);
    int fd = socket(family, a->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        int err = errno;
        char text[ADDRESS_TEXT_MAX];
        address_text(&a->net, a->type, text, sizeof(text));
        return alua_fail(L, err, text, "socket");
    }
    sock_adopt(s, fd, family, a->type);
    s->plain_tcp = family != AF_UNIX && a->type == SOCK_STREAM;
    s->peer = a->net;
    return 1;
}

/* core.pair(type) -> socket, socket */
static int core_pair(lua_State *L)
{
    static const char *const names[] = {"stream", "datagram", "seqpacket",
                                        NULL};
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    int type = types[luaL_checkoption(L, 1, "stream", names)];
    LuaSock *a = sock_push(L);
    LuaSock *b = sock_push(L);
    int fds[2];

    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
        return alua_fail(L, errno, NULL, "socketpair");
    }
    sock_adopt(a, fds[0], AF_UNIX, type);
    sock_adopt(b, fds[1], AF_UNIX, type);
    return 2;
}

/* ---- for scripts/aio/net.lua -------------------------------------------- */

/* core.is_socket(value) -> boolean */
static int core_is_socket(lua_State *L)
{
    lua_pushboolean(L, alua_test(L, 1, &sock_class) != NULL);
    return 1;
}

/* core.set_external(socket, boolean) */
static int core_set_external(lua_State *L)
{
    LuaSock *s = sock_check(L);

    sock_unwatch(s);
    s->external = lua_toboolean(L, 2);
    return 0;
}

/* core.is_address(value) -> boolean */
static int core_is_address(lua_State *L)
{
    lua_pushboolean(L, alua_test(L, 1, &address_class) != NULL);
    return 1;
}

/* core.suggest(word, set) -> " (did you mean 'x'?)" or "" */
static int core_suggest(lua_State *L)
{
    Suggestion s;

    suggest_begin(&s, luaL_checkstring(L, 1));
    luaL_checktype(L, 2, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
        suggest_offer(&s, lua_tostring(L, -2));
    }
    const char *best = suggest_best(&s);
    lua_pushfstring(L, best ? " (did you mean '%s'?)" : "", best);
    return 1;
}

/* ---- properties --------------------------------------------------------- */

/**
 * sock:fd() -> integer
 *
 * The descriptor, -1 when it is closed.
 */
static int sock_fd(lua_State *L)
{
    LuaSock *s = alua_check(L, 1, &sock_class);

    lua_pushinteger(L, s->fd);
    return 1;
}

/**
 * sock:is_closed() -> boolean
 */
static int sock_is_closed(lua_State *L)
{
    LuaSock *s = alua_check(L, 1, &sock_class);

    lua_pushboolean(L, s->fd < 0);
    return 1;
}

typedef int NameCall(int fd, struct sockaddr *addr, socklen_t *len);

static int push_name(lua_State *L, NameCall *call, const char *name)
{
    LuaSock *s = sock_check(L);
    NetAddress net = {.len = sizeof(net) - offsetof(NetAddress, any)};

    if (s->family == AF_UNSPEC) {
        return sock_fail(L, s, -ENOTSOCK, name);
    }
    if (call(s->fd, &net.any, &net.len) < 0) {
        return sock_fail(L, s, -errno, name);
    }
    address_push(L, &net, s->type);
    return 1;
}

/**
 * sock:name() -> Address!
 *
 * The address of this end.
 */
static int sock_name(lua_State *L)
{
    return push_name(L, getsockname, "name");
}

/**
 * sock:peer() -> Address!
 *
 * The address of the other end.
 */
static int sock_peer(lua_State *L)
{
    return push_name(L, getpeername, "peer");
}

static int sock_tostring(lua_State *L)
{
    LuaSock *s = alua_check(L, 1, &sock_class);
    char what[ADDRESS_TEXT_MAX];

    sock_describe(s, what, sizeof(what));
    lua_pushfstring(L, "aio.socket (%s%s%s)", what, s->session ? ", TLS" : "",
                    s->fd < 0 ? ", closed" : "");
    return 1;
}

/* ---- tables ------------------------------------------------------------- */

static const luaL_Reg sock_methods[] = {
    {"close", sock_close}, {"is_closed", sock_is_closed}, {"fd", sock_fd},
    {"name", sock_name},   {"peer", sock_peer},           {NULL, NULL},
};

static const luaL_Reg sock_metamethods[] = {
    {"__close", sock_close},
    {"__gc", sock_gc},
    {"__tostring", sock_tostring},
    {NULL, NULL},
};

const AluaClass sock_class = {
    .name = "aio.socket",
    .methods = sock_methods,
    .metamethods = sock_metamethods,
    .is_handle = true,
};

static const luaL_Reg core_functions[] = {
    {"socket", core_socket},
    {"pair", core_pair},
    {"is_socket", core_is_socket},
    {"set_external", core_set_external},
    {"is_address", core_is_address},
    {"suggest", core_suggest},
    {NULL, NULL},
};

static void open_class(lua_State *L)
{
    alua_class(L, &address_class);
    alua_class(L, &sock_class);
    luaL_getmetatable(L, sock_class.name);
    lua_getfield(L, -1, "__index");
    alua_setfuncs(L, sock_recv_methods);
    alua_setfuncs(L, sock_line_methods);
    alua_setfuncs(L, sock_send_methods);
    alua_setfuncs(L, sock_msg_methods);
    alua_setfuncs(L, sock_conn_methods);
    alua_setfuncs(L, sock_opt_methods);
    alua_setfuncs(L, sock_tls_methods);
    lua_remove(L, -2);
}

/* require "aio.net.core": functions, and the methods for what is added in Lua
 */
static int open_core(lua_State *L)
{
    lua_newtable(L);
    alua_setfuncs(L, core_functions);
    alua_setfuncs(L, wrap_functions);
    alua_setfuncs(L, address_functions);
    alua_setfuncs(L, conn_functions);
    alua_setfuncs(L, message_functions);
    alua_setfuncs(L, tls_functions);
    alua_setfuncs(L, resolve_functions);
    netlock_open(L);
    open_class(L);
    lua_setfield(L, -2, "methods");
    return 1;
}

void lnet_open(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open_core);
    lua_setfield(L, -2, "aio.net.core");
    lua_pop(L, 1);
}
