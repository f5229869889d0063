/*
 * lbuf.h - what the other classes see of a buffer
 *
 * Memory lives in a BufSlab: one aligned, zeroed mapping, counted, perhaps
 * registered with the ring.  A *root* buffer owns a share of one; a *slice* is
 * a window on a root and owns nothing: it keeps the root's userdata alive (user
 * value 1) and remembers the root's generation, which moves on when the root
 * is closed, handed back or moved, so that a stale slice is told from a live
 * one without any list of slices.
 *
 * The rule that keeps it right: whoever gives memory to the kernel pins the
 * root first and keeps the userdata on a Lua stack until it unpins; a pinned
 * root can be neither closed nor moved.
 */
#ifndef LBUF_H
#define LBUF_H

#include "alua.h"

#define BUF_ALIGN_DEFAULT 4096

typedef struct LuaBufPool LuaBufPool;

typedef struct BufSlab {
    unsigned refs;
    uint8_t *base;
    size_t size;
    size_t mapped;   /* bytes to unmap, 0 when malloc'ed */
    AioContext *ctx; /* where it is registered, with a reference, or NULL */
    int slot;        /* there, or the negative errno of the refusal */
} BufSlab;

typedef struct LuaBuf LuaBuf;
struct LuaBuf {
    AluaObject object;
    uint8_t *base; /* NULL: closed */
    size_t size;
    LuaBuf *root;        /* itself, for a root */
    BufSlab *slab;       /* a root's share; NULL in a slice */
    LuaBufPool *pool;    /* where a pooled root goes back to */
    uint32_t index;      /* ... and its number there, from 1 */
    uint32_t generation; /* slice: the root's when it was cut */
    uint32_t pins;       /* root: operations in flight */
};

enum { UV_PARENT = 1 }; /* a slice's root, a pooled buffer's pool */

extern const AluaClass buf_class;

/* The open buffer at @arg; raises on anything else, and on a closed one. */
LuaBuf *buf_check(lua_State *L, int arg);
/* The same, NULL when @arg is no buffer; still raises on a closed one. */
LuaBuf *buf_test(lua_State *L, int arg);

/* Pushes a closed root with one user value, for the pool to fill in. */
LuaBuf *buf_push_closed(lua_State *L);

static inline void buf_pin(LuaBuf *b)
{
    b->root->pins++;
}

static inline void buf_unpin(LuaBuf *b)
{
    b->root->pins--;
}

/* Leaves @b closed and every slice of it stale; returns its share. */
static inline BufSlab *buf_detach(LuaBuf *b)
{
    BufSlab *slab = b->slab;

    b->base = NULL;
    b->size = 0;
    b->slab = NULL;
    b->generation++;
    return slab;
}

/* Slot of @b's memory in @ctx's registered buffers, or -1. */
static inline int buf_slot(const LuaBuf *b, const AioContext *ctx)
{
    const BufSlab *slab = b->root->slab;
    return slab->ctx == ctx ? slab->slot : -1;
}

/* The length at @arg; left out, it reaches from @off to the end of @b. */
int64_t buf_opt_length(lua_State *L, int arg, const LuaBuf *b, int64_t off);
/* Raises unless [off, off + len) lies within @b; returns base + off. */
uint8_t *buf_range(lua_State *L, const LuaBuf *b, int64_t off, int64_t len);

/*
 * slab_new: zeroed memory, with one reference for the caller
 * @align: a power of two
 * Returns: NULL when there is no memory.
 */
BufSlab *slab_new(size_t size, size_t align);
void slab_register(BufSlab *slab, AioContext *ctx);
void slab_unregister(BufSlab *slab); /* idempotent */
BufSlab *slab_ref(BufSlab *slab);
void slab_unref(BufSlab *slab);

/* Fields of an options table: sizes take "4k"; absent gives @fallback. */
int64_t opt_size_field(lua_State *L, int arg, const char *key,
                       int64_t fallback);
bool opt_boolean_field(lua_State *L, int arg, const char *key, bool fallback);
/* Raises unless @align is a power of two from 1 to 1 GiB. */
size_t opt_check_align(lua_State *L, int64_t align);

/* lbufops.c: the methods that look at or change bytes. */
extern const luaL_Reg buf_byte_methods[];
void buf_open_byte_methods(lua_State *L);
/* The metatable of slices, from that of buffers, which is complete. */
void buf_open_slices(lua_State *L);
int buf_slice(lua_State *L);

/* lbufpool.c: takes a closed pooled buffer back. */
void bufpool_give_back(lua_State *L, int arg);
bool bufpool_is_open(const LuaBufPool *pool);

/* crc32c.c: the Castagnoli checksum, continued from @crc (start with 0). */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
