/*
 * decls.h - what every public header opens and closes with
 *
 * The library is built with hidden visibility; exactly the names declared
 * between these two macros are exported, with C linkage.
 */
#ifndef AIOCTL_DECLS_H
#define AIOCTL_DECLS_H

#ifdef __cplusplus
#define AIOCTL_BEGIN_DECLS                             \
    _Pragma("GCC visibility push(default)") extern "C" \
    {
#define AIOCTL_END_DECLS \
    }                    \
    _Pragma("GCC visibility pop")
#else
#define AIOCTL_BEGIN_DECLS _Pragma("GCC visibility push(default)")
#define AIOCTL_END_DECLS _Pragma("GCC visibility pop")
#endif

#endif
