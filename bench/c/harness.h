/*
 * harness.h - one micro benchmark program: a table of cases and a clock
 *
 * A program defines bench_cases[] (ended by a NULL name).  `PROGRAM CASE MS`
 * runs the case for about MS milliseconds and prints {"ns": per operation,
 * "cpu": nanoseconds of all threads per operation, "ops": count};
 * `PROGRAM --list` prints the names.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdint.h>

typedef struct BenchCase {
    const char *name;
    /* Does at least @n operations and returns how many it did. */
    uint64_t (*run)(uint64_t n);
    void (*setup)(void);    /* may be NULL; not timed */
    void (*teardown)(void); /* may be NULL; not timed */
} BenchCase;

extern const BenchCase bench_cases[];

/* Ends the program with exit status 1 and a message. */
void bench_require(int ok, const char *what);

#endif
