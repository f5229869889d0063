/*
 * quantity.h - numbers of the limits tests, and what a process uses
 */
#ifndef QUANTITY_H
#define QUANTITY_H

#include <malloc.h>
#include <time.h>

#include "stress.h"

/* Sanitizers count by themselves what is allocated. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* The full number; where everything is slow a @slow'th of it, said aloud. */
static inline int limit_of(int n, int slow, const char *what)
{
    int used = test_is_slow() ? n / slow : n;

    if (used != n) {
        printf("# slow build: %d %s instead of %d\n", used, what, n);
    }
    return used;
}

static inline int64_t heap_bytes(void)
{
    if (__sanitizer_get_current_allocated_bytes) {
        return (int64_t)__sanitizer_get_current_allocated_bytes();
    }
    struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd);
}

static inline int64_t rss_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    ASSERT(file);
    ASSERT_EQ(fscanf(file, "%ld %ld", &pages, &resident), 2);
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

/* Time of this thread on a processor: a busy machine does not count. */
static inline int64_t cpu_ns(void)
{
    struct timespec t;

    ASSERT_EQ(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

#endif
