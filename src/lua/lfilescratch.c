/*
 * lfilescratch.c - memory that strings are read into
 *
 * Lua makes strings by copying, so each read of a string needs memory of its
 * own until it has ended.  It comes from slabs that are kept, and registered
 * with the ring like those of a bufpool: nothing for the collector to find.
 * Large or unusually aligned reads, and those beyond SLABS_MAX, are not served:
 * they take a userdata each.
 *
 * Rule: what was given back stays as it is until somebody takes it, and nobody
 * can before the running task parks.
 */
#include <stdlib.h>
#include <string.h>

#include "lfile.h"

enum {
    CLASSES = 3, /* of 4, 16 and 64 KiB */
    SIZE_MIN = 4096,
    CLASS_SHIFT = 2,
    SLABS_MAX = 8, /* of each class */
};

static const uint8_t chunks_of[CLASSES] = {32, 16, 8};

typedef struct ScratchSlab {
    BufSlab *memory;
    FileScratch chunks[];
} ScratchSlab;

struct LuaFileScratch {
    FileScratch *free[CLASSES];
    unsigned count[CLASSES];
    ScratchSlab *slabs[CLASSES][SLABS_MAX];
};

static int class_of(size_t size)
{
    int cls = 0;

    while (size > (size_t)SIZE_MIN << (cls * CLASS_SHIFT)) {
        cls++;
    }
    return cls;
}

/* ---- growing ------------------------------------------------------------ */

static void put_free(struct LuaFileScratch *s, FileScratch *chunk)
{
    chunk->next = s->free[chunk->cls];
    s->free[chunk->cls] = chunk;
}

static ScratchSlab *slab_make(LuaVM *vm, const LuaFile *f, int cls)
{
    size_t size = (size_t)SIZE_MIN << (cls * CLASS_SHIFT);
    unsigned n = chunks_of[cls];
    ScratchSlab *slab = calloc(1, sizeof(*slab) + n * sizeof(slab->chunks[0]));

    if (!slab || !(slab->memory = slab_new(n * size, SIZE_MIN))) {
        free(slab);
        return NULL;
    }
    if (!strcmp(aio_engine_name(f->engine), "io_uring")) {
        slab_register(slab->memory, vm->home->ctx);
    }
    for (unsigned i = 0; i < n; i++) {
        slab->chunks[i] = (FileScratch){
            .base = slab->memory->base + i * size,
            .memory = slab->memory,
            .cls = cls,
        };
    }
    return slab;
}

static bool grow(LuaVM *vm, const LuaFile *f, int cls)
{
    struct LuaFileScratch *s = vm->file_scratch;

    if (s->count[cls] == SLABS_MAX) {
        return false;
    }
    ScratchSlab *slab = slab_make(vm, f, cls);

    if (!slab) {
        return false;
    }
    s->slabs[cls][s->count[cls]++] = slab;
    for (unsigned i = chunks_of[cls]; i > 0; i--) {
        put_free(s, &slab->chunks[i - 1]);
    }
    return true;
}

/* ---- taking and giving back --------------------------------------------- */

FileScratch *file_scratch_take(LuaVM *vm, const LuaFile *f, size_t size)
{
    struct LuaFileScratch *s = vm->file_scratch;

    if (size > NOW_BYTES_MAX || f->memory_align > SIZE_MIN) {
        return NULL;
    }
    if (unlikely(!s)) {
        s = vm->file_scratch = calloc(1, sizeof(*s));
        if (!s) {
            return NULL;
        }
    }
    int cls = class_of(size);

    if (unlikely(!s->free[cls]) && !grow(vm, f, cls)) {
        return NULL;
    }
    FileScratch *chunk = s->free[cls];

    s->free[cls] = chunk->next;
    return chunk;
}

void file_scratch_give(LuaVM *vm, FileScratch *chunk)
{
    put_free(vm->file_scratch, chunk);
}

void file_scratch_close(LuaVM *vm)
{
    struct LuaFileScratch *s = vm->file_scratch;

    for (int cls = 0; s && cls < CLASSES; cls++) {
        while (s->count[cls] > 0) {
            ScratchSlab *slab = s->slabs[cls][--s->count[cls]];

            slab_unref(slab->memory);
            free(slab);
        }
    }
    free(s);
    vm->file_scratch = NULL;
}
