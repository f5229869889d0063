/*
 * base/fork.c - counts, in each child, the forks that led to it
 */
#include "base/fork.h"

#include <pthread.h>

#include "base/check.h"

unsigned fork_count;

static void count_fork(void)
{
    fork_count++;
}

static void watch(void)
{
    CHECK(pthread_atfork(NULL, NULL, count_fork) == 0);
}

void fork_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    CHECK(pthread_once(&once, watch) == 0);
}
