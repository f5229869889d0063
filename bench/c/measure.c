/*
 * measure.c - runs a command N times and prints its wall and CPU time as JSON
 *
 *     bench_measure N COMMAND [ARGS]
 *
 * Output of the command is thrown away.  The figures are those of the median
 * run by wall time; user and system time include threads and waited-for
 * children, as wait4() reports them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS_MAX = 1000 };

typedef struct Run {
    double wall, user, sys;
} Run;

static double seconds(struct timeval tv)
{
    return tv.tv_sec + tv.tv_usec / 1e6;
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

static _Noreturn void run_child(char **argv)
{
    int null = open("/dev/null", O_WRONLY);

    dup2(null, STDOUT_FILENO);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

static int run_once(char **argv, Run *run)
{
    struct rusage usage;
    int status;
    double start = now();
    pid_t pid = vfork();

    if (pid < 0) {
        perror("vfork");
        return -1;
    }
    if (pid == 0) {
        run_child(argv);
    }
    if (wait4(pid, &status, 0, &usage) < 0) {
        perror("wait4");
        return -1;
    }
    run->wall = now() - start;
    run->user = seconds(usage.ru_utime);
    run->sys = seconds(usage.ru_stime);
    if (status != 0) {
        fprintf(stderr, "measure: %s ended with status %d\n", argv[0],
                WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
        return -1;
    }
    return 0;
}

static int by_wall(const void *a, const void *b)
{
    double x = ((const Run *)a)->wall, y = ((const Run *)b)->wall;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static Run runs[RUNS_MAX];
    int n = argc > 2 ? atoi(argv[1]) : 0;

    if (n < 1 || n > RUNS_MAX) {
        fprintf(stderr, "usage: %s N COMMAND [ARGS]\n", argv[0]);
        return 2;
    }
    for (int i = 0; i < n; i++) {
        if (run_once(argv + 2, &runs[i]) < 0) {
            return 1;
        }
    }
    qsort(runs, n, sizeof(runs[0]), by_wall);
    Run *median = &runs[n / 2];
    printf("{\"wall\": %.6f, \"user\": %.6f, \"sys\": %.6f}\n", median->wall,
           median->user, median->sys);
    return 0;
}
