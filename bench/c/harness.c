/*
 * harness.c - runs one case of bench_cases[] for a given time
 *
 * The number of operations doubles until a run is long enough to measure; then
 * the rest of the time is spent in runs of that length and the fastest counts,
 * which is the one that was disturbed least.
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

static double now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static double timed_run(const BenchCase *bench, uint64_t n, uint64_t *done)
{
    double start = now_ns();

    *done = bench->run(n);
    return now_ns() - start;
}

static void run_case(const BenchCase *bench, double total_ns)
{
    double best = 0, spent = 0;
    uint64_t n = 1, done = 0, ops = 0;

    if (bench->setup) {
        bench->setup();
    }
    while (spent < total_ns) {
        double ns = timed_run(bench, n, &done);

        spent += ns;
        if (ns < total_ns / 16 && spent < total_ns) {
            n *= 2;
            continue;
        }
        if (best == 0 || ns / done < best) {
            best = ns / done;
            ops = done;
        }
    }
    if (best == 0) { /* never long enough: take what there is */
        best = timed_run(bench, n, &ops) / ops;
    }
    if (bench->teardown) {
        bench->teardown();
    }
    printf("{\"ns\": %.3f, \"ops\": %llu}\n", best, (unsigned long long)ops);
}

int main(int argc, char **argv)
{
    const BenchCase *bench;

    for (bench = bench_cases; bench->name; bench++) {
        if (argc == 2 && strcmp(argv[1], "--list") == 0) {
            puts(bench->name);
        } else if (argc == 3 && strcmp(argv[1], bench->name) == 0) {
            run_case(bench, atof(argv[2]) * 1e6);
            return 0;
        }
    }
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        return 0;
    }
    fprintf(stderr, "usage: %s --list | CASE MILLISECONDS\n", argv[0]);
    return 2;
}
