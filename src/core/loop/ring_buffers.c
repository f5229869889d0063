/*
 * ring_buffers.c - the registered buffers of a ring, and its rebuilding
 *
 * The kernel pins a registered buffer once instead of once per request.  Its
 * table is sparse and made with the first buffer; ring->buffers mirrors it, so
 * that a rebuilt ring gets the same buffers in the same slots.
 */
#include "loop/ring.h"

#ifdef CONFIG_LINUX_IO_URING

#include <errno.h>
#include <stdlib.h>

#include "qapi/error.h"

static int table_make(Ring *ring)
{
    int ret = 0;

    if (!ring->buffers_ready) {
        ret = io_uring_register_buffers_sparse(&ring->uring, RING_BUFFERS_MAX);
        ring->buffers_ready = ret == 0;
    }
    return ret == -EINVAL ? -ENOTSUP : ret; /* before 5.19 */
}

static int table_set(Ring *ring, unsigned slot, const struct iovec *iov)
{
    __u64 tag = 0;
    int ret =
        io_uring_register_buffers_update_tag(&ring->uring, slot, iov, &tag, 1);

    return ret < 0 ? ret : 0;
}

static int free_slot(const Ring *ring)
{
    if (ring->buffers_count == ring->buffers_end) {
        return ring->buffers_end < RING_BUFFERS_MAX ? (int)ring->buffers_end
                                                    : -ENOSPC;
    }
    for (unsigned i = 0; i < ring->buffers_end; i++) {
        if (!ring->buffers[i].iov_base) {
            return (int)i;
        }
    }
    return -ENOSPC;
}

int ring_register_buffer(Ring *ring, void *base, size_t len)
{
    struct iovec iov = {.iov_base = base, .iov_len = len};
    int slot, ret;

    CHECK(base && len > 0);
    ring_ensure_mine(ring);
    if (!ring->buffers) {
        ring->buffers = check_calloc(RING_BUFFERS_MAX, sizeof(iov));
    }
    slot = free_slot(ring);
    if (slot < 0) {
        return slot;
    }
    ret = table_make(ring);
    if (ret == 0) {
        ret = table_set(ring, (unsigned)slot, &iov);
    }
    if (ret < 0) {
        return ret;
    }
    ring->buffers[slot] = iov;
    ring->buffers_count++;
    if ((unsigned)slot == ring->buffers_end) {
        ring->buffers_end++;
    }
    return slot;
}

void ring_unregister_buffer(Ring *ring, int slot)
{
    struct iovec none = {.iov_base = NULL, .iov_len = 0};

    CHECK(slot >= 0 && (unsigned)slot < ring->buffers_end);
    CHECK(ring->buffers[slot].iov_base);
    ring->buffers[slot] = none;
    ring->buffers_count--;
    if (ring_is_mine(ring) && ring->buffers_ready) {
        table_set(ring, (unsigned)slot, &none);
    }
}

/* A buffer that cannot be had again keeps its slot, with length 0. */
static void restore_buffers(Ring *ring)
{
    bool have_table = ring->buffers_count > 0 && table_make(ring) == 0;

    for (unsigned i = 0; i < ring->buffers_end; i++) {
        struct iovec *iov = &ring->buffers[i];

        if (iov->iov_base && (!have_table || table_set(ring, i, iov) < 0)) {
            iov->iov_len = 0;
        }
    }
}

void ring_ensure_mine(Ring *ring)
{
    if (unlikely(!ring_is_mine(ring))) {
        ring_reopen(ring);
        restore_buffers(ring);
        ring_restore_files(ring);
    }
    ring->home = ring->ctx->home;
}
#endif
