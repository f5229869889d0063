/*
 * qemu/atomic.h - atomic operations with their ordering in the name
 *
 * qatomic_read/qatomic_set are relaxed.  Every read-modify-write returns with
 * sequential consistency.  *_load_acquire and *_store_release are what their
 * names say.  Data is published with release/acquire; the smp_*mb() fences are
 * for store-then-load protocols (one side writes A and reads B, the other
 * writes B and reads A), and a use of one names its pair in a comment.
 */
#ifndef QEMU_ATOMIC_H
#define QEMU_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#include "qemu/osdep.h"

/* Compiler-only barrier. */
#define barrier() __asm__ volatile("" ::: "memory")

/* GCC says that TSan does not model fences: known, and harmless, because no
 * non-atomic data is published through one. */
#if defined(__SANITIZE_THREAD__) && !defined(__clang__) && __GNUC__ >= 11
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif

static inline void smp_mb(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void smp_mb_acquire(void)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline void smp_mb_release(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

#if defined(__SANITIZE_THREAD__) && !defined(__clang__) && __GNUC__ >= 11
#pragma GCC diagnostic pop
#endif

#define smp_rmb() smp_mb_acquire()
#define smp_wmb() smp_mb_release()
#define smp_read_barrier_depends() barrier()

/* A read-modify-write next to a full barrier: on x86 the locked instruction
 * already is one. */
#if defined(__i386__) || defined(__x86_64__)
#define smp_mb__before_rmw() barrier()
#define smp_mb__after_rmw() barrier()
#else
#define smp_mb__before_rmw() smp_mb()
#define smp_mb__after_rmw() smp_mb()
#endif

#define signal_barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* Wider accesses would become library calls with a lock. */
#define QATOMIC_CHECK_(ptr)                               \
    QEMU_BUILD_BUG_MSG(sizeof(*(ptr)) > sizeof(uint64_t), \
                       "atomic access wider than 64 bits")

/* The type of *ptr without qualifiers and, for integers, unpromoted. */
#ifdef __cplusplus
#define QATOMIC_AUTO_ auto
#else
#define QATOMIC_AUTO_ __auto_type
#endif
#define QATOMIC_TYPE_(ptr)                     \
    __typeof__(({                              \
        QATOMIC_AUTO_ qatomic_value_ = *(ptr); \
        qatomic_value_;                        \
    }))

#define QATOMIC_LOAD_(ptr, order)        \
    ({                                   \
        QATOMIC_CHECK_(ptr);             \
        __atomic_load_n((ptr), (order)); \
    })
#define QATOMIC_STORE_(ptr, value, order)          \
    do {                                           \
        QATOMIC_CHECK_(ptr);                       \
        __atomic_store_n((ptr), (value), (order)); \
    } while (0)

#define qatomic_read(ptr) QATOMIC_LOAD_(ptr, __ATOMIC_RELAXED)
#define qatomic_read__nocheck(ptr) __atomic_load_n((ptr), __ATOMIC_RELAXED)
#define qatomic_set(ptr, i) QATOMIC_STORE_(ptr, i, __ATOMIC_RELAXED)
#define qatomic_set__nocheck(ptr, i) \
    __atomic_store_n((ptr), (i), __ATOMIC_RELAXED)

#define qatomic_load_acquire(ptr) QATOMIC_LOAD_(ptr, __ATOMIC_ACQUIRE)
#define qatomic_store_release(ptr, i) QATOMIC_STORE_(ptr, i, __ATOMIC_RELEASE)

/* Pointer publication: readers may only dereference what they read. */
#define qatomic_rcu_read(ptr) QATOMIC_LOAD_(ptr, __ATOMIC_ACQUIRE)
#define qatomic_rcu_set(ptr, i) QATOMIC_STORE_(ptr, i, __ATOMIC_RELEASE)

/* A total order over all accesses made through these two. */
#define qatomic_mb_read(ptr) QATOMIC_LOAD_(ptr, __ATOMIC_SEQ_CST)
#define qatomic_mb_set(ptr, i)                                   \
    do {                                                         \
        QATOMIC_CHECK_(ptr);                                     \
        (void)__atomic_exchange_n((ptr), (i), __ATOMIC_SEQ_CST); \
    } while (0)
#define qatomic_set_mb(ptr, i) qatomic_mb_set(ptr, i)

/* Returns the previous value. */
#define qatomic_xchg(ptr, i)                               \
    ({                                                     \
        QATOMIC_CHECK_(ptr);                               \
        __atomic_exchange_n((ptr), (i), __ATOMIC_SEQ_CST); \
    })
#define qatomic_xchg__nocheck(ptr, i) \
    __atomic_exchange_n((ptr), (i), __ATOMIC_SEQ_CST)

/* Returns the value found: equal to @old exactly when the swap happened. */
#define qatomic_cmpxchg(ptr, old, new)                                         \
    ({                                                                         \
        QATOMIC_CHECK_(ptr);                                                   \
        QATOMIC_TYPE_(ptr) qatomic_old_ = (old);                               \
        (void)__atomic_compare_exchange_n((ptr), &qatomic_old_, (new), false,  \
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        qatomic_old_;                                                          \
    })
#define qatomic_cmpxchg__nocheck(ptr, old, new) qatomic_cmpxchg(ptr, old, new)

/* Return the value before the operation. */
#define qatomic_fetch_add(ptr, n) \
    __atomic_fetch_add((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_fetch_sub(ptr, n) \
    __atomic_fetch_sub((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_fetch_and(ptr, n) \
    __atomic_fetch_and((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_fetch_or(ptr, n) __atomic_fetch_or((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_fetch_xor(ptr, n) \
    __atomic_fetch_xor((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_fetch_inc(ptr) qatomic_fetch_add(ptr, 1)
#define qatomic_fetch_dec(ptr) qatomic_fetch_sub(ptr, 1)

/* Return the value after the operation. */
#define qatomic_add_fetch(ptr, n) \
    __atomic_add_fetch((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_sub_fetch(ptr, n) \
    __atomic_sub_fetch((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_and_fetch(ptr, n) \
    __atomic_and_fetch((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_or_fetch(ptr, n) __atomic_or_fetch((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_xor_fetch(ptr, n) \
    __atomic_xor_fetch((ptr), (n), __ATOMIC_SEQ_CST)
#define qatomic_inc_fetch(ptr) qatomic_add_fetch(ptr, 1)
#define qatomic_dec_fetch(ptr) qatomic_sub_fetch(ptr, 1)

/* Return nothing. */
#define qatomic_inc(ptr) ((void)qatomic_fetch_add(ptr, 1))
#define qatomic_dec(ptr) ((void)qatomic_fetch_sub(ptr, 1))
#define qatomic_add(ptr, n) ((void)qatomic_fetch_add(ptr, n))
#define qatomic_sub(ptr, n) ((void)qatomic_fetch_sub(ptr, n))
#define qatomic_and(ptr, n) ((void)qatomic_fetch_and(ptr, n))
#define qatomic_or(ptr, n) ((void)qatomic_fetch_or(ptr, n))
#define qatomic_xor(ptr, n) ((void)qatomic_fetch_xor(ptr, n))

/* 64 bits also on 32-bit machines. */
typedef int64_t aligned_int64_t __attribute__((aligned(8)));
typedef uint64_t aligned_uint64_t __attribute__((aligned(8)));
#define qatomic_read_i64(ptr) __atomic_load_n((ptr), __ATOMIC_RELAXED)
#define qatomic_read_u64(ptr) __atomic_load_n((ptr), __ATOMIC_RELAXED)
#define qatomic_set_i64(ptr, v) __atomic_store_n((ptr), (v), __ATOMIC_RELAXED)
#define qatomic_set_u64(ptr, v) __atomic_store_n((ptr), (v), __ATOMIC_RELAXED)

/* Relax the processor in a spin loop. */
static inline void cpu_relax(void)
{
#if defined(__i386__) || defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#else
    barrier();
#endif
}

#endif
