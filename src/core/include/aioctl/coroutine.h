/*
 * aioctl/coroutine.h - coroutines beyond qemu/coroutine.h
 */
#ifndef AIOCTL_COROUTINE_H
#define AIOCTL_COROUTINE_H

#include "aioctl/decls.h"
#include "qemu/coroutine.h"

AIOCTL_BEGIN_DECLS

/*
 * aio_co_new: like qemu_coroutine_create(), but reports failure
 * @stack_size: bytes, rounded up to a size class (1 MiB, 8 MiB); 0 = 1 MiB
 * @errp: set when no stack can be mapped (the message names the limit)
 */
Coroutine *aio_co_new(CoroutineEntry *entry, void *opaque, size_t stack_size,
                      Error **errp);

/* aio_co_self_opaque: what the running coroutine was created with, provided
 * that @entry is its function; else NULL. */
void *aio_co_self_opaque(CoroutineEntry *entry);

/* aio_co_discard: free a coroutine that was created but never entered. */
void aio_co_discard(Coroutine *co);

/*
 * aio_co_set_name: what fault reports call @co; @name is kept by pointer and
 * must outlive the coroutine.  @describe, if not NULL, is called (from a signal
 * handler, on another stack) to write "task 'x' (created at f.lua:3)".
 */
typedef int AioCoDescribe(const Coroutine *co, void *opaque, char *buf,
                          size_t size);
void aio_co_set_name(Coroutine *co, const char *name, AioCoDescribe *describe,
                     void *opaque);

/* Lowest usable address and size of @co's C stack; of the thread's own stack
 * (as far as known) when @co is not a created coroutine. */
void aio_co_stack(const Coroutine *co, void **base, size_t *size);

/* Bytes left below the caller's frame on the current C stack. */
size_t aio_co_stack_left(void);

typedef struct AioStackStats {
    const char *guard;    /* "madv_guard", "mprotect", "canary" */
    const char *switcher; /* "asm-x86_64", "asm-aarch64", "ucontext" */
    size_t mapped;        /* stacks mapped, in use or pooled */
    size_t in_use;
} AioStackStats;
void aio_co_stack_stats(AioStackStats *stats);

/*
 * aio_co_install_fault_handler: explain stack overflows
 *
 * Installs a SIGSEGV handler (on alternate stacks, one per thread that enters
 * coroutines from now on).  When a guard is hit it writes "task 'x' (created
 * at f.lua:3) overflowed its C stack (1024 KiB)" to stderr; then, and for any
 * other fault, the signal goes on to the previous handler.  Call it once,
 * early, in programs; a library has no business doing so.
 */
void aio_co_install_fault_handler(void);

AIOCTL_END_DECLS
#endif
