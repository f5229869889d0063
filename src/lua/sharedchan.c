/*
 * sharedchan.c - a queue of messages between tasks of any threads
 *
 * One lock; a FIFO of messages; two FIFOs of waiters, each on the C stack of a
 * task of some VM.  Hand-over is direct, as in lchan.c: who takes a waiter off
 * its list has decided how that wait ends and posts the waiter's node to its
 * VM, all under the lock; the waiter looks at its fate under the lock and
 * withdraws the node before it leaves its stack.  A waiter that stands in other
 * queues, too, has a claim, which is taken before: see sharedselect.c.
 *
 * Getters wait only while nothing is queued and no putter waits; putters wait
 * only while the queue is full.
 */
#include "sharedchan_private.h"

#include <stdlib.h>

#include "base/check.h"
#include "task_private.h"

/* ---- life --------------------------------------------------------------- */

SharedChan *sharedchan_new(lua_Integer capacity)
{
    SharedChan *chan = check_calloc(1, sizeof(*chan));

    chan->refs = 1;
    pthread_mutex_init(&chan->lock, NULL);
    chan->capacity = capacity;
    chan->tail = &chan->head;
    return chan;
}

SharedChan *sharedchan_ref(SharedChan *chan)
{
    __atomic_fetch_add(&chan->refs, 1, __ATOMIC_RELAXED);
    return chan;
}

void sharedchan_unref(void *what)
{
    SharedChan *chan = what;

    if (__atomic_load_n(&chan->inner, __ATOMIC_RELAXED) > 0) {
        graph_unref(chan);
    } else if (__atomic_sub_fetch(&chan->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        sharedchan_destroy(chan);
    }
}

/* ---- under the lock ----------------------------------------------------- */

static Item *new_item(SharedChan *chan, CrossPack *pack)
{
    Item *item = chan->spare;

    chan->spare = NULL;
    item = item ? item : check_calloc(1, sizeof(*item));
    *item = (Item){.pack = pack};
    chan->count++;
    graph_enter(chan, item);
    return item;
}

static void append(SharedChan *chan, CrossPack *pack)
{
    Item *item = new_item(chan, pack);

    *chan->tail = item;
    chan->tail = &item->next;
}

static void prepend(SharedChan *chan, CrossPack *pack)
{
    Item *item = new_item(chan, pack);

    item->next = chan->head;
    if (!chan->head) {
        chan->tail = &item->next;
    }
    chan->head = item;
}

static CrossPack *take_first(SharedChan *chan)
{
    Item *item = chan->head;
    CrossPack *pack = item->pack;

    chan->head = item->next;
    if (!chan->head) {
        chan->tail = &chan->head;
    }
    chan->count--;
    graph_leave(chan, item);
    if (chan->spare) {
        free(item);
    } else {
        chan->spare = item;
    }
    return pack;
}

static void list_add(SharedWaitList *list, SharedWait *w)
{
    w->list = list;
    w->next = NULL;
    w->prev = list->tail;
    *(list->tail ? &list->tail->next : &list->head) = w;
    list->tail = w;
}

void sharedwait_unlink(SharedWait *w)
{
    if (w->list) {
        *(w->prev ? &w->prev->next : &w->list->head) = w->next;
        *(w->next ? &w->next->prev : &w->list->tail) = w->prev;
        w->list = NULL;
    }
}

static void wake_now(SharedChan *chan)
{
    VMPort *port = chan->wake;

    chan->wake = NULL;
    if (port) {
        port_wake(port);
    }
}

void sharedchan_unlock(SharedChan *chan)
{
    VMPort *port = chan->wake;

    chan->wake = NULL;
    pthread_mutex_unlock(&chan->lock);
    if (port) {
        port_wake(port);
    }
}

static PortPost post(SharedChan *chan, SharedWait *w)
{
    bool wake;
    PortPost result = port_post_quietly(w->port, &w->node, &wake);

    if (wake) {
        wake_now(chan); /* there are several only when it closes */
        chan->wake = w->port;
    }
    return result;
}

/*
 * Takes the first waiter off and wakes it; its memory is its own again once
 * the lock is dropped.  Those whose VM has ended, or that are served elsewhere,
 * are passed over; so is the other side of @mine's own task.  Posting comes
 * before the claims, which cannot be given back: a waiter that was posted in
 * vain looks at its fate and goes on waiting.
 */
static OfferResult decide_first(SharedChan *chan, SharedWaitList *list,
                                bool given, SharedClaim *mine,
                                SharedWait **decided)
{
    SharedWait *next;

    for (SharedWait *w = list->head; w; w = next) {
        ClaimResult claims = CLAIM_TAKEN;

        next = w->next;
        if (mine && w->claim == mine) {
            continue;
        }
        if (post(chan, w) == PORT_CLOSED) {
            claims = CLAIM_THEIRS_GONE;
        } else if (mine || w->claim) {
            claims = claims_take(mine, w->claim);
        }
        if (claims == CLAIM_MINE_GONE) {
            return OFFER_LATE;
        }
        sharedwait_unlink(w);
        if (claims == CLAIM_TAKEN) {
            w->decided = true;
            w->given = given;
            *decided = w;
            return OFFER_DONE;
        }
    }
    return OFFER_NONE;
}

/* Room in the queue, or a message in it, is there to be had: is it ours? */
static OfferResult take_own(SharedClaim *mine)
{
    return !mine || claim_take(mine) ? OFFER_DONE : OFFER_LATE;
}

OfferResult sharedchan_offer(SharedChan *chan, CrossPack *pack,
                             SharedClaim *mine)
{
    SharedWait *getter;
    OfferResult result =
        decide_first(chan, &chan->getters, true, mine, &getter);

    if (result == OFFER_DONE) {
        getter->pack = pack;
    } else if (result == OFFER_NONE && chan->count < chan->capacity) {
        result = take_own(mine);
        if (result == OFFER_DONE) {
            append(chan, pack);
        }
    }
    return result;
}

/* A putter that waits for the room gets it. */
OfferResult sharedchan_take(SharedChan *chan, CrossPack **pack,
                            SharedClaim *mine)
{
    SharedWait *putter;
    OfferResult result;

    if (chan->count > 0) {
        result = take_own(mine);
        if (result == OFFER_DONE) {
            *pack = take_first(chan);
            if (chan->count < chan->capacity &&
                decide_first(chan, &chan->putters, true, NULL, &putter) ==
                    OFFER_DONE) {
                append(chan, putter->pack);
            }
        }
        return result;
    }
    result = decide_first(chan, &chan->putters, true, mine, &putter);
    if (result == OFFER_DONE) { /* capacity 0: straight across */
        *pack = putter->pack;
    }
    return result;
}

/* ---- waiting ------------------------------------------------------------ */

static void wait_deliver(PortNode *node)
{
    task_wake(((SharedWait *)node)->task);
}

void sharedwait_begin(SharedWaitList *list, SharedWait *w, LuaTask *task)
{
    w->node.deliver = wait_deliver;
    w->task = task;
    w->port = port_of(task->vm);
    list_add(list, w);
}

/* PARK_WOKEN: decided, even when it is cancelled in the same moment. */
static ParkResult wait_end(SharedChan *chan, SharedWait *w, int64_t deadline)
{
    ParkResult why = PARK_WOKEN;
    bool decided = false;

    while (!decided && why == PARK_WOKEN) {
        why = task_park(w->task, PARK_ON_TASKS, deadline);
        decided = sharedwait_is_decided(chan, w);
    }
    sharedwait_unqueue(chan, w);
    if (!w->decided) { /* nor will it be, as it is in no queue now */
        return why;
    }
    if (why == PARK_CANCELLED) {
        task_unreport(w->task);
    }
    return PARK_WOKEN;
}

/* Waits on @list; the lock is held, and dropped. */
static SharedResult wait_on(SharedChan *chan, SharedWaitList *list,
                            SharedWait *w, LuaTask *task, int64_t deadline)
{
    if (!task) {
        sharedchan_unlock(chan);
        return SHARED_WOULD_WAIT;
    }
    sharedwait_begin(list, w, task);
    sharedchan_unlock(chan);
    ParkResult why = wait_end(chan, w, deadline);

    if (why == PARK_WOKEN) {
        return w->given ? SHARED_OK : SHARED_CLOSED;
    }
    return why == PARK_TIMEOUT ? SHARED_LATE : SHARED_CANCELLED;
}

/* ---- for everybody ------------------------------------------------------ */

SharedResult sharedchan_put(SharedChan *chan, CrossPack *pack, LuaTask *task,
                            int64_t deadline)
{
    SharedWait w = {.pack = pack};

    pthread_mutex_lock(&chan->lock);
    bool closed = chan->closed;
    if (closed || sharedchan_offer(chan, pack, NULL) == OFFER_DONE) {
        sharedchan_unlock(chan);
        return closed ? SHARED_CLOSED : SHARED_OK;
    }
    return wait_on(chan, &chan->putters, &w, task, deadline);
}

SharedResult sharedchan_get(SharedChan *chan, CrossPack **pack, LuaTask *task,
                            int64_t deadline)
{
    SharedWait w = {.pack = NULL};

    pthread_mutex_lock(&chan->lock);
    bool got = sharedchan_take(chan, pack, NULL) == OFFER_DONE;
    if (got || chan->closed) {
        sharedchan_unlock(chan);
        return got ? SHARED_OK : SHARED_CLOSED;
    }
    SharedResult result = wait_on(chan, &chan->getters, &w, task, deadline);
    *pack = w.pack;
    return result;
}

void sharedchan_return(SharedChan *chan, CrossPack *pack)
{
    pthread_mutex_lock(&chan->lock);
    SharedWait *getter;
    if (decide_first(chan, &chan->getters, true, NULL, &getter) == OFFER_DONE) {
        getter->pack = pack;
    } else {
        prepend(chan, pack);
    }
    sharedchan_unlock(chan);
}

void sharedchan_append(SharedChan *chan, CrossPack *pack)
{
    pthread_mutex_lock(&chan->lock);
    append(chan, pack);
    sharedchan_unlock(chan);
}

void sharedchan_close(SharedChan *chan)
{
    SharedWait *w;

    pthread_mutex_lock(&chan->lock);
    chan->closed = true;
    while (decide_first(chan, &chan->getters, false, NULL, &w) == OFFER_DONE) {
    }
    while (decide_first(chan, &chan->putters, false, NULL, &w) == OFFER_DONE) {
    }
    sharedchan_unlock(chan);
}

bool sharedchan_is_closed(SharedChan *chan)
{
    pthread_mutex_lock(&chan->lock);
    bool closed = chan->closed;
    sharedchan_unlock(chan);
    return closed;
}

lua_Integer sharedchan_count(SharedChan *chan)
{
    pthread_mutex_lock(&chan->lock);
    lua_Integer count = chan->count;
    sharedchan_unlock(chan);
    return count;
}

lua_Integer sharedchan_capacity(const SharedChan *chan)
{
    return chan->capacity;
}
