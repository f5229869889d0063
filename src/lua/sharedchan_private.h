/*
 * sharedchan_private.h - what the files of shared channels know of each other
 *
 *   sharedchan.c    the queue and those who wait
 *   sharedgraph.c   channels in messages of channels: who is still reachable
 *   sharedselect.c  waits that stand in several queues at once
 */
#ifndef SHAREDCHAN_PRIVATE_H
#define SHAREDCHAN_PRIVATE_H

#include <pthread.h>

#include "sharedchan.h"

typedef struct Item {
    CrossPack *pack;
    struct Item *next;
    /* graph lock: of the items of a channel that carry channels */
    struct Item *carrier_prev, *carrier_next;
    bool carries;
} Item;

struct SharedChan {
    int refs; /* atomic */
    pthread_mutex_t lock;
    lua_Integer capacity;
    /* lock: */
    bool closed;
    lua_Integer count;
    Item *head, **tail;
    Item *spare; /* one, so that a steady flow allocates nothing */
    SharedWaitList getters, putters;
    VMPort *wake; /* whose loop is woken once the lock is dropped, or NULL */
    /* graph lock: */
    unsigned inner; /* references that queued messages have; read atomically */
    bool marked;
    Item *carriers;
    SharedChan *member_prev, *member_next; /* those with carriers */
    SharedChan *todo;  /* a list: to be looked at; being freed */
    SharedChan *found; /* a list: not reachable */
};

/* ---- sharedchan.c: the lock is held ------------------------------------- */

/* Drops the lock, then wakes the loop that wants it at once. */
void sharedchan_unlock(SharedChan *chan);

typedef enum OfferResult { OFFER_NONE, OFFER_DONE, OFFER_LATE } OfferResult;

/*
 * Hand @pack over or queue it; take the next one.  @mine: of a wait that other
 * queues may end, too; OFFER_LATE when one has.  NULL: none.
 */
OfferResult sharedchan_offer(SharedChan *chan, CrossPack *pack,
                             SharedClaim *mine);
OfferResult sharedchan_take(SharedChan *chan, CrossPack **pack,
                            SharedClaim *mine);
void sharedwait_begin(SharedWaitList *list, SharedWait *w, LuaTask *task);
void sharedwait_unlink(SharedWait *w);

/* ---- sharedgraph.c ------------------------------------------------------ */

/* @item comes to lie in @chan, or leaves it; with the channel's lock. */
void graph_enter(SharedChan *chan, Item *item);
void graph_leave(SharedChan *chan, Item *item);
/* sharedchan_unref() of a channel that lies in some channel. */
void graph_unref(SharedChan *chan);
/* Takes all messages out and frees them. */
void sharedchan_empty(SharedChan *chan);
/* The last reference is gone. */
void sharedchan_destroy(SharedChan *chan);

/* ---- sharedselect.c ----------------------------------------------------- */

typedef enum ClaimResult {
    CLAIM_TAKEN,
    CLAIM_MINE_GONE,
    CLAIM_THEIRS_GONE
} ClaimResult;

/* Both, or neither; each may be NULL. */
ClaimResult claims_take(SharedClaim *mine, SharedClaim *theirs);

#endif
