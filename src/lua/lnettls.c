/*
 * lnettls.c - a socket's data through TLS
 *
 * The session (tlsops.h) works on the descriptor and never waits; here it is
 * told to go on when the side it asked for is ready.  A handshake that failed
 * closes the socket: what has gone back and forth means nothing to anybody.
 */
#include <errno.h>
#include <string.h>

#include "lnet.h"

/* ---- the session -------------------------------------------------------- */

/* A session's result as ours. */
static int64_t tls_result(LuaSock *s, int64_t ret)
{
    if (ret == TLS_WANT_READ || ret == TLS_WANT_WRITE) {
        s->tls_side = ret == TLS_WANT_READ ? SIDE_READ : SIDE_WRITE;
        return -EAGAIN;
    }
    return ret;
}

bool tls_begin(LuaSock *s, TlsContext *context, bool server,
               const char *servername)
{
    s->session = context->ops->session_new(context, s->fd, server, servername);
    if (!s->session) {
        return false;
    }
    s->tls = context->ops;
    s->sides[SIDE_READ].ready = s->sides[SIDE_WRITE].ready = true;
    return true;
}

int tls_wants(const LuaSock *s)
{
    return s->tls_side;
}

const char *tls_reason(const LuaSock *s)
{
    return s->session ? s->tls->reason(s->session) : NULL;
}

int64_t tls_read_some(LuaSock *s, void *base, size_t n)
{
    int64_t ret = s->tls->read(s->session, base, n);

    if (ret > 0) {
        s->sides[SIDE_READ].ready = s->tls->pending(s->session) > 0;
        s->tls_side = SIDE_READ; /* what to wait for if it is not */
    }
    return tls_result(s, ret);
}

int64_t tls_write_some(LuaSock *s, const void *base, size_t n)
{
    return n == 0 ? 0 : tls_result(s, s->tls->write(s->session, base, n));
}

void tls_drop(LuaSock *s)
{
    s->tls->goodbye(s->session); /* if there is room for it */
    s->tls->session_free(s->session);
    s->session = NULL;
    s->tls = NULL;
}

/* ---- handshake ---------------------------------------------------------- */

static int64_t handshake(SockUse *use)
{
    LuaSock *s = use->sock;

    for (;;) { /* ends: done, failed, or the wait */
        int64_t ret = tls_result(s, s->tls->handshake(s->session));

        if (ret != -EAGAIN) {
            return ret;
        }
        ret = sock_wait_for(use, s->tls_side);
        if (ret < 0) {
            return ret;
        }
    }
}

static void check_plain(lua_State *L, const LuaSock *s)
{
    luaL_argcheck(L, sock_is_stream(s) && s->family != AF_UNSPEC, 1,
                  "a stream socket expected");
    luaL_argcheck(L, !s->session, 1, "the socket has TLS already");
    luaL_argcheck(L, !s->listening, 1, "a connection expected, no listener");
    luaL_argcheck(L, !s->sides[SIDE_READ].busy && !s->sides[SIDE_WRITE].busy, 1,
                  "another task uses the socket");
}

static TlsContext *check_context(lua_State *L, int arg)
{
    TlsContext *context = luaL_checkudata(L, arg, TLS_CONTEXT_CLASS);

    luaL_argcheck(L, context->ops->version == TLS_OPS_VERSION, arg,
                  "the module aio.tls is of another version");
    return context;
}

static int handshake_failed(lua_State *L, LuaSock *s, int64_t ret)
{
    if (ret == SOCK_CANCELLED) {
        handle_close(L, &s->handle);
    }
    int results = sock_fail(L, s, ret, "TLS handshake");

    handle_close(L, &s->handle);
    sock_wake_all(s);
    return results;
}

/*
 * core.set_tls(socket, context, server, servername or nil)
 * From now on the data goes through TLS.  The handshake comes with the first
 * recv or send, or core.handshake().
 */
static int core_set_tls(lua_State *L)
{
    LuaSock *s = sock_check(L);
    TlsContext *context = check_context(L, 2);
    bool server = lua_toboolean(L, 3);
    const char *servername = luaL_optstring(L, 4, NULL);

    check_plain(L, s);
    if (s->input_end > s->input_at) {
        return luaL_error(L, "data received before the handshake is still to "
                             "be read: it was not protected");
    }
    if (!tls_begin(s, context, server, servername)) {
        return luaL_error(L, "not enough memory");
    }
    return 0;
}

/* core.set_tls_context(listener, context): what it accepts has TLS */
static int core_set_tls_context(lua_State *L)
{
    LuaSock *s = sock_check(L);

    s->tls_context = check_context(L, 2);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, 1, SOCK_UV_TLS);
    return 0;
}

/* core.handshake(socket [, sec]) -> true; a failure closes the socket */
static int core_handshake(lua_State *L)
{
    LuaSock *s = sock_check(L);
    int64_t deadline = sock_deadline(L, 2);
    SockUse use;

    luaL_argcheck(L, s->session, 1, "the socket has no TLS");
    int64_t ret = sock_enter(L, &use, s, SIDE_READ, deadline);
    if (ret == 0) {
        ret = handshake(&use);
        sock_leave(&use);
    }
    if (ret < 0) {
        return handshake_failed(L, s, ret);
    }
    lua_pushboolean(L, true);
    return 1;
}

/* ---- the end ------------------------------------------------------------ */

static int64_t say_goodbye(lua_State *L, LuaSock *s, int64_t deadline_ns)
{
    SockUse use;
    int64_t ret = sock_enter(L, &use, s, SIDE_WRITE, deadline_ns);

    if (ret < 0) {
        return ret;
    }
    for (;;) { /* ends: said, failed, or the wait */
        ret = tls_result(s, s->tls->goodbye(s->session));
        if (ret != -EAGAIN) {
            break;
        }
        ret = sock_wait_for(&use, s->tls_side);
        if (ret < 0) {
            break;
        }
    }
    sock_leave(&use);
    return ret;
}

/**
 * sock:shutdown(how?: "r"|"w"|"rw", sec?: aio.Wait) -> true!
 *
 * `"w"`: the peer reads the end and may still send. With TLS this says goodbye
 * first. A pipe is closed.
 */
static int sock_shutdown(lua_State *L)
{
    static const char *const names[] = {"r", "w", "rw", NULL};
    static const int hows[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    LuaSock *s = sock_check(L);
    int how = hows[luaL_checkoption(L, 2, "w", names)];
    int64_t deadline = sock_deadline(L, 3);
    int64_t ret = 0;

    if (s->family == AF_UNSPEC) { /* it has one direction */
        handle_close(L, &s->handle);
        sock_wake_all(s);
    } else {
        if (s->session && how != SHUT_RD) {
            ret = say_goodbye(L, s, deadline);
        }
        if (ret == 0 && shutdown(s->fd, how) < 0) {
            ret = -errno;
        }
    }
    if (ret < 0) {
        return sock_fail(L, s, ret, "shutdown");
    }
    lua_pushboolean(L, true);
    return 1;
}

/**
 * class aio.TlsFacts
 *
 * protocol: string - `"TLSv1.3"`
 * cipher: string
 * alpn?: string - the protocol that both agreed on
 * subject?: string - of the peer's certificate
 * issuer?: string - of the peer's certificate
 */

/**
 * sock:tls() -> aio.TlsFacts|nil
 *
 * What was agreed on; `nil` when there is no TLS.
 */
static int sock_tls(lua_State *L)
{
    static const char *const names[] = {"protocol", "cipher", "alpn",
                                        "subject",  "issuer", NULL};
    LuaSock *s = sock_check(L);

    if (!s->session) {
        lua_pushnil(L);
        return 1;
    }
    lua_newtable(L);
    for (int i = 0; names[i]; i++) {
        lua_pushstring(L, s->tls->fact(s->session, names[i]));
        lua_setfield(L, -2, names[i]);
    }
    return 1;
}

const luaL_Reg sock_tls_methods[] = {
    {"shutdown", sock_shutdown},
    {"tls", sock_tls},
    {NULL, NULL},
};

const luaL_Reg tls_functions[] = {
    {"set_tls", core_set_tls},
    {"set_tls_context", core_set_tls_context},
    {"handshake", core_handshake},
    {NULL, NULL},
};
