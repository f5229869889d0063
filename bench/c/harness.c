/*
 * harness.c - runs one case of bench_cases[] for a given time
 *
 * The number of operations doubles until a run is long enough to measure; then
 * the rest of the time is spent in runs of that length and the fastest counts,
 * which is the one that was disturbed least.  With "mean" all of them count: a
 * disk is fast for moments, and who looks at those only flatters itself.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void bench_require(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench: %s failed\n", what);
        exit(1);
    }
}

typedef struct Run {
    double ns, cpu_ns;
    uint64_t ops;
} Run;

static double clock_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static Run timed_run(const BenchCase *bench, uint64_t n)
{
    double cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    double start = clock_ns(CLOCK_MONOTONIC);
    uint64_t ops = bench->run(n);
    double end = clock_ns(CLOCK_MONOTONIC);

    return (Run){
        .ns = end - start,
        .cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu,
        .ops = ops,
    };
}

static Run sum_of(Run a, Run b)
{
    return (Run){a.ns + b.ns, a.cpu_ns + b.cpu_ns, a.ops + b.ops};
}

static Run fastest_of(Run a, Run b)
{
    return a.ops == 0 || b.ns / b.ops < a.ns / a.ops ? b : a;
}

static void run_case(const BenchCase *bench, double total_ns,
                     Run (*take)(Run so_far, Run run))
{
    Run taken = {0};
    double spent = 0;
    uint64_t n = 1;

    if (bench->setup) {
        bench->setup();
    }
    while (spent < total_ns) {
        Run run = timed_run(bench, n);

        spent += run.ns;
        if (run.ns < total_ns / 16 && spent < total_ns) {
            n *= 2;
            continue;
        }
        taken = take(taken, run);
    }
    if (taken.ops == 0) { /* never long enough: take what there is */
        taken = timed_run(bench, n);
    }
    if (bench->teardown) {
        bench->teardown();
    }
    printf("{\"ns\": %.3f, \"cpu\": %.3f, \"ops\": %llu}\n",
           taken.ns / taken.ops, taken.cpu_ns / taken.ops,
           (unsigned long long)taken.ops);
}

int main(int argc, char **argv)
{
    int mean = argc == 4 && strcmp(argv[3], "mean") == 0;
    const BenchCase *bench;

    for (bench = bench_cases; bench->name; bench++) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0) {
            puts(bench->name);
        } else if ((argc == 3 || mean) && strcmp(argv[1], bench->name) == 0) {
            run_case(bench, atof(argv[2]) * 1e6, mean ? sum_of : fastest_of);
            return 0;
        }
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        return 0;
    }
    fprintf(stderr, "usage: %s --list | CASE MILLISECONDS [mean]\n", argv[0]);
    return 2;
}
