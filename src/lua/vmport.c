/*
 * vmport.c - the mailbox of a VM: one list, one lock, one bottom half
 *
 * The bottom half delivers what was there when it began, one node at a time and
 * without the lock, so that a delivery may post, and a node may be withdrawn
 * until the moment it is taken.
 */
#include "vmport.h"

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

static PortNode *take_first(VMPort *port)
{
    pthread_mutex_lock(&port->lock);
    PortNode *node = port->head;
    if (node) {
        unlink_node(port, node);
    }
    pthread_mutex_unlock(&port->lock);
    return node;
}

static void port_run(void *opaque)
{
    VMPort *port = opaque;

    pthread_mutex_lock(&port->lock);
    unsigned budget = port->count;
    pthread_mutex_unlock(&port->lock);
    while (budget-- > 0) {
        PortNode *node = take_first(port);

        if (!node) {
            return; /* withdrawn meanwhile */
        }
        node->deliver(node);
    }
    pthread_mutex_lock(&port->lock);
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
        vm->priv->port = port;
    }
    return port;
}

PortPost port_post(VMPort *port, PortNode *node)
{
    PortPost result = PORT_POSTED;

    pthread_mutex_lock(&port->lock);
    if (!port->bh) {
        result = PORT_CLOSED;
    } else if (node->posted) {
        result = PORT_ALREADY;
    } else {
        node->posted = true;
        node->next = NULL;
        node->prev = port->tail;
        *(port->tail ? &port->tail->next : &port->head) = node;
        port->tail = node;
        if (port->count++ == 0) {
            qemu_bh_schedule(port->bh);
        }
    }
    pthread_mutex_unlock(&port->lock);
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

void port_close(LuaVM *vm)
{
    VMPort *port = vm->priv->port;
    PortNode *node;

    if (!port) {
        return;
    }
    pthread_mutex_lock(&port->lock);
    qemu_bh_delete(port->bh);
    port->bh = NULL;
    pthread_mutex_unlock(&port->lock);
    while ((node = take_first(port))) { /* ends: nothing is added any more */
        node->deliver(node);
    }
    vm->priv->port = NULL;
    port_unref(port);
}
