/*
 * lbuf.c - class aio.buf: bytes outside of Lua, fit for O_DIRECT
 *
 * See lbuf.h for slabs, roots and slices.  This file holds their life: how they
 * come, are cloned, moved and closed; lbufslice.c cuts them, lbufops.c holds
 * what can be done to the bytes.  A pooled buffer that is closed, or lost and
 * collected, goes back to its pool as the same userdata; that it is closed
 * while it lies there is what makes a late use of it raise.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "aioctl/request.h"
#include "lbuf.h"
#include "open.h"
#include "task.h"
#include "vm.h"

#define MAP_FROM (128 * 1024) /* from here on by mmap: zeroed as touched */
#define HUGE_PAGE (2 << 20)
#define GC_KIB_MAX 1024 /* what one allocation may charge, in KiB */

/* ---- slabs -------------------------------------------------------------- */

static bool slab_allocate(BufSlab *slab, size_t align)
{
    size_t page = 4096;

    if (slab->size < MAP_FROM || align > page) {
        size_t bytes = slab->size > 0 ? slab->size : 1;
        void *p = NULL;
        align = align < sizeof(void *) ? sizeof(void *) : align;
        if (posix_memalign(&p, align, bytes) != 0) {
            return false;
        }
        slab->base = memset(p, 0, bytes);
        return true;
    }
    slab->mapped = (slab->size + page - 1) & ~(page - 1);
    void *p = mmap(NULL, slab->mapped, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    slab->base = p;
    return p != MAP_FAILED;
}

BufSlab *slab_new(size_t size, size_t align)
{
    BufSlab *slab = calloc(1, sizeof(*slab));
    if (!slab || size > SSIZE_MAX / 2) {
        free(slab);
        return NULL;
    }
    *slab = (BufSlab){.refs = 1, .size = size, .slot = -1};
    if (!slab_allocate(slab, align)) {
        free(slab);
        return NULL;
    }
    return slab;
}

/*
 * Registered memory is there as a whole anyway.  In huge pages the kernel pins
 * it faster, and a transfer is one piece to a disk instead of one per page: of
 * those, a request takes but so many (254 with virtio, less than 1 MiB).
 */
static void prefer_huge_pages(const BufSlab *slab)
{
    if (slab->mapped >= HUGE_PAGE) {
        (void)madvise(slab->base, slab->mapped, MADV_HUGEPAGE); /* or not */
    }
}

void slab_register(BufSlab *slab, AioContext *ctx)
{
    prefer_huge_pages(slab);
    slab->slot = aio_buffer_register(ctx, slab->base, slab->size);
    if (slab->slot >= 0) {
        aio_context_ref(ctx);
        slab->ctx = ctx;
    }
}

void slab_unregister(BufSlab *slab)
{
    if (slab->ctx) {
        aio_buffer_unregister(slab->ctx, slab->slot);
        aio_context_unref(slab->ctx);
        slab->ctx = NULL;
        slab->slot = -1;
    }
}

BufSlab *slab_ref(BufSlab *slab)
{
    slab->refs++;
    return slab;
}

void slab_unref(BufSlab *slab)
{
    if (--slab->refs > 0) {
        return;
    }
    slab_unregister(slab);
    if (slab->mapped > 0) {
        munmap(slab->base, slab->mapped);
    } else {
        free(slab->base);
    }
    free(slab);
}

/* ---- checks ------------------------------------------------------------- */

static bool buf_is_open(const LuaBuf *b)
{
    return b->base && b->root->base && b->generation == b->root->generation;
}

static LuaBuf *buf_check_open(lua_State *L, int arg, LuaBuf *b)
{
    if (!buf_is_open(b)) {
        luaL_argerror(L, arg,
                      b == b->root ? "the buffer is closed"
                                   : "the slice's buffer is closed");
    }
    return b;
}

LuaBuf *buf_check(lua_State *L, int arg)
{
    return buf_check_open(L, arg, alua_check(L, arg, &buf_class));
}

LuaBuf *buf_test(lua_State *L, int arg)
{
    LuaBuf *b = alua_test(L, arg, &buf_class);
    return b ? buf_check_open(L, arg, b) : NULL;
}

int64_t buf_opt_length(lua_State *L, int arg, const LuaBuf *b, int64_t off)
{
    /* What is out of range anyway must not overflow before it is told. */
    int64_t rest = off >= 0 ? (int64_t)b->size - off : 0;

    return luaL_optinteger(L, arg, rest);
}

uint8_t *buf_range(lua_State *L, const LuaBuf *b, int64_t off, int64_t len)
{
    int64_t size = (int64_t)b->size;
    if (off < 0 || off > size || len < 0 || len > size - off) {
        luaL_error(L,
                   "out of range: offset %I, length %I in a buffer of %I "
                   "bytes",
                   (LUAI_UACINT)off, (LUAI_UACINT)len, (LUAI_UACINT)size);
    }
    return b->base + off;
}

/* ---- options ------------------------------------------------------------ */

int64_t opt_size_field(lua_State *L, int arg, const char *key, int64_t fallback)
{
    int64_t value = fallback;

    if (lua_getfield(L, arg, key) != LUA_TNIL && !alua_to_size(L, -1, &value)) {
        luaL_error(L,
                   "option '%s': a size expected (an integer that is not "
                   "negative, or a string such as \"4k\"), got %s",
                   key, luaL_tolstring(L, -1, NULL));
    }
    lua_pop(L, 1);
    return value;
}

bool opt_boolean_field(lua_State *L, int arg, const char *key, bool fallback)
{
    bool value = fallback;
    int type = lua_getfield(L, arg, key);

    if (type == LUA_TBOOLEAN) {
        value = lua_toboolean(L, -1);
    } else if (type != LUA_TNIL) {
        luaL_error(L, "option '%s': a boolean expected, got %s", key,
                   luaL_typename(L, -1));
    }
    lua_pop(L, 1);
    return value;
}

size_t opt_check_align(lua_State *L, int64_t align)
{
    if (align < 1 || align > (1 << 30) || (align & (align - 1)) != 0) {
        luaL_error(L, "option 'align': a power of two expected, got %I",
                   (LUAI_UACINT)align);
    }
    return (size_t)align;
}

/* ---- making ------------------------------------------------------------- */

LuaBuf *buf_push_closed(lua_State *L)
{
    LuaBuf *b = alua_new(L, &buf_class, sizeof(*b), 1);
    b->root = b;
    return b;
}

/* The collector does not see our memory: let it feel some of its weight. */
static void charge_collector(lua_State *L, size_t bytes)
{
    size_t kib = bytes / 1024;

    if (kib > 0 && lua_gc(L, LUA_GCISRUNNING)) {
        lua_gc(L, LUA_GCSTEP, (int)(kib < GC_KIB_MAX ? kib : GC_KIB_MAX));
    }
}

static LuaBuf *buf_push_new(lua_State *L, size_t size, size_t align)
{
    charge_collector(L, size);
    LuaBuf *b = buf_push_closed(L);
    b->slab = slab_new(size, align);
    if (!b->slab) {
        luaL_error(L, "aio.buf: not enough memory for %I bytes",
                   (LUAI_UACINT)size);
    }
    b->base = b->slab->base;
    b->size = size;
    return b;
}

static size_t check_buf_size(lua_State *L, int64_t size)
{
    if (size < 0) {
        luaL_error(L, "aio.buf: the size must not be negative, got %I",
                   (LUAI_UACINT)size);
    }
    return (size_t)size;
}

/**
 * alias aio.Size = integer|string
 *
 * Bytes, or `"4k"`, `"1M"`, `"2G"` (powers of 1024).
 */

/**
 * class Buf (buf)
 *
 * Memory outside of Lua.
 */

/**
 * class aio.BufOptions
 *
 * size: aio.Size
 * align?: aio.Size - a power of two, 4096 by default
 * register?: boolean - make it known to io_uring, where the limit on locked
 *     memory (`ulimit -l`) allows, and in huge pages from 2 MiB on
 */

/**
 * aio.buf(options: aio.Size|aio.BufOptions) -> Buf
 *
 * A buffer of so many bytes.
 */
static int buf_new(lua_State *L)
{
    static const char *const known[] = {"size", "align", "register", NULL};

    if (!lua_istable(L, 1)) {
        int64_t size =
            lua_isinteger(L, 1) ? lua_tointeger(L, 1) : alua_check_size(L, 1);
        buf_push_new(L, check_buf_size(L, size), BUF_ALIGN_DEFAULT);
        return 1;
    }
    alua_check_options(L, 1, known);
    int64_t size = opt_size_field(L, 1, "size", -1);
    if (size < 0) {
        return luaL_error(L, "aio.buf: option 'size' is required");
    }
    size_t align =
        opt_check_align(L, opt_size_field(L, 1, "align", BUF_ALIGN_DEFAULT));
    bool registered = opt_boolean_field(L, 1, "register", false);
    LuaBuf *b = buf_push_new(L, (size_t)size, align);
    LuaContext *home = alua_vm(L)->home; /* aio.offload() has none */
    if (registered && size > 0 && home) {
        slab_register(b->slab, home->ctx);
    }
    return 1;
}

/**
 * buf:clone() -> Buf
 *
 * An independent copy.
 */
static int buf_clone(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    LuaBuf *copy = buf_push_new(L, b->size, BUF_ALIGN_DEFAULT);

    memcpy(copy->base, b->base, b->size);
    return 1;
}

/* ---- closing ------------------------------------------------------------ */

static void check_idle(lua_State *L, const LuaBuf *b, const char *verb)
{
    if (b->root->pins > 0) {
        luaL_error(L, "cannot %s the buffer: %d operation%s in flight", verb,
                   (int)b->root->pins, b->root->pins == 1 ? "" : "s");
    }
}

/* Not reached while pinned: the I/O keeps the userdata on a Lua stack. */
static void buf_release(lua_State *L, int arg, LuaBuf *b)
{
    if (!b->base && !b->slab) {
        return;
    }
    if (b != b->root) {
        b->base = NULL;
        return;
    }
    BufSlab *slab = buf_detach(b);
    if (b->pool && bufpool_is_open(b->pool)) {
        bufpool_give_back(L, arg);
    }
    if (slab) {
        slab_unref(slab);
    }
}

/**
 * buf:close()
 *
 * Frees it, or gives it back to its pool.
 */
static int buf_close(lua_State *L)
{
    LuaBuf *b = alua_check(L, 1, &buf_class);

    if (b == b->root) {
        check_idle(L, b, "close");
    }
    buf_release(L, 1, b);
    return 0;
}

static int buf_gc(lua_State *L)
{
    LuaBuf *b = lua_touserdata(L, 1);

    if (b->root) {
        buf_release(L, 1, b);
    }
    if (b->pool && bufpool_is_open(b->pool)) {
        lua_getmetatable(L, 1); /* it lives on: finalize it next time too */
        lua_setmetatable(L, 1);
    }
    return 0;
}

/**
 * buf:move() -> Buf
 *
 * A buffer with the memory; this one is closed. Not for slices and pooled
 * buffers.
 */
static int buf_move(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);

    if (b != b->root) {
        return luaL_error(L, "cannot move a slice: move the whole buffer");
    }
    if (b->pool) {
        return luaL_error(L, "cannot move a pooled buffer: clone it");
    }
    check_idle(L, b, "move");
    LuaBuf *to = buf_push_closed(L);
    to->base = b->base;
    to->size = b->size;
    to->slab = buf_detach(b);
    return 1;
}

/* ---- properties --------------------------------------------------------- */

/**
 * #buf -> integer
 *
 * Its bytes.
 */
static int buf_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)buf_check(L, 1)->size);
    return 1;
}

/**
 * buf:is_closed() -> boolean
 */
static int buf_is_closed(lua_State *L)
{
    LuaBuf *b = alua_check(L, 1, &buf_class);
    lua_pushboolean(L, !buf_is_open(b));
    return 1;
}

/**
 * buf:is_registered() -> boolean
 *
 * Does the ring know it?
 */
static int buf_is_registered(lua_State *L)
{
    LuaBuf *b = buf_check(L, 1);
    lua_pushboolean(L, b->root->slab->ctx != NULL);
    return 1;
}

static int buf_describe(lua_State *L)
{
    LuaBuf *b = alua_check(L, 1, &buf_class);

    if (!buf_is_open(b)) {
        lua_pushfstring(L, "aio.buf (closed): %p", (void *)b);
        return 1;
    }
    lua_pushfstring(L, "aio.buf (%I bytes%s%s): %p", (LUAI_UACINT)b->size,
                    b == b->root ? "" : ", slice",
                    b->root->pins > 0 ? ", in flight" : "", (void *)b);
    return 1;
}

/* ---- tables ------------------------------------------------------------- */

static const luaL_Reg buf_methods[] = {
    {"slice", buf_slice},
    {"clone", buf_clone},
    {"move", buf_move},
    {"close", buf_close},
    {"is_closed", buf_is_closed},
    {"is_registered", buf_is_registered},
    {NULL, NULL},
};

static const luaL_Reg buf_metamethods[] = {
    {"__len", buf_len},           {"__close", buf_close}, {"__gc", buf_gc},
    {"__tostring", buf_describe}, {NULL, NULL},
};

const AluaClass buf_class = {
    .name = "aio.buf",
    .methods = buf_methods,
    .metamethods = buf_metamethods,
};

void lbuf_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"buf", buf_new}, {NULL, NULL}};

    alua_class(L, &buf_class);
    buf_open_byte_methods(L);
    buf_open_slices(L);
    alua_setfuncs(L, functions);
}
