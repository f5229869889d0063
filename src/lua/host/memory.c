/*
 * memory.c - when freed memory goes back to the kernel
 *
 * malloc() gives the top of its heap back whenever 128 KiB of it are free, and
 * then asks for it again, page by page.  What a collection frees will be needed
 * for the garbage until the next one.
 */
#include <malloc.h>

#include "host.h"

enum {
    KEPT_BYTES = 8 << 20,
    MAPPED_BYTES = 4 << 20, /* allocations from here on have their own */
};

void memory_keep(void)
{
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
}
