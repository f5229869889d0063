/*
 * uring_streams.c - requests in the ring that may wait for ever
 *
 * Reads and writes of pipes, sockets, terminals and eventfds are in a list
 * while the ring has them.  The list serves two ends.
 *
 * A cancellation must not get lost: a request on a disk ends by itself, these
 * do not.  When the kernel takes no entry, the cancellation is made up for
 * before the next wait.
 *
 * While another monitor or GLib sleeps for us, on an eventfd that the ring
 * signals, nothing may wait in the ring for an eventfd: Linux (seen in 6.18)
 * loses the signal, all but the first, when a write to another eventfd is what
 * completes a request in a ring with deferred task work.  The thread pool does
 * such requests then, also those that were in the ring before.
 *
 * Rule: the list changes with completions, and making room may reap; so nobody
 * keeps a place in the list over ring_make_room().
 */
#include "engine/uring_int.h"

#ifdef CONFIG_LINUX_IO_URING

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

/* ---- the list ----------------------------------------------------------- */

void uring_streams_add(LuringState *s, AioRequest *req)
{
    private_of(req)->flags |= REQ_STREAM;
    private_of(req)->prev = NULL;
    req->next = s->streams;
    if (req->next) {
        private_of(req->next)->prev = req;
    }
    s->streams = req;
}

void uring_streams_remove(LuringState *s, AioRequest *req)
{
    UringPrivate *priv = private_of(req);

    if (likely(!(priv->flags & REQ_STREAM))) {
        return;
    }
    if (priv->flags & REQ_CANCEL_LATER) {
        s->cancels--;
    }
    priv->flags &= ~(unsigned)(REQ_STREAM | REQ_CANCEL_LATER);
    if (priv->prev) {
        priv->prev->next = req->next;
    } else {
        s->streams = req->next;
    }
    if (req->next) {
        private_of(req->next)->prev = priv->prev;
    }
    req->next = NULL;
}

/* ---- cancellations ------------------------------------------------------ */

void uring_cancel_later(LuringState *s, AioRequest *req)
{
    CHECK(private_of(req)->flags & REQ_STREAM);
    private_of(req)->flags |= REQ_CANCEL_LATER;
    s->cancels++;
}

static AioRequest *first_to_cancel(LuringState *s)
{
    AioRequest *req = s->streams;

    while (req && !(private_of(req)->flags & REQ_CANCEL_LATER)) {
        req = req->next;
    }
    return req;
}

/* Ends: each round lowers s->cancels. */
static void cancel_now(LuringState *s, Ring *ring)
{
    while (s->cancels > 0 && ring_make_room(ring)) {
        AioRequest *req = first_to_cancel(s);

        if (req) { /* it may have completed while room was made */
            private_of(req)->flags &= ~(unsigned)REQ_CANCEL_LATER;
            s->cancels--;
            uring_prep_cancel(ring, req);
        }
    }
}

/* ---- eventfds ----------------------------------------------------------- */

/* What has no type in its mode is an anonymous inode; /proc knows which. */
static bool is_eventfd(int fd)
{
    static const char name[] = "anon_inode:[eventfd]";
    struct stat st;
    char path[64], target[sizeof(name)];
    ssize_t len;

    if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT)) {
        return false;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    len = readlink(path, target, sizeof(target));
    return len < 0 || ((size_t)len == sizeof(name) - 1 &&
                       memcmp(target, name, sizeof(name) - 1) == 0);
}

static bool sleeps_elsewhere(AioContext *ctx)
{
    fdmon_ensure(ctx);
    return (ctx->fdmon != &fdmon_io_uring || ctx->source) &&
           (ctx->ring->uring.flags & IORING_SETUP_DEFER_TASKRUN);
}

bool uring_leaves_ring(LuringState *s, AioRequest *req)
{
    if (likely(!uring_is_stream(req)) || !sleeps_elsewhere(s->raw.ctx) ||
        !is_eventfd(req->fd)) {
        return false;
    }
    request_hand_over(req);
    return true;
}

static void evict(LuringState *s)
{
    const unsigned on_its_way = REQ_CANCELLED | REQ_EVICTED;

    for (AioRequest *req = s->streams; req; req = req->next) {
        if (!(private_of(req)->flags & on_its_way) && is_eventfd(req->fd)) {
            private_of(req)->flags |= REQ_EVICTED;
            uring_cancel_later(s, req);
        }
    }
}

void uring_streams_before_wait(LuringState *s)
{
    bool elsewhere = sleeps_elsewhere(s->raw.ctx);

    if (elsewhere && !s->elsewhere) {
        evict(s);
    }
    s->elsewhere = elsewhere;
    if (unlikely(s->cancels > 0)) {
        cancel_now(s, s->raw.ctx->ring);
    }
}
#endif
