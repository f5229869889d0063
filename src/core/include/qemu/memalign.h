/*
 * qemu/memalign.h - memory for O_DIRECT
 */
#ifndef QEMU_MEMALIGN_H
#define QEMU_MEMALIGN_H

#include "qemu/osdep.h"

AIOCTL_BEGIN_DECLS

/*
 * qemu_try_memalign: @size bytes at a multiple of @alignment, a power of two
 *
 * Not initialised; 0 bytes are a block of their own, too.
 * Returns: NULL when there is no memory; to be given back with qemu_vfree().
 */
void *qemu_try_memalign(size_t alignment, size_t size);

/* The same, but aborts, naming both numbers, instead of returning NULL. */
void *qemu_memalign(size_t alignment, size_t size);

/* NULL is fine. */
void qemu_vfree(void *ptr);

AIOCTL_END_DECLS

static inline void qemu_cleanup_generic_vfree(void *p)
{
    qemu_vfree(*(void **)p);
}

/* A pointer that is given back at the end of its scope. */
#define QEMU_AUTO_VFREE __attribute__((cleanup(qemu_cleanup_generic_vfree)))

#endif
