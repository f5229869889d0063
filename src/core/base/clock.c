/*
 * base/clock.c - the only clock_gettime() in the tree
 */
#include "base/clock.h"

#include "base/check.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    int ret = clock_gettime(id, &ts);
    CHECK(ret == 0);
    return ts.tv_sec * CLOCK_NS_PER_S + ts.tv_nsec;
}

int64_t clock_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_realtime_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t clock_thread_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
