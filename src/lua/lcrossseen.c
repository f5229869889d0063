/*
 * lcrossseen.c - addresses that a walk over values has met already
 *
 * Open addressing, never more than half full, so that every search ends at a
 * free slot.
 */
#include "lcrossseen.h"

#include <stdbool.h>
#include <stdlib.h>

static CrossSeen *find_slot(const CrossSeenSet *set, const void *address)
{
    uint64_t hash = (uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15);
    unsigned i = (unsigned)(hash >> 32) & (set->size - 1);

    while (set->slots[i].address && set->slots[i].address != address) {
        i = (i + 1) & (set->size - 1);
    }
    return &set->slots[i];
}

static bool grow(CrossSeenSet *set)
{
    CrossSeenSet larger = {.count = set->count,
                           .size = set->size ? set->size * 2 : 16};

    larger.slots = calloc(larger.size, sizeof(CrossSeen));
    if (!larger.slots) {
        return false;
    }
    for (unsigned i = 0; i < set->size; i++) {
        if (set->slots[i].address) {
            *find_slot(&larger, set->slots[i].address) = set->slots[i];
        }
    }
    free(set->slots);
    *set = larger;
    return true;
}

CrossSeen *cross_seen(CrossSeenSet *set, const void *address)
{
    if (set->count * 2 >= set->size && !grow(set)) {
        return NULL;
    }
    return find_slot(set, address);
}
