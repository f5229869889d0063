/*
 * lcrossseen.h - addresses that a walk over values has met already
 */
#ifndef LCROSSSEEN_H
#define LCROSSSEEN_H

#include <stdint.h>

typedef struct CrossSeen {
    const void *address; /* NULL: free */
    uint32_t number;     /* of the thing; of the function, for an upvalue */
    uint8_t upvalue;
} CrossSeen;

/* Zeroed at first; the user counts what it fills in, and frees slots. */
typedef struct CrossSeenSet {
    CrossSeen *slots;
    unsigned count, size; /* size: a power of two, or 0 */
} CrossSeenSet;

/* The entry of @address, or a free one for it; NULL: no memory. */
CrossSeen *cross_seen(CrossSeenSet *set, const void *address);

#endif
