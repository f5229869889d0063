/*
 * iov_socket.c - vectors sent to and received from sockets
 */
#include "base/iov_socket.h"

#include <sys/socket.h>

#include "base/check.h"
#include "qemu/iov.h"

ssize_t iov_socket_transfer(int sockfd, struct iovec *iov, unsigned iov_cnt,
                            bool do_send)
{
    struct msghdr msg = {.msg_iov = iov,
                         .msg_iovlen = MIN(iov_cnt, (unsigned)IOV_MAX)};
    ssize_t ret;

    do {
        ret = do_send ? sendmsg(sockfd, &msg, MSG_NOSIGNAL)
                      : recvmsg(sockfd, &msg, 0);
    } while (ret < 0 && errno == EINTR); /* as often as signals come */
    return ret < 0 ? -errno : ret;
}

ssize_t iov_send_recv(int sockfd, const struct iovec *iov, unsigned iov_cnt,
                      size_t offset, size_t bytes, bool do_send)
{
    struct iovec *copy = check_calloc(iov_cnt, sizeof(*copy)), *rest = copy;
    unsigned rest_cnt = iov_copy(copy, iov_cnt, iov, iov_cnt, offset, bytes);
    size_t done = 0, all = iov_size(rest, rest_cnt);
    ssize_t ret = 0;

    while (done < all) { /* each transfer takes something off, or ends it */
        ret = iov_socket_transfer(sockfd, rest, rest_cnt, do_send);
        if (ret <= 0) {
            break;
        }
        iov_discard_front(&rest, &rest_cnt, (size_t)ret);
        done += (size_t)ret;
    }
    free(copy);
    if (done == 0 && ret < 0) {
        errno = (int)-ret;
        return -1;
    }
    return (ssize_t)done;
}
