/*
 * coro/switch.h - leaving one C stack for another
 *
 * A parked stack is known by one pointer.  coro_switch() parks the caller
 * (storing its pointer), continues the stack @to, and returns, when somebody
 * switches back, the value that the other side passed.  It keeps what the ABI
 * calls callee-saved, and the floating-point control words; not the signal
 * mask.
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

#include <stdint.h>

intptr_t coro_switch(void **save, void *to, intptr_t value);

/*
 * coro_prepare: a stack that, when first switched to, calls entry(arg)
 * The stack is [@low, @high).  @entry must not return.  The value passed by the
 * first switch is lost.
 */
void *coro_prepare(char *low, char *high, void (*entry)(void *), void *arg);

extern const char coro_switch_name[];

/* Where the first switch to a prepared stack arrives (assembly only). */
void coro_start(void);

#endif
#endif
