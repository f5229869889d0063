/*
 * lnetmsg.c - messages: datagrams with addresses, descriptors over Unix sockets
 *
 * A descriptor travels with at least one byte.  Those that arrive are
 * close-on-exec and belong to the script: net.wrap() makes a socket of one.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lcheck.h"
#include "lnet.h"

enum { FDS_MAX = 253 }; /* SCM_MAX_FD */

typedef union FdControl {
    struct cmsghdr align;
    char space[CMSG_SPACE(FDS_MAX * sizeof(int))];
} FdControl;

/* ---- sending ------------------------------------------------------------ */

/* Waits until the message is sent, as a whole. */
static int64_t message_send(SockUse *use, const struct msghdr *msg)
{
    for (;;) { /* ends: sends, fails, or waits */
        ssize_t sent = -1;

        if (use->side->ready) {
            sent = sendmsg(use->sock->fd, msg, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent >= 0 || (errno != EAGAIN && errno != EINTR)) {
                return sent < 0 ? -errno : sent;
            }
            if (errno == EINTR) {
                continue;
            }
        }
        int ret = sock_wait(use);
        if (ret < 0) {
            return ret;
        }
    }
}

static int send_result(lua_State *L, LuaSock *s, int64_t ret, const char *call)
{
    if (ret < 0) {
        return sock_fail(L, s, ret, call);
    }
    lua_pushinteger(L, ret);
    return 1;
}

static void check_datagram(lua_State *L, const LuaSock *s)
{
    luaL_argcheck(L, s->type == SOCK_DGRAM, 1, "a datagram socket expected");
}

/* core.sendto(socket, data, address [, sec]) -> n */
static int core_sendto(lua_State *L)
{
    LuaSock *s = sock_check(L);
    const LuaAddress *to = address_check(L, 3);
    int64_t deadline = sock_deadline(L, 4);
    FileSpan span;
    SockUse use;

    check_datagram(L, s);
    sock_span(L, 2, &span);
    struct msghdr msg = {
        .msg_name = (void *)&to->net.any,
        .msg_namelen = to->net.len,
        .msg_iov = span.iov,
        .msg_iovlen = (size_t)span.iovcnt,
    };
    int64_t ret = sock_enter(L, &use, s, SIDE_WRITE, deadline);
    if (ret == 0) {
        span_pin(&span);
        ret = message_send(&use, &msg);
        span_unpin(&span);
        sock_leave(&use);
    }
    return send_result(L, s, ret, "sendto");
}

/* Descriptors of argument 2, one or a list, into the control message. */
static int collect_fds(lua_State *L, int *fds)
{
    if (!lua_istable(L, 2) || luaL_getmetafield(L, 2, "__index")) {
        fds[0] = lcheck_fd(L, 2);
        return 1;
    }
    lua_Integer n = luaL_len(L, 2);
    luaL_argcheck(L, n > 0 && n <= FDS_MAX, 2,
                  "a list of 1 to 253 descriptors expected");
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, 2, i);
        fds[i - 1] = lcheck_fd(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    return (int)n;
}

static void check_unix(lua_State *L, const LuaSock *s)
{
    luaL_argcheck(L, s->family == AF_UNIX, 1, "a Unix socket expected");
}

static void fill_control(FdControl *control, const int *fds, int n,
                         struct msghdr *msg)
{
    memset(control, 0, sizeof(*control));
    msg->msg_control = control;
    msg->msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(msg);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
    memcpy(CMSG_DATA(header), fds, (size_t)n * sizeof(int));
}

/**
 * sock:sendfd(fd: aio.Descriptor|aio.Descriptor[], data?: string, sec?:
 *     aio.Wait) -> integer!
 *
 * The bytes of `data` (one zero if left out). Unix sockets only. The
 * descriptors stay open here.
 */
static int sock_sendfd(lua_State *L)
{
    LuaSock *s = sock_check(L);
    int64_t deadline = sock_deadline(L, 4);
    size_t len = 1;
    int fds[FDS_MAX];
    FdControl control;
    SockUse use;

    check_unix(L, s);
    const char *data = luaL_optlstring(L, 3, "", &len);
    len = len ? len : 1; /* the zero at its end */
    int n = collect_fds(L, fds);
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    fill_control(&control, fds, n, &msg);
    int64_t ret = sock_enter(L, &use, s, SIDE_WRITE, deadline);
    if (ret == 0) {
        ret = message_send(&use, &msg);
        sock_leave(&use);
    }
    return send_result(L, s, ret, "sendfd");
}

/* ---- receiving ---------------------------------------------------------- */

/* As sock_read_wait(), with address and control data. */
static int64_t message_receive(SockUse *use, struct msghdr *msg)
{
    socklen_t name_size = msg->msg_namelen;
    size_t control_size = msg->msg_controllen;
    int flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC |
                (sock_is_stream(use->sock) ? 0 : MSG_TRUNC);

    for (;;) { /* ends: receives, fails, or waits */
        if (use->side->ready && !sock_is_held_back(use->sock)) {
            msg->msg_namelen = name_size;
            msg->msg_controllen = control_size;
            ssize_t got = recvmsg(use->sock->fd, msg, flags);
            if (got >= 0 || (errno != EAGAIN && errno != EINTR)) {
                return got < 0 ? -errno : got;
            }
            if (errno == EINTR) {
                continue;
            }
        }
        int ret = sock_wait(use);
        if (ret < 0) {
            return ret;
        }
    }
}

/* A message of @got bytes did not fit into @n. */
static int fail_cut(lua_State *L, LuaSock *s, int64_t got, size_t n,
                    const char *call)
{
    char what[ADDRESS_TEXT_MAX];

    sock_describe(s, what, sizeof(what));
    lua_pushfstring(L, "%s: a message of %I bytes was cut to %I", what,
                    (LUAI_UACINT)got, (LUAI_UACINT)n);
    return alua_fail(L, EMSGSIZE, lua_tostring(L, -1), call);
}

/**
 * sock:recvfrom(what?: integer|Buf, sec?: aio.Wait) -> string|integer|nil,
 *     Address|string, integer?
 *
 * As `recv`, and the address of the sender.
 */
static int sock_recvfrom(lua_State *L)
{
    LuaSock *s = sock_check(L);
    int64_t deadline = sock_deadline(L, 3);
    NetAddress from = {.len = sizeof(from) - offsetof(NetAddress, any)};
    LuaBuf *buf = buf_test(L, 2);
    SockUse use;

    check_datagram(L, s);
    lua_Integer n =
        buf ? (lua_Integer)buf->size : luaL_optinteger(L, 2, SCRATCH_SIZE);
    luaL_argcheck(L, n > 0, 2, "a count must be positive");
    struct iovec iov = {
        .iov_base = buf                 ? (void *)buf->base
                    : n <= SCRATCH_SIZE ? (void *)s->scratch
                                        : lua_newuserdatauv(L, (size_t)n, 0),
        .iov_len = (size_t)n,
    };
    struct msghdr msg = {
        .msg_name = &from.any,
        .msg_namelen = from.len,
        .msg_iov = &iov,
        .msg_iovlen = 1,
    };
    int64_t got = sock_enter(L, &use, s, SIDE_READ, deadline);
    if (got == 0) {
        if (buf) {
            buf_pin(buf);
        }
        got = message_receive(&use, &msg);
        if (buf) {
            buf_unpin(buf);
        }
        sock_leave(&use);
    }
    if (got < 0) {
        return sock_fail(L, s, got, "recvfrom");
    }
    if (got > n) {
        return fail_cut(L, s, got, (size_t)n, "recvfrom");
    }
    if (buf) {
        lua_pushinteger(L, got);
    } else {
        lua_pushlstring(L, iov.iov_base, (size_t)got);
    }
    from.len = msg.msg_namelen;
    address_push(L, &from, s->type);
    return 2;
}

static int take_fds(const struct msghdr *msg, int *fds)
{
    int n = 0;

    for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h;
         h = CMSG_NXTHDR((struct msghdr *)msg, h)) {
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
            size_t bytes = h->cmsg_len - CMSG_LEN(0);
            memcpy(fds + n, CMSG_DATA(h), bytes);
            n += (int)(bytes / sizeof(int));
        }
    }
    return n;
}

static void close_fds(const int *fds, int n)
{
    for (int i = 0; i < n; i++) {
        close(fds[i]);
    }
}

typedef struct FdResult {
    const char *data;
    size_t len;
    const int *fds;
    int count;
} FdResult;

/* Protected, so that no descriptor is lost when memory ends. */
static int push_fds(lua_State *L)
{
    const FdResult *r = lua_touserdata(L, 1);

    if (r->count == 0) {
        lua_pushnil(L);
    } else if (r->count == 1) {
        lua_pushinteger(L, r->fds[0]);
    } else {
        lua_createtable(L, r->count, 0);
        for (int i = 0; i < r->count; i++) {
            lua_pushinteger(L, r->fds[i]);
            lua_rawseti(L, -2, i + 1);
        }
    }
    lua_pushlstring(L, r->data, r->len);
    return 2;
}

static int push_received(lua_State *L, FdResult *r)
{
    lua_pushcfunction(L, push_fds);
    lua_pushlightuserdata(L, r);
    if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
        close_fds(r->fds, r->count);
        return lua_error(L);
    }
    return 2;
}

/**
 * sock:recvfd(n?: integer, sec?: aio.Wait) -> integer|integer[]|nil fd,
 *     string? data, integer? errno
 *
 * A descriptor (or a list of several) and at most `n` bytes of data (4096);
 * `nil, data` when none came with it; `nil` alone at the end. They belong to
 * the script.
 */
static int sock_recvfd(lua_State *L)
{
    LuaSock *s = sock_check(L);
    lua_Integer n = luaL_optinteger(L, 2, 4096);
    int64_t deadline = sock_deadline(L, 3);
    int fds[FDS_MAX];
    FdControl control = {0};
    SockUse use;

    check_unix(L, s);
    luaL_argcheck(L, n > 0 && n <= SCRATCH_SIZE, 2, "1 to 65536 expected");
    luaL_argcheck(L, s->input_at == s->input_end, 1,
                  "data received by recv_line() is still to be read");
    struct iovec iov = {.iov_base = s->scratch, .iov_len = (size_t)n};
    struct msghdr msg = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    int64_t got = sock_enter(L, &use, s, SIDE_READ, deadline);
    if (got == 0) {
        got = message_receive(&use, &msg);
        sock_leave(&use);
    }
    if (got < 0) {
        return sock_fail(L, s, got, "recvfd");
    }
    int count = take_fds(&msg, fds);
    if (got > n || (msg.msg_flags & MSG_CTRUNC)) {
        close_fds(fds, count);
        return fail_cut(L, s, got, (size_t)n, "recvfd");
    }
    if (got == 0 && count == 0 && s->type != SOCK_DGRAM) {
        lua_pushnil(L);
        return 1;
    }
    FdResult result = {iov.iov_base, (size_t)got, fds, count};
    return push_received(L, &result);
}

const luaL_Reg sock_msg_methods[] = {
    {"recvfrom", sock_recvfrom},
    {"sendfd", sock_sendfd},
    {"recvfd", sock_recvfd},
    {NULL, NULL},
};

const luaL_Reg message_functions[] = {
    {"sendto", core_sendto},
    {NULL, NULL},
};
