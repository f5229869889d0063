/*
 * laio_ring.h - the event ring that the kernel maps for Linux AIO
 *
 * io_context_t is its address.  The layout is kernel ABI since Linux 2.6
 * (aio.c, struct aio_ring); a different magic number means that the ring must
 * not be read from user space, and io_getevents() is asked instead.
 */
#ifndef ENGINE_LAIO_RING_H
#define ENGINE_LAIO_RING_H

#ifdef CONFIG_LINUX_AIO
#include <libaio.h>
#include <stdbool.h>
#include <stdint.h>

#include "qapi/error.h"

/* laio_setup.c: io_setup(), with @errp set to cause and remedy. */
bool laio_queue_setup(unsigned events, io_context_t *aio, Error **errp);

enum { LAIO_RING_MAGIC = (int)0xa10a10a1 };

typedef struct LaioRing {
    uint32_t id;
    uint32_t nr;   /* number of events */
    uint32_t head; /* written by us */
    uint32_t tail; /* written by the kernel */
    uint32_t magic;
    uint32_t compat_features;
    uint32_t incompat_features;
    uint32_t header_length;
    struct io_event events[];
} LaioRing;

static inline bool laio_ring_is_readable(io_context_t aio)
{
    const LaioRing *ring = (const LaioRing *)aio;

    return ring->magic == (uint32_t)LAIO_RING_MAGIC &&
           ring->incompat_features == 0;
}

static inline bool laio_ring_has_events(io_context_t aio)
{
    const LaioRing *ring = (const LaioRing *)aio;

    /* The tail before the events: pairs with the kernel's barrier. */
    return ring->head != __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
}

static inline bool laio_ring_pop(io_context_t aio, struct io_event *event)
{
    LaioRing *ring = (LaioRing *)aio;
    uint32_t head = ring->head;

    if (!laio_ring_is_readable(aio)) {
        struct timespec none = {0, 0};

        return io_getevents(aio, 0, 1, event, &none) == 1;
    }
    if (!laio_ring_has_events(aio)) {
        return false;
    }
    *event = ring->events[head];
    /* The event has been read before the kernel may overwrite it: pairs with
     * the kernel's load of head. */
    __atomic_store_n(&ring->head, (head + 1) % ring->nr, __ATOMIC_RELEASE);
    return true;
}

#endif
#endif
