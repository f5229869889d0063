/*
 * lfilespan.c - the memory of a transfer
 *
 * One buffer costs nothing: it is described in the FileSpan on the C stack.  A
 * list gets one scratch userdata with the iovec and, as its user values, the
 * pieces themselves, so that a list changed during the transfer frees nothing
 * that is in flight.  A string to be read, or one to be written with O_DIRECT,
 * goes through aligned scratch memory.
 */
#include <limits.h>
#include <string.h>

#include "lfile.h"

static void span_set_one(FileSpan *span, void *base, size_t len)
{
    span->one = (struct iovec){.iov_base = base, .iov_len = len};
    span->iov = &span->one;
    span->iovcnt = span->pieces = 1;
    span->total = len;
    span->start = base;
}

/* Pushes a userdata with @size bytes at a multiple of the file's alignment. */
static void *push_scratch(lua_State *L, const LuaFile *f, size_t size)
{
    size_t align = f->memory_align > 16 ? f->memory_align : 16;
    uintptr_t p = (uintptr_t)lua_newuserdatauv(L, size + align - 1, 0);

    return (void *)((p + align - 1) & ~(uintptr_t)(align - 1));
}

static void span_count(lua_State *L, int arg, FileSpan *span)
{
    int64_t count = luaL_checkinteger(L, arg);

    luaL_argcheck(L, count >= 0, arg, "a count must not be negative");
    span_set_one(span, NULL, (size_t)count);
    span->to_string = true;
}

void span_need_scratch(lua_State *L, const LuaFile *f, FileSpan *span)
{
    span->scratch = file_scratch_take(alua_vm(L), f, span->total);
    void *memory =
        span->scratch ? span->scratch->base : push_scratch(L, f, span->total);
    span_set_one(span, memory, span->total);
}

static void span_string(lua_State *L, int arg, const LuaFile *f, FileSpan *span)
{
    size_t len;
    const char *s = lua_tolstring(L, arg, &len);

    if (!f->direct) {
        span_set_one(span, (void *)s, len); /* only ever written from */
        return;
    }
    span_set_one(span, push_scratch(L, f, len), len);
    memcpy(span->one.iov_base, s, len);
}

/* ---- lists -------------------------------------------------------------- */

static void span_piece(lua_State *L, int arg, SpanUse use, FileSpan *span,
                       int i)
{
    int top = lua_gettop(L);
    size_t len;

    if (use == SPAN_WRITE && lua_type(L, top) == LUA_TSTRING) {
        span->iov[i].iov_base = (void *)lua_tolstring(L, top, &len);
        span->iov[i].iov_len = len;
        span->bufs[i] = NULL;
    } else {
        LuaBuf *b = buf_test(L, top);
        if (!b) {
            luaL_error(L,
                       "bad argument #%d: item %d of the list: %s expected, "
                       "got %s",
                       arg - 1, i + 1,
                       use == SPAN_WRITE ? "buffer or string" : "buffer",
                       luaL_typename(L, top));
        }
        span->iov[i].iov_base = b->base;
        span->iov[i].iov_len = b->size;
        span->bufs[i] = b;
    }
    if (span->iov[i].iov_len > SSIZE_MAX - span->total) {
        luaL_argerror(L, arg, "the list is too long");
    }
    span->total += span->iov[i].iov_len;
}

static void span_list(lua_State *L, int arg, SpanUse use, FileSpan *span)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, arg);

    luaL_argcheck(L, n > 0, arg, "the list of buffers is empty");
    luaL_argcheck(L, n <= IOV_MAX, arg, "more than 1024 buffers in the list");
    span->iov = lua_newuserdatauv(
        L, (size_t)n * (sizeof(struct iovec) + sizeof(LuaBuf *)), (int)n);
    span->bufs = (LuaBuf **)(span->iov + n);
    span->pieces = span->iovcnt = (int)n;
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, arg, i + 1); /* a metamethod could close the others */
        span_piece(L, arg, use, span, i);
        lua_setiuservalue(L, -2, i + 1);
    }
}

void span_check(lua_State *L, int arg, SpanUse use, const LuaFile *f,
                FileSpan *span)
{
    LuaBuf *b = buf_test(L, arg);

    span->scratch = NULL;
    span->buf = NULL;
    span->bufs = NULL;
    span->total = 0;
    span->start = NULL;
    span->to_string = false;
    if (b) {
        span_set_one(span, b->base, b->size);
        span->buf = b;
        return;
    }
    switch (lua_type(L, arg)) {
    case LUA_TTABLE:
        span_list(L, arg, use, span);
        return;
    case LUA_TNUMBER:
        if (use == SPAN_READ) {
            span_count(L, arg, span);
            return;
        }
        break;
    case LUA_TSTRING:
        if (use == SPAN_WRITE) {
            span_string(L, arg, f, span);
            return;
        }
        break;
    default:
        break;
    }
    luaL_typeerror(L, arg,
                   use == SPAN_READ ? "count, buffer or list of buffers"
                                    : "string, buffer or list of "
                                      "buffers");
}

/* ---- in flight ---------------------------------------------------------- */

void span_pin(FileSpan *span)
{
    if (span->buf) {
        buf_pin(span->buf);
    }
    for (int i = 0; span->bufs && i < span->pieces; i++) {
        if (span->bufs[i]) {
            buf_pin(span->bufs[i]);
        }
    }
}

void span_unpin(FileSpan *span)
{
    if (span->buf) {
        buf_unpin(span->buf);
    }
    for (int i = 0; span->bufs && i < span->pieces; i++) {
        if (span->bufs[i]) {
            buf_unpin(span->bufs[i]);
        }
    }
}

void span_advance(FileSpan *span, size_t n)
{
    while (n > 0 && n >= span->iov->iov_len) {
        n -= span->iov->iov_len;
        span->iov++;
        span->iovcnt--;
    }
    if (n > 0) {
        span->iov->iov_base = (char *)span->iov->iov_base + n;
        span->iov->iov_len -= n;
    }
}
