/*
 * memalign.c - memory at multiples of a block size
 */
#include "qemu/memalign.h"

#include "base/check.h"

void *qemu_try_memalign(size_t alignment, size_t size)
{
    void *memory;

    CHECKF(is_power_of_2(alignment), "alignment %zu is no power of two",
           alignment);
    /* Below a pointer's size posix_memalign() refuses; of 0 it may be NULL. */
    return posix_memalign(&memory, MAX(alignment, sizeof(void *)),
                          MAX(size, (size_t)1)) == 0
               ? memory
               : NULL;
}

void *qemu_memalign(size_t alignment, size_t size)
{
    void *memory = qemu_try_memalign(alignment, size);

    CHECKF(memory, "out of memory for %zu bytes at a multiple of %zu", size,
           alignment);
    return memory;
}

void qemu_vfree(void *ptr)
{
    free(ptr);
}
