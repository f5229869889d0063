/*
 * aligned_malloc.c - LD_PRELOAD: what malloc() gives begins at a multiple of
 * 4096, from that size on
 *
 * libuv's bindings read into what malloc() gives, which O_DIRECT refuses.  This
 * makes luv a peer for reading past the page cache.
 */
#include <stdlib.h>

void *__libc_malloc(size_t size);
__attribute__((visibility("default"))) void *malloc(size_t size);

enum { BLOCK = 4096 };

void *malloc(size_t size)
{
    return size >= BLOCK
               ? aligned_alloc(BLOCK, (size + BLOCK - 1) / BLOCK * BLOCK)
               : __libc_malloc(size);
}
