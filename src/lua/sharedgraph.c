/*
 * sharedgraph.c - channels that lie in messages of channels
 *
 * Counting alone would keep two channels for ever whose messages hold each
 * other and that nobody has any more.  So for channels in queued messages it is
 * known how many references those are (inner); one that has others is reachable
 * from outside, and what lies in its messages is, too.  When a channel loses
 * its last reference from outside, those that are not reachable are emptied.
 *
 * Only messages that carry channels come here.  What is not reachable cannot
 * become so again, as nobody can take it out; so one lock over the graph is
 * enough, and it is taken after that of a channel.
 */
#include <stdlib.h>

#include "sharedchan_private.h"

static pthread_mutex_t graph_lock = PTHREAD_MUTEX_INITIALIZER;
static SharedChan *members; /* channels with carriers */
static unsigned member_count;
static unsigned drops; /* that may have left something, since the last look */

/* So many are looked at each time; of more only after an eighth as many drops,
 * so that a drop costs the same however many there are. */
enum { FEW_MEMBERS = 256 };

/* The channel that is object @i of @pack, or NULL. */
static SharedChan *carried(CrossPack *pack, unsigned i)
{
    const CrossObject *o = cross_object(pack, i);

    return o->cls == &chan_cross ? o->what : NULL;
}

static bool carries_channels(CrossPack *pack)
{
    for (unsigned i = 0; i < pack->nobjects; i++) {
        if (carried(pack, i)) {
            return true;
        }
    }
    return false;
}

static void count_inner(CrossPack *pack, unsigned by)
{
    for (unsigned i = 0; i < pack->nobjects; i++) {
        if (carried(pack, i)) {
            __atomic_fetch_add(&carried(pack, i)->inner, by, __ATOMIC_RELAXED);
        }
    }
}

/* ---- coming and going --------------------------------------------------- */

static void member_add(SharedChan *chan)
{
    chan->member_prev = NULL;
    chan->member_next = members;
    if (members) {
        members->member_prev = chan;
    }
    members = chan;
    member_count++;
}

static void member_remove(SharedChan *chan)
{
    member_count--;
    *(chan->member_prev ? &chan->member_prev->member_next : &members) =
        chan->member_next;
    if (chan->member_next) {
        chan->member_next->member_prev = chan->member_prev;
    }
}

void graph_enter(SharedChan *chan, Item *item)
{
    item->carries = carries_channels(item->pack);
    if (!item->carries) {
        return;
    }
    pthread_mutex_lock(&graph_lock);
    count_inner(item->pack, 1);
    item->carrier_prev = NULL;
    item->carrier_next = chan->carriers;
    if (chan->carriers) {
        chan->carriers->carrier_prev = item;
    } else {
        member_add(chan);
    }
    chan->carriers = item;
    pthread_mutex_unlock(&graph_lock);
}

void graph_leave(SharedChan *chan, Item *item)
{
    if (!item->carries) {
        return;
    }
    pthread_mutex_lock(&graph_lock);
    count_inner(item->pack, -1U);
    *(item->carrier_prev ? &item->carrier_prev->carrier_next
                         : &chan->carriers) = item->carrier_next;
    if (item->carrier_next) {
        item->carrier_next->carrier_prev = item->carrier_prev;
    }
    if (!chan->carriers) {
        member_remove(chan);
    }
    pthread_mutex_unlock(&graph_lock);
}

/* ---- who is reachable --------------------------------------------------- */

static int outer_refs(const SharedChan *chan)
{
    return __atomic_load_n(&chan->refs, __ATOMIC_ACQUIRE) - (int)chan->inner;
}

static void mark(SharedChan *chan, SharedChan **todo)
{
    if (!chan->marked) {
        chan->marked = true;
        chan->todo = *todo;
        *todo = chan;
    }
}

static void mark_reachable(void)
{
    SharedChan *todo = NULL;

    for (SharedChan *c = members; c; c = c->member_next) {
        c->marked = false;
    }
    for (SharedChan *c = members; c; c = c->member_next) {
        if (outer_refs(c) > 0) {
            mark(c, &todo);
        }
    }
    while (todo) { /* ends: each is marked once */
        SharedChan *c = todo;

        todo = c->todo;
        for (Item *item = c->carriers; item; item = item->carrier_next) {
            for (unsigned i = 0; i < item->pack->nobjects; i++) {
                SharedChan *in = carried(item->pack, i);

                if (in && in->carriers) {
                    mark(in, &todo);
                }
            }
        }
    }
}

/* A list of members that nobody can reach, with a reference to each.  Those
 * without any reference are being freed by somebody. */
static SharedChan *find_unreachable(void)
{
    SharedChan *found = NULL;

    mark_reachable();
    for (SharedChan *c = members; c; c = c->member_next) {
        if (!c->marked && c->inner > 0) {
            sharedchan_ref(c);
            c->found = found;
            found = c;
        }
    }
    return found;
}

/* While it lies in a queue nobody frees it, and it stays there while the lock
 * is held. */
void graph_unref(SharedChan *chan)
{
    SharedChan *found = NULL;

    pthread_mutex_lock(&graph_lock);
    bool inside = chan->inner > 0;
    int left = __atomic_sub_fetch(&chan->refs, 1, __ATOMIC_ACQ_REL);
    if (inside && chan->carriers && outer_refs(chan) == 0) {
        drops++;
        if (member_count < FEW_MEMBERS || drops >= member_count / 8) {
            drops = 0;
            found = find_unreachable();
        }
    }
    pthread_mutex_unlock(&graph_lock);
    if (left == 0) {
        sharedchan_destroy(chan);
    }
    while (found) {
        SharedChan *c = found;

        found = c->found;
        sharedchan_empty(c);
        sharedchan_unref(c);
    }
}

/* ---- the end ------------------------------------------------------------ */

void sharedchan_empty(SharedChan *chan)
{
    pthread_mutex_lock(&chan->lock);
    Item *items = chan->head;
    chan->head = NULL;
    chan->tail = &chan->head;
    chan->count = 0;
    for (Item *item = items; item; item = item->next) {
        graph_leave(chan, item);
    }
    sharedchan_unlock(chan);
    while (items) {
        Item *item = items;

        items = item->next;
        cross_free(item->pack);
        free(item);
    }
}

static void destroy_one(SharedChan *chan)
{
    sharedchan_empty(chan);
    free(chan->spare);
    pthread_mutex_destroy(&chan->lock);
    free(chan);
}

/* Freeing a message may end another channel, and so on: one after the other,
 * however long the chain is.  No waiter is left: its task's stack has the
 * channel. */
void sharedchan_destroy(SharedChan *chan)
{
    static __thread SharedChan *dying;
    static __thread bool busy;

    chan->todo = dying;
    dying = chan;
    if (busy) {
        return;
    }
    busy = true;
    while (dying) {
        SharedChan *next = dying;

        dying = next->todo;
        destroy_one(next);
    }
    busy = false;
}
