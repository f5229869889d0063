/*
 * idle.c - eventfds that nobody writes
 */
#include "idle.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"

enum { OTHER_FDS = 64 };

int idle_fds[IDLE_MAX];
static int idle_count;

static void raise_limit(rlim_t wanted)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        bench_require(setrlimit(RLIMIT_NOFILE, &limit) == 0,
                      "enough open files (ulimit -Hn)");
    }
}

void idle_open(int count)
{
    bench_require(count <= IDLE_MAX, "at most 10000 idle fds");
    raise_limit((rlim_t)count + OTHER_FDS);
    for (int i = 0; i < count; i++) {
        idle_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        bench_require(idle_fds[i] >= 0, "eventfd");
    }
    idle_count = count;
}

void idle_close(void)
{
    for (int i = 0; i < idle_count; i++) {
        close(idle_fds[i]);
    }
    idle_count = 0;
}
