/*
 * sharedchan.c - a queue of messages between tasks of any threads
 *
 * One lock; a FIFO of messages; two FIFOs of waiters, each on the C stack of a
 * task of some VM.  Hand-over is direct, as in lchan.c: who takes a waiter off
 * its list has decided how that wait ends and posts the waiter's node to its
 * VM, all under the lock; the waiter looks at its fate under the lock and
 * withdraws the node before it leaves its stack.
 *
 * Getters wait only while nothing is queued and no putter waits; putters wait
 * only while the queue is full.
 */
#include "sharedchan.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/check.h"
#include "task_private.h"
#include "vmport.h"

typedef struct SharedWait SharedWait;
typedef struct WaitList {
    SharedWait *head, *tail;
} WaitList;

/* One wait, on the waiting task's C stack. */
struct SharedWait {
    PortNode node; /* first */
    LuaTask *task;
    VMPort *port;
    /* chan->lock: */
    WaitList *list; /* NULL: decided */
    SharedWait *prev, *next;
    CrossPack *pack; /* what to put; what was got */
    bool given;      /* the pack changed hands; else it was closed */
};

typedef struct Item {
    CrossPack *pack;
    struct Item *next;
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
    WaitList getters, putters;
};

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

/* No waiter is left: its task's stack has the channel. */
void sharedchan_unref(void *what)
{
    SharedChan *chan = what;

    if (__atomic_sub_fetch(&chan->refs, 1, __ATOMIC_ACQ_REL) > 0) {
        return;
    }
    while (chan->head) {
        Item *item = chan->head;

        chan->head = item->next;
        cross_free(item->pack);
        free(item);
    }
    free(chan->spare);
    pthread_mutex_destroy(&chan->lock);
    free(chan);
}

/* ---- under the lock ----------------------------------------------------- */

static Item *new_item(SharedChan *chan, CrossPack *pack)
{
    Item *item = chan->spare;

    chan->spare = NULL;
    item = item ? item : check_calloc(1, sizeof(*item));
    *item = (Item){.pack = pack};
    chan->count++;
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
    if (chan->spare) {
        free(item);
    } else {
        chan->spare = item;
    }
    return pack;
}

static void list_add(WaitList *list, SharedWait *w)
{
    w->list = list;
    w->next = NULL;
    w->prev = list->tail;
    *(list->tail ? &list->tail->next : &list->head) = w;
    list->tail = w;
}

static void list_remove(SharedWait *w)
{
    *(w->prev ? &w->prev->next : &w->list->head) = w->next;
    *(w->next ? &w->next->prev : &w->list->tail) = w->prev;
    w->list = NULL;
}

/* Takes the first waiter off and wakes it; its memory is its own again once
 * the lock is dropped.  Those whose VM has ended are passed over. */
static SharedWait *decide_first(WaitList *list, bool given)
{
    SharedWait *w;

    while ((w = list->head)) {
        list_remove(w);
        w->given = given;
        if (port_post(w->port, &w->node) != PORT_CLOSED) {
            return w;
        }
    }
    return NULL;
}

/* Hands @pack to a getter or queues it. */
static bool offer(SharedChan *chan, CrossPack *pack)
{
    SharedWait *getter = decide_first(&chan->getters, true);

    if (getter) {
        getter->pack = pack;
        return true;
    }
    if (chan->count < chan->capacity) {
        append(chan, pack);
        return true;
    }
    return false;
}

/* The next message, or NULL; a putter that waits for the room gets it. */
static CrossPack *take(SharedChan *chan)
{
    CrossPack *pack = chan->count > 0 ? take_first(chan) : NULL;
    SharedWait *putter = NULL;

    if (!pack || chan->count < chan->capacity) {
        putter = decide_first(&chan->putters, true);
    }
    if (!putter) {
        return pack;
    }
    if (!pack) { /* capacity 0: straight across */
        return putter->pack;
    }
    append(chan, putter->pack);
    return pack;
}

/* ---- waiting ------------------------------------------------------------ */

static void wait_deliver(PortNode *node)
{
    task_wake(((SharedWait *)node)->task);
}

/* Enqueue, under the lock, which is dropped. */
static void wait_begin(SharedChan *chan, WaitList *list, SharedWait *w,
                       LuaTask *task)
{
    w->node.deliver = wait_deliver;
    w->task = task;
    w->port = port_of(task->vm);
    list_add(list, w);
    pthread_mutex_unlock(&chan->lock);
}

/* PARK_WOKEN: decided, even when it is cancelled in the same moment. */
static ParkResult wait_end(SharedChan *chan, SharedWait *w, int64_t deadline)
{
    for (;;) { /* ends when decided, late or cancelled */
        ParkResult why = task_park(w->task, PARK_ON_TASKS, deadline);

        pthread_mutex_lock(&chan->lock);
        bool decided = !w->list;
        if (!decided && why != PARK_WOKEN) {
            list_remove(w);
        }
        pthread_mutex_unlock(&chan->lock);
        if (decided) {
            port_withdraw(w->port, &w->node);
            if (why == PARK_CANCELLED) {
                task_unreport(w->task);
            }
            return PARK_WOKEN;
        }
        if (why != PARK_WOKEN) {
            return why;
        }
    }
}

/* Waits on @list; the lock is held, and dropped. */
static SharedResult wait_on(SharedChan *chan, WaitList *list, SharedWait *w,
                            LuaTask *task, int64_t deadline)
{
    if (!task) {
        pthread_mutex_unlock(&chan->lock);
        return SHARED_WOULD_WAIT;
    }
    wait_begin(chan, list, w, task);
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
    if (closed || offer(chan, pack)) {
        pthread_mutex_unlock(&chan->lock);
        return closed ? SHARED_CLOSED : SHARED_OK;
    }
    return wait_on(chan, &chan->putters, &w, task, deadline);
}

SharedResult sharedchan_get(SharedChan *chan, CrossPack **pack, LuaTask *task,
                            int64_t deadline)
{
    SharedWait w = {.pack = NULL};

    pthread_mutex_lock(&chan->lock);
    *pack = take(chan);
    if (*pack || chan->closed) {
        pthread_mutex_unlock(&chan->lock);
        return *pack ? SHARED_OK : SHARED_CLOSED;
    }
    SharedResult result = wait_on(chan, &chan->getters, &w, task, deadline);
    *pack = w.pack;
    return result;
}

void sharedchan_return(SharedChan *chan, CrossPack *pack)
{
    pthread_mutex_lock(&chan->lock);
    SharedWait *getter = decide_first(&chan->getters, true);
    if (getter) {
        getter->pack = pack;
    } else {
        prepend(chan, pack);
    }
    pthread_mutex_unlock(&chan->lock);
}

void sharedchan_append(SharedChan *chan, CrossPack *pack)
{
    pthread_mutex_lock(&chan->lock);
    append(chan, pack);
    pthread_mutex_unlock(&chan->lock);
}

void sharedchan_close(SharedChan *chan)
{
    pthread_mutex_lock(&chan->lock);
    chan->closed = true;
    while (decide_first(&chan->getters, false)) {
    }
    while (decide_first(&chan->putters, false)) {
    }
    pthread_mutex_unlock(&chan->lock);
}

bool sharedchan_is_closed(SharedChan *chan)
{
    pthread_mutex_lock(&chan->lock);
    bool closed = chan->closed;
    pthread_mutex_unlock(&chan->lock);
    return closed;
}

lua_Integer sharedchan_count(SharedChan *chan)
{
    pthread_mutex_lock(&chan->lock);
    lua_Integer count = chan->count;
    pthread_mutex_unlock(&chan->lock);
    return count;
}

lua_Integer sharedchan_capacity(const SharedChan *chan)
{
    return chan->capacity;
}
