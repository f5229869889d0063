/*
 * pin.h - the calling thread runs on one processor
 */
#ifndef BENCH_PIN_H
#define BENCH_PIN_H

#include <sched.h>

#include "harness.h"

/* @which: the first or the second (0, 1) of those the process may use. */
static inline void pin_thread(int which)
{
    static cpu_set_t allowed; /* as it was before anybody pinned himself */
    static int known;
    cpu_set_t one;
    int cpu = -1;

    if (!known) {
        sched_getaffinity(0, sizeof(allowed), &allowed);
        known = 1;
    }
    bench_require(which < CPU_COUNT(&allowed), "as many processors");
    do {
        which -= CPU_ISSET(++cpu, &allowed);
    } while (which >= 0);
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    bench_require(sched_setaffinity(0, sizeof(one), &one) == 0,
                  "sched_setaffinity");
}

#endif
