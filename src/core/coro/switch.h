/*
 * coro/switch.h - leaving one C stack for another
 *
 * A parked stack is known by one pointer.  coro_switch() parks the caller
 * (storing its pointer) and continues the stack @to; it returns when somebody
 * switches back.  coro_switch_call() does the same, but has the other side call
 * fn(arg), on its own stack, before it continues: so what has to be done after
 * a stack was left needs no test on the way that is taken most.  Both keep what
 * the ABI calls callee-saved, and the floating-point control words; not the
 * signal mask.
 *
 * Assembly for x86-64 and AArch64, ucontext elsewhere or on request.
 */
#ifndef AIOCTL_CORO_SWITCH_H
#define AIOCTL_CORO_SWITCH_H

#if !defined(AIOCTL_COROUTINE_UCONTEXT) && !defined(__x86_64__) && \
    !defined(__aarch64__)
#define AIOCTL_COROUTINE_UCONTEXT
#endif

#ifndef __ASSEMBLER__

void coro_switch(void **save, void *to);
/* The same for two that stopped by calls of the same functions: faster then. */
#if defined(__x86_64__) && !defined(AIOCTL_COROUTINE_UCONTEXT)
void coro_switch_peer(void **save, void *to);
#else
#define coro_switch_peer coro_switch
#endif
void coro_switch_call(void **save, void *to, void (*fn)(void *), void *arg);

/*
 * coro_prepare: a stack that, when first switched to, calls entry(arg)
 * The stack is [@low, @high).  @entry must not return.
 */
void *coro_prepare(char *low, char *high, void (*entry)(void *), void *arg);

extern const char coro_switch_name[];

/* Where the first switch to a prepared stack arrives (assembly only). */
void coro_start(void);

#endif
#endif
