/*
 * vmport.c - the mailbox of a VM: one list, one lock, one bottom half
 *
 * The bottom half delivers what was there when it began, one node at a time and
 * without the lock, so that a delivery may post, and a node may be withdrawn
 * until the moment it is taken.
 */
#include "vmport.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>

#include "vm_private.h"

VMPort *port_ref(VMPort *port)
{
    __atomic_fetch_add(&port->refs, 1, __ATOMIC_RELAXED);
    return port;
}

void port_unref(VMPort *port)
{
    if (__atomic_sub_fetch(&port->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        pthread_mutex_destroy(&port->lock);
        free(port);
    }
}

static void unlink_node(VMPort *port, PortNode *node)
{
    *(node->prev ? &node->prev->next : &port->head) = node->next;
    *(node->next ? &node->next->prev : &port->tail) = node->prev;
    node->posted = false;
    port->count--;
}

/* The lock is held. */
static PortNode *take_first(VMPort *port)
{
    PortNode *node = port->head;

    if (node) {
        unlink_node(port, node);
    }
    return node;
}

/* Up to @budget nodes, with the lock, which is released for each. */
static void deliver(VMPort *port, unsigned budget)
{
    PortNode *node;

    while (budget-- > 0 && (node = take_first(port))) {
        pthread_mutex_unlock(&port->lock);
        node->deliver(node);
        pthread_mutex_lock(&port->lock);
    }
}

static void port_run(void *opaque)
{
    VMPort *port = opaque;

    pthread_mutex_lock(&port->lock);
    deliver(port, port->count);
    if (port->head && port->bh) {
        qemu_bh_schedule(port->bh);
    }
    pthread_mutex_unlock(&port->lock);
}

VMPort *port_of(LuaVM *vm)
{
    VMPort *port = vm->priv->port;

    if (!port) {
        port = check_calloc(1, sizeof(*port));
        pthread_mutex_init(&port->lock, NULL);
        port->refs = 1;
        port->vm = vm;
        port->home = vm->priv->thread;
        port->bh = aio_bh_new(vm->home->ctx, port_run, port);
        port->waking_bh = port->bh;
        vm->priv->port = port;
    }
    return port;
}

static void append(VMPort *port, PortNode *node)
{
    node->posted = true;
    node->next = NULL;
    node->prev = port->tail;
    *(port->tail ? &port->tail->next : &port->head) = node;
    port->tail = node;
}

PortPost port_post_quietly(VMPort *port, PortNode *node, bool *wake)
{
    PortPost result = PORT_POSTED;

    *wake = false;
    pthread_mutex_lock(&port->lock);
    if (!port->bh) {
        result = PORT_CLOSED;
    } else if (node->posted) {
        result = PORT_ALREADY;
    } else {
        append(port, node);
        *wake = port->count++ == 0;
        __atomic_fetch_add(&port->waking, *wake, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&port->lock);
    return result;
}

/* Its bottom half and the port itself live until we are done: port_close()
 * waits for that. */
void port_wake(VMPort *port)
{
    qemu_bh_schedule(port->waking_bh);
    __atomic_fetch_sub(&port->waking, 1, __ATOMIC_RELEASE);
}

PortPost port_post(VMPort *port, PortNode *node)
{
    bool wake;
    PortPost result = port_post_quietly(port, node, &wake);

    if (wake) {
        port_wake(port);
    }
    return result;
}

void port_withdraw(VMPort *port, PortNode *node)
{
    pthread_mutex_lock(&port->lock);
    if (node->posted) {
        unlink_node(port, node);
    }
    pthread_mutex_unlock(&port->lock);
}

bool port_is_known_elsewhere(LuaVM *vm)
{
    VMPort *port = vm->priv->port;

    if (!port) {
        return false;
    }
    pthread_mutex_lock(&port->lock);
    bool known = port->elsewhere > 0;
    pthread_mutex_unlock(&port->lock);
    return known;
}

/* Those that have posted and are about to schedule the bottom half. */
static void wait_for_wakers(VMPort *port)
{
    /* Pairs with port_wake(). */
    while (__atomic_load_n(&port->waking, __ATOMIC_ACQUIRE)) {
        sched_yield();
    }
}

void port_close(LuaVM *vm)
{
    VMPort *port = vm->priv->port;

    if (!port) {
        return;
    }
    pthread_mutex_lock(&port->lock);
    QEMUBH *bh = port->bh;
    port->bh = NULL; /* nobody begins to wake any more, nothing is added */
    pthread_mutex_unlock(&port->lock);
    wait_for_wakers(port);
    qemu_bh_delete(bh);
    pthread_mutex_lock(&port->lock);
    deliver(port, UINT_MAX);
    pthread_mutex_unlock(&port->lock);
    vm->priv->port = NULL;
    port_unref(port);
}
