/*
 * accepted.c - connections that the kernel has accepted, until they are taken
 *
 * The monitor fills the queue (accepted_done()), the listener's owner empties
 * it.  Both the owner and each handler of the listener hold a reference: a
 * handler that was removed may still be named by the kernel, and what that
 * accepts then must not get lost, nor its descriptor leak.
 */
#include "loop/accepted.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/symbol.h"
#include "loop/context.h"
#include "qemu/atomic.h"

AioAccepted *aio_accepted_new(void)
{
    AioAccepted *a = calloc(1, sizeof(*a));

    if (a) {
        a->refs = 1;
    }
    return a;
}

AioAccepted *accepted_ref(AioAccepted *a)
{
    qatomic_inc(&a->refs);
    return a;
}

void accepted_unref(AioAccepted *a)
{
    if (qatomic_fetch_dec(&a->refs) == 1) {
        CHECK(a->count == 0);
        free(a->fds);
        free(a);
    }
}

static int pop(AioAccepted *a)
{
    int fd = a->fds[a->head];

    a->head = (a->head + 1) % a->size;
    a->count--;
    return fd;
}

void aio_accepted_free(AioAccepted *a)
{
    while (a->count > 0) {
        close(pop(a));
    }
    a->ended = true;
    accepted_unref(a);
}

static void grow(AioAccepted *a)
{
    unsigned size = MAX((unsigned)ACCEPTED_ENOUGH, a->size * 2);
    int *fds = check_malloc(size * sizeof(*fds));

    for (unsigned i = 0; i < a->count; i++) {
        fds[i] = a->fds[(a->head + i) % a->size];
    }
    free(a->fds);
    a->fds = fds;
    a->head = 0;
    a->size = size;
}

bool accepted_done(AioAccepted *a, int res)
{
    if (res < 0) {
        a->error = a->ended ? 0 : res;
        return !a->ended;
    }
    if (a->ended) {
        close(res);
        return false;
    }
    if (a->count == a->size) {
        grow(a);
    }
    a->fds[(a->head + a->count) % a->size] = res;
    a->count++;
    return true;
}

/* All are taken: the kernel may go on. */
static void resume(AioContext *ctx, int listener, AioAccepted *a)
{
    a->paused = false;
    qemu_mutex_lock(&ctx->list_lock);
    AioHandler *node = handler_find(ctx, listener);
    if (node && node->accepted == a) {
        fdmon_update(ctx, node, node);
    }
    qemu_mutex_unlock(&ctx->list_lock);
}

int aio_accepted_take(AioContext *ctx, int listener, AioAccepted *a)
{
    if (a->count > 0) {
        int fd = pop(a);

        if (a->count == 0 && a->paused) {
            resume(ctx, listener, a);
        }
        return fd;
    }
    int error = a->error;

    a->error = 0;
    return error ? error : -EAGAIN;
}

void accepted_poll_instead(AioContext *ctx)
{
    AioHandler *node;

    qemu_mutex_lock(&ctx->list_lock);
    QTAILQ_FOREACH(node, &ctx->aio_handlers, node) {
        if (node->accepted) {
            fdmon_update(ctx, node, node);
        }
    }
    qemu_mutex_unlock(&ctx->list_lock);
}

bool aio_accepted_is_armed(const AioAccepted *a)
{
    return a->armed > 0;
}

void aio_set_fd_acceptor(AioContext *ctx, int fd, bool is_external,
                         IOHandler *io_read, AioAccepted *accepted,
                         void *opaque)
{
    AioHandler node = {
        .fd = fd,
        .is_external = is_external,
        .io_read = io_read,
        .accepted = accepted,
        .opaque = opaque,
        .creator = CALLER_ADDRESS,
    };

    handler_set(ctx, &node);
}
