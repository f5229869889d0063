/*
 * hist.c - log-linear histograms of durations
 *
 * Bucket of a value v >= 256 whose highest bit is 2^(7+s), s >= 1: the top
 * eight bits of v are 128..255, so s * 128 + (v >> s) follows on seamlessly
 * from the buckets below.
 */
#include "hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUB_BITS = 7,
    SUB_BUCKETS = 1 << SUB_BITS,
    EXACT = 2 * SUB_BUCKETS, /* values below have their own bucket */
};

static uint32_t bucket_of(int64_t value)
{
    uint32_t shift;

    if (value < EXACT) {
        return (uint32_t)value;
    }
    shift = 63 - SUB_BITS - (uint32_t)__builtin_clzll((uint64_t)value);
    return shift * SUB_BUCKETS + (uint32_t)(value >> shift);
}

int64_t hist_bucket_end(uint32_t index)
{
    uint32_t shift;

    if (index < EXACT) {
        return index;
    }
    shift = index / SUB_BUCKETS - 1;
    return (int64_t)((((uint64_t)(index - shift * SUB_BUCKETS) + 1) << shift) -
                     1);
}

/* Room for buckets 0..index, rounded up to whole powers of two of values. */
static bool reserve(Hist *h, uint32_t index)
{
    uint32_t size = (index / SUB_BUCKETS + 1) * SUB_BUCKETS;
    uint64_t *counts;

    if (index < h->size) {
        return true;
    }
    counts = realloc(h->counts, size * sizeof(*counts));
    if (!counts) {
        return false;
    }
    memset(&counts[h->size], 0, (size - h->size) * sizeof(*counts));
    h->counts = counts;
    h->size = size;
    return true;
}

static void widen(Hist *h, int64_t min, int64_t max)
{
    h->min = h->total == 0 || min < h->min ? min : h->min;
    h->max = h->total == 0 || max > h->max ? max : h->max;
}

bool hist_record(Hist *h, int64_t value, uint64_t count)
{
    uint32_t index = bucket_of(value);

    if (!reserve(h, index)) {
        return false;
    }
    if (count == 0) {
        return true;
    }
    widen(h, value, value);
    h->counts[index] += count;
    h->total += count;
    h->sum += (double)value * (double)count;
    h->sum_squares += (double)value * (double)value * (double)count;
    return true;
}

bool hist_merge(Hist *h, const Hist *from)
{
    if (from->total == 0) {
        return true;
    }
    if (!reserve(h, from->size - 1)) {
        return false;
    }
    widen(h, from->min, from->max);
    for (uint32_t i = 0; i < from->size; i++) {
        h->counts[i] += from->counts[i];
    }
    h->total += from->total;
    h->sum += from->sum;
    h->sum_squares += from->sum_squares;
    return true;
}

int64_t hist_percentile(const Hist *h, double p)
{
    /* 99.9 % of 1000 is a hair above 999 in floating point. */
    double rank = ceil(p / 100 * (double)h->total * (1 - 1e-12));
    uint64_t seen = 0;

    if (h->total == 0) {
        return 0;
    }
    if (p <= 0) {
        return h->min;
    }
    for (uint32_t i = 0; i < h->size; i++) {
        seen += h->counts[i];
        if ((double)seen >= rank) {
            int64_t end = hist_bucket_end(i);

            return end < h->max ? end : h->max;
        }
    }
    return h->max;
}

double hist_mean(const Hist *h)
{
    return h->total ? h->sum / (double)h->total : 0;
}

double hist_stddev(const Hist *h)
{
    double mean = hist_mean(h);
    double variance;

    if (h->total == 0) {
        return 0;
    }
    variance = h->sum_squares / (double)h->total - mean * mean;
    return variance > 0 ? sqrt(variance) : 0; /* rounding may go below */
}

void hist_reset(Hist *h)
{
    uint64_t *counts = h->counts;
    uint32_t size = h->size;

    if (counts) {
        memset(counts, 0, size * sizeof(*counts));
    }
    *h = (Hist){.counts = counts, .size = size};
}

void hist_free(Hist *h)
{
    free(h->counts);
    *h = (Hist){0};
}
