/*
 * hist.h - log-linear histograms of durations
 *
 * Values below 256 have a bucket each; above, every power of two is divided
 * into 128 buckets, so that a value is known to 1/128 (0.8 %).  Recording is a
 * shift and an increment; memory grows with the largest value (26 KB for one
 * second in nanoseconds), not with the number of values.
 *
 * Not thread-safe.  A zeroed Hist is empty.
 */
#ifndef HIST_H
#define HIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Hist {
    uint64_t *counts; /* size of them */
    uint32_t size;
    uint64_t total;
    int64_t min, max; /* exact; valid when total > 0 */
    double sum, sum_squares;
} Hist;

/* Count @value (>= 0) @count times.  False: out of memory, nothing changed. */
bool hist_record(Hist *h, int64_t value, uint64_t count);

/* Add everything that is in @from.  False: out of memory, nothing changed. */
bool hist_merge(Hist *h, const Hist *from);

/*
 * hist_percentile: smallest recorded value that at least @p percent (0..100)
 * of all do not exceed, to the precision of its bucket; 0 when empty.
 */
int64_t hist_percentile(const Hist *h, double p);

double hist_mean(const Hist *h);
double hist_stddev(const Hist *h);

/* Largest value that is counted in bucket @index. */
int64_t hist_bucket_end(uint32_t index);

void hist_reset(Hist *h); /* empty again; keeps its memory */
void hist_free(Hist *h);

#endif
