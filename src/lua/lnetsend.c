/*
 * lnetsend.c - sending: send, try_send
 *
 * send() sends everything before it returns.  A short write clears readiness:
 * the next thing to do is to wait, not to ask again.
 *
 * What one system call does is done in the method itself, see lnetrecv.c.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/syscall.h"
#include "lnet.h"

void sock_span(lua_State *L, int arg, FileSpan *span)
{
    static const LuaFile plain = {0}; /* no O_DIRECT, no alignment */

    *span = (FileSpan){0};
    span_check(L, arg, SPAN_WRITE, &plain, span);
}

/* ---- pipes -------------------------------------------------------------- */

/*
 * A pipe has no MSG_NOSIGNAL.  SIGPIPE is sent to the thread that writes: held
 * back meanwhile, and taken back if this write was the reason.
 */
static ssize_t write_quietly(int fd, const struct iovec *iov, int count)
{
    static const struct timespec at_once;
    sigset_t pipe_set, old, pending;

    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    sigpending(&pending);
    bool was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
    ssize_t ret = writev(fd, iov, count);
    int err = errno;
    if (ret < 0 && err == EPIPE && !was_pending) {
        while (sigtimedwait(&pipe_set, NULL, &at_once) < 0 && errno == EINTR) {
        } /* ends: it is pending */
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = err;
    return ret;
}

static ssize_t write_pipe(int fd, const struct iovec *iov, int count)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 &&
        action.sa_handler == SIG_IGN) {
        return writev(fd, iov, count);
    }
    return write_quietly(fd, iov, count);
}

/* ---- one send ----------------------------------------------------------- */

/* As the system call does: a negative errno. */
static ssize_t transmit(const LuaSock *s, FileSpan *span)
{
    struct msghdr msg = {
        .msg_iov = span->iov,
        .msg_iovlen = (size_t)span->iovcnt,
    };

    if (span->iovcnt == 1 && s->family != AF_UNSPEC) {
        return syscall_send(s->fd, span->iov->iov_base, span->iov->iov_len,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    ssize_t sent = s->family == AF_UNSPEC
                       ? write_pipe(s->fd, span->iov, span->iovcnt)
                       : sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

/* Small pieces go out as one record.  The scratch is filled the same way when
 * the session asks for the same bytes again. */
static int64_t send_tls(LuaSock *s, FileSpan *span)
{
    enum { RECORD_MAX = 16384 };
    size_t n = 0;

    if (span->iovcnt == 1 || span->iov->iov_len >= RECORD_MAX) {
        return tls_write_some(s, span->iov->iov_base, span->iov->iov_len);
    }
    char *scratch = s->scratch;
    for (int i = 0; i < span->iovcnt && n < RECORD_MAX; i++) {
        size_t room = RECORD_MAX - n;
        size_t take = span->iov[i].iov_len < room ? span->iov[i].iov_len : room;
        memcpy(scratch + n, span->iov[i].iov_base, take);
        n += take;
    }
    return tls_write_some(s, scratch, n);
}

static int64_t send_some(LuaSock *s, FileSpan *span, size_t left)
{
    ssize_t sent;

    if (s->session) {
        return send_tls(s, span);
    }
    do {
        sent = transmit(s, span);
    } while (sent == -EINTR); /* as often as signals come */
    if (sent >= 0 && (size_t)sent < left) {
        s->sides[SIDE_WRITE].ready = false;
    }
    return sent;
}

int64_t sock_send_all(SockUse *use, FileSpan *span, size_t *moved)
{
    LuaSock *s = use->sock;
    bool once = span->total == 0 && !sock_is_stream(s); /* an empty message */

    while (*moved < span->total || once) { /* ends: sends, fails, or waits */
        int64_t sent = -EAGAIN;

        if (use->side->ready) {
            sent = send_some(s, span, span->total - *moved);
        }
        if (sent >= 0) {
            once = false;
            *moved += (size_t)sent;
            span_advance(span, (size_t)sent);
            continue;
        }
        if (sent != -EAGAIN) {
            return sent;
        }
        int ret =
            s->session ? sock_wait_for(use, tls_wants(s)) : sock_wait(use);
        if (ret < 0) {
            return ret;
        }
        use->side->ready = true;
    }
    return 0;
}

/* ---- methods ------------------------------------------------------------ */

/* A string, or what sock_span() takes besides. */
static void send_span(lua_State *L, FileSpan *span)
{
    if (lua_type(L, 2) != LUA_TSTRING) {
        sock_span(L, 2, span);
        return;
    }
    *span = (FileSpan){.iov = &span->one, .iovcnt = 1, .pieces = 1};
    span->one.iov_base = (void *)lua_tolstring(L, 2, &span->total);
    span->one.iov_len = span->total;
}

/* One piece that is sent by one system call: most are. */
static QEMU_ALWAYS_INLINE inline int64_t
send_at_once(LuaSock *s, FileSpan *span, size_t *moved)
{
    SockSide *side = &s->sides[SIDE_WRITE];

    if (unlikely(!side->ready || span->iovcnt != 1 || span->total == 0 ||
                 s->session || s->family == AF_UNSPEC)) {
        return 0;
    }
    ssize_t sent = syscall_send(s->fd, span->one.iov_base, span->total,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (likely(sent == (ssize_t)span->total)) {
        *moved = span->total;
        return 0;
    }
    side->ready = sent == -EINTR;
    if (sent > 0) {
        *moved = (size_t)sent;
        span_advance(span, *moved);
    }
    return sent >= 0 || sent == -EAGAIN || sent == -EINTR ? 0 : sent;
}

/**
 * sock:send(data: aio.Bytes, sec?: aio.Wait) -> integer!, integer? sent
 *
 * The number of bytes: all of them. Parks while there is no room. An error
 * comes with the bytes sent before it as a fourth value.
 */
static int sock_send(lua_State *L)
{
    LuaSock *s = sock_check(L);
    int64_t deadline = sock_deadline(L, 3);
    size_t moved = 0;
    FileSpan span;
    SockUse use;

    send_span(L, &span);
    int64_t ret = sock_enter(L, &use, s, SIDE_WRITE, deadline);
    if (likely(ret == 0)) {
        ret = send_at_once(s, &span, &moved);
        if (unlikely(moved < span.total || span.total == 0) && ret == 0) {
            span_pin(&span);
            ret = sock_send_all(&use, &span, &moved);
            span_unpin(&span);
        }
        sock_leave(&use);
    }
    if (unlikely(ret < 0)) {
        int results = sock_fail(L, s, ret, "send");
        lua_pushinteger(L, (lua_Integer)moved);
        return results + 1;
    }
    lua_pushinteger(L, (lua_Integer)moved);
    return 1;
}

/**
 * sock:try_send(data: aio.Bytes) -> integer!
 *
 * The number of bytes sent, perhaps not all, perhaps 0. Never parks.
 */
static int sock_try_send(lua_State *L)
{
    LuaSock *s = sock_check(L);
    int64_t sent = 0;
    FileSpan span;

    sock_span(L, 2, &span);
    if (!s->sides[SIDE_WRITE].busy) {
        sent = send_some(s, &span, span.total);
    }
    if (sent == -EAGAIN) {
        sent = 0;
    }
    if (sent < 0) {
        return sock_fail(L, s, sent, "try_send");
    }
    lua_pushinteger(L, sent);
    return 1;
}

const luaL_Reg sock_send_methods[] = {
    {"send", sock_send},
    {"try_send", sock_try_send},
    {NULL, NULL},
};
