/*
 * base/check.h - programmer errors end the program here
 *
 * CHECK(cond) is always on and states one fact; CHECKF() adds a message that
 * names the object.  DCHECK() is for conditions that are costly to evaluate and
 * exists only in builds with AIOCTL_DCHECK.  The report reads
 *
 *     aioctl: coro/coroutine.c:81: CHECK(!co->caller) failed: message
 *
 * Never for what the machine or a user can do wrong: that is an Error or a
 * negative errno.
 */
#ifndef AIOCTL_BASE_CHECK_H
#define AIOCTL_BASE_CHECK_H

#include "qemu/osdep.h"

/* "a/b/src/core/coro/pool.c" -> "coro/pool.c": subsystem and file. */
const char *check_short_path(const char *file);

/* Print and abort(). */
void check_failed(const char *file, int line, const char *cond)
    __attribute__((noreturn, cold));
void check_failedf(const char *file, int line, const char *cond,
                   const char *fmt, ...)
    __attribute__((noreturn, cold, format(printf, 4, 5)));

#define CHECK(cond)                                  \
    do {                                             \
        if (unlikely(!(cond))) {                     \
            check_failed(__FILE__, __LINE__, #cond); \
        }                                            \
    } while (0)

#define CHECKF(cond, ...)                                          \
    do {                                                           \
        if (unlikely(!(cond))) {                                   \
            check_failedf(__FILE__, __LINE__, #cond, __VA_ARGS__); \
        }                                                          \
    } while (0)

#ifdef AIOCTL_DCHECK
#define DCHECK(cond) CHECK(cond)
#else
#define DCHECK(cond) ((void)sizeof(!(cond)))
#endif

/* Allocation that does not fail: aborts, naming the size. */
void *check_malloc(size_t size) __attribute__((malloc, returns_nonnull));
void *check_calloc(size_t n, size_t size)
    __attribute__((malloc, returns_nonnull));
void *check_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));
char *check_strdup(const char *s) __attribute__((malloc, returns_nonnull));

#endif
