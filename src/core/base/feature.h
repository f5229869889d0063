/*
 * base/feature.h - "pretend the kernel refuses", for tests
 *
 * The only environment variables that the core reads: AIOCTL_NO_IO_URING=1,
 * AIOCTL_NO_LINUX_AIO=1, and for the parts with a fall-back inside the core
 * AIOCTL_NO_DEFER_TASKRUN=1, AIOCTL_NO_COOP_TASKRUN=1 (flags of a ring),
 * AIOCTL_NO_EVENTFD=1, AIOCTL_NO_EPOLL=1, AIOCTL_NO_MADV_GUARD=1,
 * AIOCTL_NO_MPROTECT_GUARD=1.  Each is read once, at first use; unset, empty
 * and "0" mean no.
 *
 * Code asks feature_refused() exactly where it would ask the kernel, and takes
 * the same path as for the kernel's own refusal (ENOSYS).
 */
#ifndef AIOCTL_BASE_FEATURE_H
#define AIOCTL_BASE_FEATURE_H

#include <stdbool.h>

typedef enum Feature {
    FEATURE_IO_URING,
    FEATURE_DEFER_TASKRUN,
    FEATURE_COOP_TASKRUN,
    FEATURE_LINUX_AIO,
    FEATURE_EVENTFD,
    FEATURE_EPOLL,
    FEATURE_MADV_GUARD,
    FEATURE_MPROTECT_GUARD,
    FEATURE__MAX
} Feature;

/* True when the environment tells us to do without @feature.  Any thread. */
bool feature_refused(Feature feature);

/* The variable's name, for messages: "AIOCTL_NO_IO_URING". */
const char *feature_variable(Feature feature);

#endif
