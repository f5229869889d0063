/*
 * base/iov_socket.h - one transfer between a vector and a socket
 */
#ifndef AIOCTL_BASE_IOV_SOCKET_H
#define AIOCTL_BASE_IOV_SOCKET_H

#include <sys/uio.h>

#include "qemu/osdep.h"

/* As much as the socket takes or has; signals do not disturb, and a peer that
 * has gone raises none.  Returns: a byte count or a negative errno. */
ssize_t iov_socket_transfer(int sockfd, struct iovec *iov, unsigned iov_cnt,
                            bool do_send);

#endif
