/*
 * base/counted.h - freeing what has a reference count
 *
 * The static analyzer does not count: it takes each unref for the last one and
 * reports what comes after.  To it, this frees nothing.
 */
#ifndef AIOCTL_BASE_COUNTED_H
#define AIOCTL_BASE_COUNTED_H

#include <stdlib.h>

#ifdef __clang_analyzer__
#define free_counted(p) ((void)(p))
#else
#define free_counted(p) free(p)
#endif

#endif
