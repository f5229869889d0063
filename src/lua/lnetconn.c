/*
 * lnetconn.c - how connections come about: bind, listen, connect, accept
 *
 * The functions take a socket first and are called by scripts/aio/net.lua,
 * which decides what to try; accept is a method.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lnet.h"

enum { ACCEPT_PAUSE_NS = 50000000 };

static int done(lua_State *L, LuaSock *s, int64_t ret, const char *call)
{
    if (ret < 0) {
        return sock_fail(L, s, ret, call);
    }
    lua_pushboolean(L, true);
    return 1;
}

/* ---- bind, listen ------------------------------------------------------- */

/* From now on close() removes the file. */
static int own_socket_file(LuaSock *s, const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        return 0; /* gone already: nothing to remove */
    }
    s->unlink_path = strdup(path);
    s->unlink_dev = st.st_dev;
    s->unlink_ino = st.st_ino;
    return s->unlink_path ? 0 : -ENOMEM;
}

static bool has_path(const NetAddress *net)
{
    return net->any.sa_family == AF_UNIX && net->un.sun_path[0] != '\0';
}

/* core.bind(socket, address [, perm]) -> true; @perm: of the socket file, which
 * is removed when the socket is closed */
static int core_bind(lua_State *L)
{
    LuaSock *s = sock_check(L);
    const LuaAddress *a = address_check(L, 2);
    int64_t perm = luaL_optinteger(L, 3, -1);

    s->peer = a->net; /* for messages */
    /* The mode of the socket is that of the file, less the umask: no moment
     * in which others can connect. */
    if (has_path(&a->net) && perm >= 0 && fchmod(s->fd, (mode_t)perm) < 0) {
        return sock_fail(L, s, -errno, "chmod");
    }
    if (bind(s->fd, &a->net.any, a->net.len) < 0) {
        return sock_fail(L, s, -errno, "bind");
    }
    if (has_path(&a->net)) {
        return done(L, s, own_socket_file(s, a->net.un.sun_path), "bind");
    }
    return done(L, s, 0, "bind");
}

/* core.listen(socket, backlog) -> true */
static int core_listen(lua_State *L)
{
    LuaSock *s = sock_check(L);
    int backlog = (int)luaL_checkinteger(L, 2);

    if (listen(s->fd, backlog) < 0) {
        return sock_fail(L, s, -errno, "listen");
    }
    s->listening = true;
    s->peer.len = sizeof(s->peer) - offsetof(NetAddress, any);
    getsockname(s->fd, &s->peer.any, &s->peer.len); /* the port it got */
    return done(L, s, 0, "listen");
}

/* ---- connect ------------------------------------------------------------ */

static int64_t connect_wait(SockUse *use)
{
    int err = 0;
    socklen_t len = sizeof(err);
    int ret = sock_wait(use);

    if (ret < 0) {
        return ret;
    }
    getsockopt(use->sock->fd, SOL_SOCKET, SO_ERROR, &err, &len);
    return -err;
}

static int64_t connect_run(SockUse *use, const NetAddress *to)
{
    LuaSock *s = use->sock;
    int ret;

    do {
        ret = connect(s->fd, &to->any, to->len);
    } while (ret < 0 && errno == EINTR); /* as often as signals come */
    if (ret < 0 && errno == EINPROGRESS) {
        return connect_wait(use);
    }
    return ret < 0 ? -errno : 0;
}

/* core.connect(socket, address [, sec]) -> true.  EAGAIN: the queue of a Unix
 * listener is full; only time helps. */
static int core_connect(lua_State *L)
{
    LuaSock *s = sock_check(L);
    const LuaAddress *to = address_check(L, 2);
    int64_t deadline = sock_deadline(L, 3);
    SockUse use;

    s->peer = to->net;
    int64_t ret = sock_enter(L, &use, s, SIDE_WRITE, deadline);
    if (ret == 0) {
        ret = connect_run(&use, &to->net);
        if (ret == 0) {
            s->sides[SIDE_READ].ready = false; /* nobody has sent so far */
            s->sides[SIDE_WRITE].ready = true;
        }
        sock_leave(&use);
    }
    return done(L, s, ret, "connect");
}

/* core.connect_now(socket, address) -> true, without waiting */
static int core_connect_now(lua_State *L)
{
    LuaSock *s = sock_check(L);
    const LuaAddress *to = address_check(L, 2);

    s->peer = to->net;
    int ret = connect(s->fd, &to->net.any, to->net.len);
    return done(L, s, ret < 0 ? -errno : 0, "connect");
}

/* ---- accept ------------------------------------------------------------- */

static bool is_scarcity(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

/* Errors of a connection that ended while it was in the queue. */
static bool is_stillborn(int err)
{
    return err == ECONNABORTED || err == EPROTO || err == EINTR ||
           err == ENETDOWN || err == EHOSTUNREACH || err == ENETUNREACH ||
           err == EHOSTDOWN || err == ENONET || err == ENOPROTOOPT;
}

/* One that the kernel has accepted already. */
static int accept_ahead(LuaSock *s, NetAddress *peer)
{
    int fd = aio_accepted_take(s->handle.owner->ctx, s->fd, s->accepted);

    if (fd >= 0 && s->family != AF_UNIX &&
        getpeername(fd, &peer->any, &peer->len) < 0) {
        peer->len = 0; /* it has been reset: the first recv() says so */
    }
    if (fd < 0 && fd != -EAGAIN) {
        sock_unwatch(s); /* watching it again starts anew */
    }
    return fd;
}

static int accept_one(LuaSock *s, NetAddress *peer)
{
    int fd = -EAGAIN;

    peer->len = sizeof(*peer) - offsetof(NetAddress, any);
    if (s->accepted) {
        fd = accept_ahead(s, peer);
        if (fd != -EAGAIN || aio_accepted_is_armed(s->accepted)) {
            return fd;
        }
    }
    fd = accept4(s->fd, &peer->any, &peer->len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static int64_t accept_now(LuaSock *s, LuaSock *to)
{
    int fd;

    do {
        fd = accept_one(s, &to->peer);
    } while (is_stillborn(-fd)); /* each takes one off the queue */
    if (fd < 0) {
        to->peer.len = 0;
        return fd;
    }
    sock_adopt(to, fd, s->family, s->type);
    if (s->family == AF_UNIX) { /* clients have no name */
        to->peer = s->peer;
    }
    to->external = s->external;
    to->plain_tcp = s->plain_tcp;
    if (s->tls_context && !tls_begin(to, s->tls_context, true, NULL)) {
        return -ENOMEM;
    }
    return 0;
}

static int64_t accept_wait(SockUse *use, LuaSock *to)
{
    for (;;) { /* ends with a connection, an error, or the wait */
        bool now = use->side->ready && !sock_is_held_back(use->sock);
        int64_t ret = now ? accept_now(use->sock, to) : -EAGAIN;

        if (ret < 0 && is_scarcity((int)-ret)) {
            /* The connection stays in the queue: whoever tries again at once
             * would spin. */
            int64_t paused = sock_pause(use, ACCEPT_PAUSE_NS);
            return paused == 0 || paused == SOCK_LATE ? ret : paused;
        }
        if (ret != -EAGAIN) {
            return ret;
        }
        ret = sock_wait(use);
        if (ret < 0) {
            return ret;
        }
    }
}

static LuaSock *check_listener(lua_State *L)
{
    LuaSock *s = sock_check(L);

    luaL_argcheck(L, s->listening, 1,
                  "a listening socket expected (see net.listen)");
    return s;
}

/**
 * sock:accept(sec?: aio.Wait) -> Socket!
 *
 * The next connection. Parks. When descriptors run out: `EMFILE` after a pause
 * of 50 ms.
 */
static int sock_accept(lua_State *L)
{
    LuaSock *s = check_listener(L);
    int64_t deadline = sock_deadline(L, 2);
    SockUse use;

    LuaSock *to = sock_push(L);
    int64_t ret = sock_enter(L, &use, s, SIDE_READ, deadline);
    if (ret == 0) {
        ret = accept_wait(&use, to);
        sock_leave(&use);
    }
    if (ret < 0) {
        handle_close(L, &to->handle);
        return sock_fail(L, s, ret, "accept");
    }
    return 1;
}

/**
 * sock:try_accept() -> Socket|false!
 *
 * The next connection, or `false` when nobody waits. Never parks.
 */
static int sock_try_accept(lua_State *L)
{
    LuaSock *s = check_listener(L);
    int64_t ret = -EAGAIN;
    LuaSock *to = sock_push(L);

    if (!s->sides[SIDE_READ].busy && !sock_is_held_back(s)) {
        ret = accept_now(s, to);
    }
    if (ret == 0) {
        return 1;
    }
    handle_close(L, &to->handle);
    if (ret == -EAGAIN) {
        lua_pushboolean(L, false);
        return 1;
    }
    return sock_fail(L, s, ret, "try_accept");
}

/* core.accept_ahead(listener): connections may be accepted before anybody asks
 * for them, where the kernel can. */
static int core_accept_ahead(lua_State *L)
{
    LuaSock *s = check_listener(L);

    if (!s->accepted && !s->sides[SIDE_READ].waiter) {
        sock_unwatch(s);
        s->accepted = aio_accepted_new(); /* NULL: then it does without */
    }
    return 0;
}

const luaL_Reg sock_conn_methods[] = {
    {"accept", sock_accept},
    {"try_accept", sock_try_accept},
    {NULL, NULL},
};

const luaL_Reg conn_functions[] = {
    {"bind", core_bind},
    {"listen", core_listen},
    {"connect", core_connect},
    {"connect_now", core_connect_now},
    {"accept_ahead", core_accept_ahead},
    {NULL, NULL},
};
