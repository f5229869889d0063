/*
 * lnetrecv.c - receiving: recv, recv_exact, try_recv
 *
 * A buffer is filled directly; strings come from scratch memory of the VM that
 * is in use only between two parks, or from the input (lnetline.c).
 *
 * recv() is one function from the method to the system call, which is inlined
 * too: base/syscall.h says why.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/syscall.h"
#include "lnet.h"

static const char scratch_key;

char *sock_scratch(lua_State *L)
{
    char *scratch;

    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &scratch_key) == LUA_TNIL) {
        lua_newuserdatauv(L, SCRATCH_SIZE, 0);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &scratch_key);
        lua_remove(L, -2);
    }
    scratch = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return scratch;
}

/* ---- one receive -------------------------------------------------------- */

static QEMU_ALWAYS_INLINE inline int64_t receive(const LuaSock *s, void *base,
                                                 size_t n)
{
    int flags = MSG_DONTWAIT | (sock_is_stream(s) ? 0 : MSG_TRUNC);
    ssize_t got;

    do {
        got = unlikely(s->family == AF_UNSPEC)
                  ? syscall_read(s->fd, base, n)
                  : syscall_recv(s->fd, base, n, flags);
    } while (unlikely(got == -EINTR)); /* as often as signals come */
    return got;
}

static QEMU_ALWAYS_INLINE inline int64_t read_some(LuaSock *s, void *base,
                                                   size_t n)
{
    if (unlikely(s->session)) {
        return tls_read_some(s, base, n);
    }
    int64_t got = receive(s, base, n);
    /* A short read has emptied a stream.  At the end it is ready for ever. */
    if (got > 0 && (size_t)got < n && sock_is_stream(s) && !s->unusual) {
        s->sides[SIDE_READ].ready = false;
    }
    return got;
}

int64_t sock_read_some(LuaSock *s, void *base, size_t n)
{
    return read_some(s, base, n);
}

static QEMU_ALWAYS_INLINE inline int64_t read_wait(SockUse *use, void *base,
                                                   size_t n)
{
    LuaSock *s = use->sock;

    for (;;) { /* ends with data, the end, or the wait */
        if (use->side->ready && !sock_is_held_back(s)) {
            int64_t got = read_some(s, base, n);
            if (got != -EAGAIN) {
                return got;
            }
        }
        int ret =
            s->session ? sock_wait_for(use, tls_wants(s)) : sock_wait(use);
        if (ret < 0) {
            return ret;
        }
        use->side->ready = true;
    }
}

int64_t sock_read_wait(SockUse *use, void *base, size_t n)
{
    return read_wait(use, base, n);
}

/* ---- recv --------------------------------------------------------------- */

typedef struct RecvSpan {
    LuaBuf *buf; /* NULL: a string */
    char *base;
    size_t n;
} RecvSpan;

static void recv_count(lua_State *L, const LuaSock *s, lua_Integer n,
                       RecvSpan *span)
{
    luaL_argcheck(L, n > 0, 2, "a count must be positive");
    span->n = (size_t)n;
    if (n > SCRATCH_SIZE && !sock_is_stream(s)) {
        span->base = lua_newuserdatauv(L, span->n, 0);
    } else {
        span->n = n > SCRATCH_SIZE ? SCRATCH_SIZE : span->n;
        span->base = s->scratch;
    }
}

static void recv_span(lua_State *L, const LuaSock *s, RecvSpan *span)
{
    int type = lua_type(L, 2);

    span->buf = NULL;
    if (type <= LUA_TNIL) {
        span->base = s->scratch;
        span->n = SCRATCH_SIZE;
    } else if (type == LUA_TNUMBER) {
        recv_count(L, s, luaL_checkinteger(L, 2), span);
    } else {
        span->buf = buf_test(L, 2);
        if (!span->buf) {
            luaL_typeerror(L, 2, "count or buffer");
        }
        luaL_argcheck(L, span->buf->size > 0, 2, "the buffer has no bytes");
        span->base = (char *)span->buf->base;
        span->n = span->buf->size;
    }
}

static int fail_truncated(lua_State *L, LuaSock *s, int64_t got, size_t n,
                          const char *call)
{
    char what[ADDRESS_TEXT_MAX];

    sock_describe(s, what, sizeof(what));
    lua_pushfstring(L, "%s: a message of %I bytes was cut to %I", what,
                    (LUAI_UACINT)got, (LUAI_UACINT)n);
    return alua_fail(L, EMSGSIZE, lua_tostring(L, -1), call);
}

static int recv_result(lua_State *L, LuaSock *s, const RecvSpan *span,
                       int64_t got, const char *call)
{
    if (got < 0) {
        return sock_fail(L, s, got, call);
    }
    if (got == 0 && s->type != SOCK_DGRAM) {
        lua_pushnil(L);
    } else if ((uint64_t)got > span->n) {
        return fail_truncated(L, s, got, span->n, call);
    } else if (span->buf) {
        lua_pushinteger(L, got);
    } else {
        lua_pushlstring(L, span->base, (size_t)got);
    }
    return 1;
}

/**
 * sock:recv(what?: integer|Buf, sec?: aio.Wait) -> string|integer!
 *
 * A string of at most so many bytes (64 KiB if left out; never more at a
 * time), or the number of bytes put into the buffer; `nil` alone at the end.
 * Parks. Of datagrams one message; one that does not fit is an error,
 * `EMSGSIZE`.
 */
static int sock_recv(lua_State *L)
{
    LuaSock *s = sock_check(L);
    RecvSpan span;
    SockUse use;
    int64_t deadline = sock_deadline(L, 3);

    recv_span(L, s, &span);
    int64_t got = sock_enter(L, &use, s, SIDE_READ, deadline);
    if (likely(got == 0)) {
        if (span.buf) {
            buf_pin(span.buf);
        }
        got = unlikely(input_have(s) > 0)
                  ? (int64_t)input_take(s, span.base, span.n)
                  : read_wait(&use, span.base, span.n);
        if (span.buf) {
            buf_unpin(span.buf);
        }
        sock_leave(&use);
    }
    if (unlikely(got <= 0 || (uint64_t)got > span.n)) {
        return recv_result(L, s, &span, got, "recv");
    }
    if (span.buf) {
        lua_pushinteger(L, got);
    } else {
        lua_pushlstring(L, span.base, (size_t)got);
    }
    return 1;
}

/**
 * sock:try_recv(what?: integer|Buf) -> string|integer|false!
 *
 * As `recv`, `false` when nothing is there. Never parks.
 */
static int sock_try_recv(lua_State *L)
{
    LuaSock *s = sock_check(L);
    int64_t got = -EAGAIN;
    RecvSpan span;

    recv_span(L, s, &span);
    if (!s->sides[SIDE_READ].busy && !sock_is_held_back(s)) {
        got = input_have(s) > 0 ? (int64_t)input_take(s, span.base, span.n)
                                : sock_read_some(s, span.base, span.n);
    }
    if (got == -EAGAIN) {
        lua_pushboolean(L, false);
        return 1;
    }
    return recv_result(L, s, &span, got, "try_recv");
}

/* ---- recv_exact --------------------------------------------------------- */

/* Bytes that may be received beyond what is asked for.  Not on Unix sockets:
 * descriptors that come with them would be lost. */
static size_t read_ahead(const LuaSock *s, size_t missing)
{
    return s->family == AF_UNIX || missing >= INPUT_MIN ? missing : INPUT_MIN;
}

static int64_t exact_string(SockUse *use, size_t n)
{
    LuaSock *s = use->sock;
    int64_t got = 1;

    while (got > 0 && input_have(s) < n) {
        got = input_fill(use, read_ahead(s, n - input_have(s)));
    }
    return got;
}

static int64_t exact_buffer(SockUse *use, char *base, size_t n, size_t *have)
{
    int64_t got = 1;

    *have = input_take(use->sock, base, n);
    while (got > 0 && *have < n) {
        got = sock_read_wait(use, base + *have, n - *have);
        *have += got > 0 ? (size_t)got : 0;
    }
    return got;
}

/* @got: 0 at the end, or an error; @have bytes of @n came before it. */
static int exact_fail(lua_State *L, LuaSock *s, int64_t got, size_t have,
                      size_t n)
{
    char what[ADDRESS_TEXT_MAX];

    if (got == 0 && have == 0) {
        lua_pushnil(L);
        return 1;
    }
    if (got < 0) {
        sock_fail(L, s, got, "recv_exact");
    } else {
        sock_describe(s, what, sizeof(what));
        lua_pushfstring(L, "%s: the end came after %I of %I bytes", what,
                        (LUAI_UACINT)have, (LUAI_UACINT)n);
        alua_fail(L, ENODATA, lua_tostring(L, -1), "recv_exact");
    }
    lua_pushinteger(L, (lua_Integer)have);
    return 4;
}

static int exact_into(lua_State *L, LuaSock *s, LuaBuf *buf, int64_t deadline)
{
    size_t n = buf->size, have = 0;
    SockUse use;

    int64_t got = sock_enter(L, &use, s, SIDE_READ, deadline);
    if (got == 0) {
        buf_pin(buf);
        got = exact_buffer(&use, (char *)buf->base, n, &have);
        buf_unpin(buf);
        sock_leave(&use);
    }
    if (have < n) {
        return exact_fail(L, s, got, have, n);
    }
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

/**
 * sock:recv_exact(what: integer|Buf, sec?: aio.Wait) -> string|integer!,
 *     integer? so_far
 *
 * As `recv`, never short. The end before the first byte gives `nil` alone,
 * later `nil, message, ENODATA`. Errors come with the number of bytes so far
 * as a fourth value; these stay for the next call (of a count) or are in the
 * buffer.
 */
static int sock_recv_exact(lua_State *L)
{
    LuaSock *s = sock_check(L);
    LuaBuf *buf = buf_test(L, 2);
    int64_t deadline = sock_deadline(L, 3);
    SockUse use;

    sock_check_stream(L, s);
    if (buf) {
        return exact_into(L, s, buf, deadline);
    }
    int64_t n = luaL_checkinteger(L, 2);
    luaL_argcheck(L, n >= 0 && n < SSIZE_MAX / 4, 2,
                  "a count must not be negative, nor more than memory holds");
    int64_t got = sock_enter(L, &use, s, SIDE_READ, deadline);
    if (got < 0) {
        return exact_fail(L, s, got, 0, (size_t)n);
    }
    got = exact_string(&use, (size_t)n);
    sock_leave(&use);
    if (input_have(s) < (size_t)n) {
        return exact_fail(L, s, got, input_have(s), (size_t)n);
    }
    lua_pushlstring(L, n > 0 ? s->input + s->input_at : "", (size_t)n);
    input_drop(s, (size_t)n);
    return 1;
}

const luaL_Reg sock_recv_methods[] = {
    {"recv", sock_recv},
    {"try_recv", sock_try_recv},
    {"recv_exact", sock_recv_exact},
    {NULL, NULL},
};
