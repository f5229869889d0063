/*
 * cosocket.c - coroutines that wait for a descriptor
 *
 * yield_until_fd_readable() brings a handler of its own;
 * qemu_co_sendv_recvv() counts on one of the caller's and only yields.
 */
#include "base/check.h"
#include "base/iov_socket.h"
#include "block/aio.h"
#include "qemu/coroutine.h"
#include "qemu/iov.h"

typedef struct FdWait {
    AioContext *ctx;
    Coroutine *co;
    int fd;
} FdWait;

static void fd_ready(void *opaque)
{
    FdWait *wait = opaque;

    aio_set_fd_handler(wait->ctx, wait->fd, false, NULL, NULL, NULL, NULL,
                       NULL);
    aio_co_wake(wait->co);
}

void coroutine_fn yield_until_fd_readable(int fd)
{
    FdWait wait = {
        .ctx = qemu_get_current_aio_context(),
        .co = qemu_coroutine_self(),
        .fd = fd,
    };

    CHECKF(qemu_in_coroutine(), "fd %d is waited for outside of coroutines",
           fd);
    CHECKF(wait.ctx, "fd %d is waited for in a thread without a context", fd);
    aio_set_fd_handler(wait.ctx, fd, false, fd_ready, NULL, NULL, NULL, &wait);
    qemu_coroutine_yield();
}

/* @rest: a copy of the vector, which is eaten up. */
static ssize_t coroutine_fn transfer_all(int sockfd, struct iovec *rest,
                                         unsigned rest_cnt, size_t bytes,
                                         bool do_send)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t ret = iov_socket_transfer(sockfd, rest, rest_cnt, do_send);

        if (ret == -EAGAIN) {
            qemu_coroutine_yield();
            continue;
        }
        if (ret <= 0) {
            return done ? (ssize_t)done : ret;
        }
        iov_discard_front(&rest, &rest_cnt, (size_t)ret);
        done += (size_t)ret;
    }
    return (ssize_t)done;
}

ssize_t coroutine_fn qemu_co_sendv_recvv(int sockfd, struct iovec *iov,
                                         unsigned iov_cnt, size_t offset,
                                         size_t bytes, bool do_send)
{
    struct iovec *rest = check_calloc(iov_cnt, sizeof(*rest));
    unsigned rest_cnt = iov_copy(rest, iov_cnt, iov, iov_cnt, offset, bytes);
    ssize_t ret = transfer_all(sockfd, rest, rest_cnt, bytes, do_send);

    free(rest);
    return ret;
}

ssize_t coroutine_fn qemu_co_send_recv(int sockfd, void *buf, size_t bytes,
                                       bool do_send)
{
    struct iovec iov = {.iov_base = buf, .iov_len = bytes};

    return qemu_co_sendv_recvv(sockfd, &iov, 1, 0, bytes, do_send);
}
