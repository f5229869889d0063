/*
 * qemu/osdep.h - the small change every other header counts on
 *
 * Arithmetic helpers, attributes, and the forward declarations of types that
 * many headers mention and only one defines.
 */
#ifndef QEMU_OSDEP_H
#define QEMU_OSDEP_H

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aioctl/decls.h"

/* ---- types defined elsewhere -------------------------------------------- */

typedef struct AioContext AioContext;
typedef struct BdrvGraphRWlock BdrvGraphRWlock;
typedef struct BlockDriverState BlockDriverState;
typedef struct CoMutex CoMutex;
typedef struct CoQueue CoQueue;
typedef struct CoRwlock CoRwlock;
typedef struct Coroutine Coroutine;
typedef struct Error Error;
typedef struct EventNotifier EventNotifier;
typedef struct IOThread IOThread;
typedef struct QEMUBH QEMUBH;
typedef struct QEMUIOVector QEMUIOVector;
typedef struct QEMUTimer QEMUTimer;
typedef struct QEMUTimerList QEMUTimerList;
typedef struct QEMUTimerListGroup QEMUTimerListGroup;
typedef struct QemuLockable QemuLockable;
typedef struct _GSource GSource; /* GLib's own spelling of the tag */

/* ---- words about functions and types ------------------------------------ */

/* Must be called from a coroutine / may be / must not be.  Documentation. */
#define coroutine_fn
#define coroutine_mixed_fn
#define no_coroutine_fn

#ifndef likely
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

#define QEMU_NORETURN __attribute__((noreturn))
#define QEMU_PACKED __attribute__((packed))
#define QEMU_ALIGNED(n) __attribute__((aligned(n)))
#define QEMU_WARN_UNUSED_RESULT __attribute__((warn_unused_result))
#define QEMU_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define QEMU_SENTINEL __attribute__((sentinel))
#define QEMU_NOINLINE __attribute__((noinline))
#define QEMU_ALWAYS_INLINE __attribute__((always_inline))
#define QEMU_FALLTHROUGH __attribute__((fallthrough))

#define stringify(s) tostring(s)
#define tostring(s) #s
#ifndef glue
#define xglue(a, b) a##b
#define glue(a, b) xglue(a, b)
#endif

#ifdef __cplusplus
#define QEMU_BUILD_BUG_MSG(cond, msg) static_assert(!(cond), msg)
#else
#define QEMU_BUILD_BUG_MSG(cond, msg) _Static_assert(!(cond), msg)
#endif
#define QEMU_BUILD_BUG_ON(cond) \
    QEMU_BUILD_BUG_MSG(cond, "not expecting: " #cond)

/* ---- arithmetic --------------------------------------------------------- */

#undef MIN
#undef MAX
#define MIN(a, b)                          \
    ({                                     \
        __typeof__((a) + 0) min_a_ = (a);  \
        __typeof__((b) + 0) min_b_ = (b);  \
        min_a_ < min_b_ ? min_a_ : min_b_; \
    })
#define MAX(a, b)                          \
    ({                                     \
        __typeof__((a) + 0) max_a_ = (a);  \
        __typeof__((b) + 0) max_b_ = (b);  \
        max_a_ > max_b_ ? max_a_ : max_b_; \
    })
/* For constant expressions, where a statement expression is not allowed. */
#define MIN_CONST(a, b) ((a) < (b) ? (a) : (b))
#define MAX_CONST(a, b) ((a) > (b) ? (a) : (b))

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* Any divisor; *_ROUND_* with a power of two when ROUND_UP says so. */
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))
#define QEMU_ALIGN_DOWN(n, m) ((n) / (m) * (m))
#define QEMU_ALIGN_UP(n, m) QEMU_ALIGN_DOWN((n) + (m)-1, (m))
#define QEMU_IS_ALIGNED(n, m) (((n) % (m)) == 0)
#define QEMU_ALIGN_PTR_DOWN(p, n) \
    ((__typeof__(p))QEMU_ALIGN_DOWN((uintptr_t)(p), (n)))
#define QEMU_ALIGN_PTR_UP(p, n) \
    ((__typeof__(p))QEMU_ALIGN_UP((uintptr_t)(p), (n)))
#define QEMU_PTR_IS_ALIGNED(p, n) QEMU_IS_ALIGNED((uintptr_t)(p), (n))
/* @d must be a power of two; the type of @n is kept. */
#define ROUND_DOWN(n, d) ((n) & -(0 ? (n) : (d)))
#define ROUND_UP(n, d) ROUND_DOWN((n) + (d)-1, (d))

static inline bool is_power_of_2(uint64_t value)
{
    return value && !(value & (value - 1));
}

#undef container_of
#define container_of(ptr, type, member)                             \
    ({                                                              \
        const __typeof__(((type *)0)->member) *member_ptr_ = (ptr); \
        (type *)((char *)member_ptr_ - offsetof(type, member));     \
    })

#define DO_UPCAST(type, member, ptr) container_of(ptr, type, member)

#define typeof_field(type, member) __typeof__(((type *)0)->member)
#define sizeof_field(type, member) sizeof(((type *)0)->member)

/* ---- system calls ------------------------------------------------------- */

/* The value of @expr, evaluated again as long as it is -1 with EINTR. */
#define RETRY_ON_EINTR(expr)                          \
    ({                                                \
        __typeof__(expr) retry_ret_;                  \
        do {                                          \
            retry_ret_ = (expr);                      \
        } while (retry_ret_ == -1 && errno == EINTR); \
        retry_ret_;                                   \
    })

/* ---- thread-local state of code that runs in coroutines ---------------- */

/*
 * A coroutine may yield in one thread and go on in another, but compilers
 * assume that the address of a thread-local variable never changes within a
 * function.  So such variables are only reached through functions that are not
 * inlined, which compute the address afresh: get_NAME(), set_NAME(value) and
 * get_ptr_NAME() (do not keep that pointer across a yield).
 */
#define QEMU_DECLARE_CO_TLS(type, var) \
    type get_##var(void);              \
    void set_##var(type v);            \
    type *get_ptr_##var(void);

#define QEMU_CO_TLS_BODY_(storage, type, var)                               \
    static __thread type co_tls_##var;                                      \
    storage QEMU_NOINLINE __attribute__((unused)) type get_##var(void)      \
    {                                                                       \
        __asm__ volatile("");                                               \
        return co_tls_##var;                                                \
    }                                                                       \
    storage QEMU_NOINLINE __attribute__((unused)) void set_##var(type v)    \
    {                                                                       \
        __asm__ volatile("");                                               \
        co_tls_##var = v;                                                   \
    }                                                                       \
    storage QEMU_NOINLINE __attribute__((unused)) type *get_ptr_##var(void) \
    {                                                                       \
        type *ptr = &co_tls_##var;                                          \
        __asm__ volatile("" : "+rm"(ptr));                                  \
        return ptr;                                                         \
    }

#define QEMU_DEFINE_CO_TLS(type, var) QEMU_CO_TLS_BODY_(, type, var)
#define QEMU_DEFINE_STATIC_CO_TLS(type, var) \
    QEMU_CO_TLS_BODY_(static, type, var)

AIOCTL_BEGIN_DECLS

/* The kernel's id of the calling thread (what ps and gdb show). */
int qemu_get_thread_id(void);

AIOCTL_END_DECLS
#endif
