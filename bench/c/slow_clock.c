/*
 * slow_clock.c - a clock that is as slow as what it times
 *
 * Preloaded into programs that run under callgrind, on both sides of a row.
 * That makes a system call, and the way to it, many times slower, so programs
 * that decide by how long one took would not do what they do in earnest.
 */
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SLOWER = 64, NS_PER_S = 1000000000 };

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock,
                                                         struct timespec *ts);

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    int ret = (int)syscall(SYS_clock_gettime, clock, ts);

    if (ret == 0 && clock == CLOCK_MONOTONIC) {
        int64_t ns = ((int64_t)ts->tv_sec * NS_PER_S + ts->tv_nsec) / SLOWER;

        ts->tv_sec = ns / NS_PER_S;
        ts->tv_nsec = ns % NS_PER_S;
    }
    return ret;
}
