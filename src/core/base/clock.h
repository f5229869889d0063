/*
 * base/clock.h - the only source of time
 *
 * Nothing else in the tree reads a clock, so that a virtual clock can be put
 * here one day.  Nanoseconds; a reading costs about 25 ns, so loops read once
 * per pass and pass the value on.
 */
#ifndef AIOCTL_BASE_CLOCK_H
#define AIOCTL_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_NS_PER_S 1000000000LL
#define CLOCK_NS_PER_MS 1000000LL

int64_t clock_monotonic_ns(void); /* since some point; never goes back */
int64_t clock_realtime_ns(void);  /* since 1970; may jump */

/* CPU time used by the calling thread. */
int64_t clock_thread_cpu_ns(void);

/* @ns >= 0 as the kernel wants it. */
static inline struct timespec clock_timespec(int64_t ns)
{
    struct timespec ts = {
        .tv_sec = ns / CLOCK_NS_PER_S,
        .tv_nsec = ns % CLOCK_NS_PER_S,
    };
    return ts;
}

#endif
