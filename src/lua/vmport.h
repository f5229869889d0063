/*
 * vmport.h - the mailbox of a VM: how other threads reach its loop
 *
 * A node is part of the sender's or the receiver's own memory, so posting
 * allocates nothing and cannot fail for lack of memory.  Nodes are delivered in
 * the VM's home thread, on the loop's stack, first in, first out; the post that
 * finds the mailbox empty wakes the loop, the others cost a lock.
 *
 * A port is counted and outlives its VM: then posting says so.
 */
#ifndef VMPORT_H
#define VMPORT_H

#include <pthread.h>

#include "alua.h"

typedef struct VMPort VMPort;
typedef struct PortNode PortNode;

struct PortNode {
    /* Home thread, without the lock; may free the node, post it again, and
     * raise nothing. */
    void (*deliver)(PortNode *node);
    bool posted; /* these under port->lock */
    PortNode *prev, *next;
};

struct VMPort {
    pthread_mutex_t lock;
    int refs;   /* atomic */
    int waking; /* atomic: how many have posted and not woken the loop yet */
    LuaVM *vm;
    pthread_t home;
    QEMUBH *waking_bh; /* bh, for those */
    /* lock: */
    QEMUBH *bh;         /* NULL once the VM is closed */
    unsigned elsewhere; /* references that may wake a living task of it */
    unsigned count;
    PortNode *head, *tail;
};

typedef enum PortPost { PORT_CLOSED, PORT_POSTED, PORT_ALREADY } PortPost;

VMPort *port_of(LuaVM *vm); /* home thread; borrowed, made at the first use */
/* Any thread. */
VMPort *port_ref(VMPort *port);
void port_unref(VMPort *port);
PortPost port_post(VMPort *port, PortNode *node);
/*
 * The same in two steps, for who holds a lock that the loop wants at once when
 * it is woken: *wake says that port_wake() must follow, soon.
 */
PortPost port_post_quietly(VMPort *port, PortNode *node, bool *wake);
void port_wake(VMPort *port);
/* The node will not be delivered.  Home thread: it is not being delivered. */
void port_withdraw(VMPort *port, PortNode *node);

static inline bool port_is_home(const VMPort *port)
{
    return pthread_equal(pthread_self(), port->home);
}

/* Has somebody in another thread what may wake a living task of the VM? */
bool port_is_known_elsewhere(LuaVM *vm);
/* Delivers what has come; nothing can be posted any more. */
void port_close(LuaVM *vm);

#endif
