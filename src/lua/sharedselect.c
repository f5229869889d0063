/*
 * sharedselect.c - a task waits in the queues of several channels at once
 *
 * Some of them may be shared, so any thread might serve it.  Whoever does takes
 * the task's claim first; if both sides are such waits, both claims at once:
 * hence one lock for all claims, which nothing else needs.
 *
 * Order of locks: channel, then claims or a port.
 */
#include "sharedchan_private.h"

static pthread_mutex_t claims_lock = PTHREAD_MUTEX_INITIALIZER;

static bool is_gone(const SharedClaim *claim)
{
    return claim && claim->taken;
}

ClaimResult claims_take(SharedClaim *mine, SharedClaim *theirs)
{
    ClaimResult result = CLAIM_TAKEN;

    pthread_mutex_lock(&claims_lock);
    if (is_gone(mine)) {
        result = CLAIM_MINE_GONE;
    } else if (is_gone(theirs)) {
        result = CLAIM_THEIRS_GONE;
    } else {
        if (mine) {
            mine->taken = true;
        }
        if (theirs) {
            theirs->taken = true;
        }
    }
    pthread_mutex_unlock(&claims_lock);
    return result;
}

bool claim_take(SharedClaim *claim)
{
    return claims_take(claim, NULL) == CLAIM_TAKEN;
}

/* The lock is held. */
static OfferResult serve_now(SharedChan *chan, SharedWait *w)
{
    if (w->pack) {
        return chan->closed ? OFFER_NONE
                            : sharedchan_offer(chan, w->pack, w->claim);
    }
    return sharedchan_take(chan, &w->pack, w->claim);
}

void sharedwait_queue(SharedChan *chan, SharedWait *w, LuaTask *task,
                      SharedClaim *claim, CrossPack *pack)
{
    SharedWaitList *list = pack ? &chan->putters : &chan->getters;

    *w = (SharedWait){.claim = claim, .pack = pack};
    pthread_mutex_lock(&chan->lock);
    OfferResult result = serve_now(chan, w);
    if (result == OFFER_DONE) {
        w->decided = w->given = true;
    } else if (result == OFFER_NONE && chan->closed) {
        w->decided = claim_take(claim);
    } else if (result == OFFER_NONE) {
        sharedwait_begin(list, w, task);
    }
    sharedchan_unlock(chan);
}

bool sharedwait_is_decided(SharedChan *chan, SharedWait *w)
{
    pthread_mutex_lock(&chan->lock);
    bool decided = w->decided;
    sharedchan_unlock(chan);
    return decided;
}

void sharedwait_unqueue(SharedChan *chan, SharedWait *w)
{
    pthread_mutex_lock(&chan->lock);
    sharedwait_unlink(w);
    sharedchan_unlock(chan);
    if (w->port) {
        port_withdraw(w->port, &w->node);
    }
}
