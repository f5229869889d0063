/*
 * base/futex.h - sleep until a word changes
 *
 * futex_wait() may return early for any reason; callers look at the word again.
 */
#ifndef AIOCTL_BASE_FUTEX_H
#define AIOCTL_BASE_FUTEX_H

#include <linux/futex.h>
#include <sys/syscall.h>

#include "base/check.h"

/* Sleeps while *addr == expected. */
static inline void futex_wait(unsigned *addr, unsigned expected)
{
    long ret = syscall(SYS_futex, addr, FUTEX_WAIT_PRIVATE, expected, NULL);
    CHECKF(ret == 0 || errno == EAGAIN || errno == EINTR, "futex wait: %s",
           strerror(errno));
}

static inline void futex_wake(unsigned *addr, int n)
{
    syscall(SYS_futex, addr, FUTEX_WAKE_PRIVATE, n);
}

#endif
