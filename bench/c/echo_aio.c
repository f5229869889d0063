/*
 * echo_aio.c - TCP echo on a context of ours, in C; for the load of echo.c
 *
 *   bench_echo_aio         the monitor that AIOCTL_FDMON names; prints its port
 *
 * Does what the raw server of echo.c does: one receive per event, and a send.
 * It is told of edges, so it goes on after a receive that filled the buffer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "qapi/error.h"

typedef struct Connection {
    AioContext *ctx;
    int fd;
    uint32_t unusual;
} Connection;

static char buffer[65536];

static void end(Connection *c)
{
    aio_set_fd_edges(c->ctx, c->fd, false, NULL, NULL, NULL, NULL);
    close(c->fd);
    free(c);
}

/* The load is closed: what was received fits into the socket's buffer. */
static void serve(void *opaque)
{
    Connection *c = opaque;
    ssize_t n;

    do {
        n = recv(c->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN) ||
            (n > 0 && send(c->fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)) {
            end(c);
            return;
        }
    } while (n == sizeof(buffer) || (n > 0 && c->unusual));
}

static void accept_all(void *opaque)
{
    Connection *listener = opaque;
    int fd, on = 1;

    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        Connection *c = calloc(1, sizeof(*c));

        if (!c) {
            abort();
        }
        c->ctx = listener->ctx;
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        aio_set_fd_edges(c->ctx, fd, false, serve, NULL, &c->unusual, c);
    }
}

static int listen_anywhere(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 ||
        listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        perror("listen");
        exit(1);
    }
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

int main(void)
{
    const char *monitor = getenv("AIOCTL_FDMON");
    Connection listener = {.ctx = aio_context_new(&error_abort)};

    aio_context_set_fdmon(listener.ctx, monitor ? monitor : "auto",
                          &error_abort);
    listener.fd = listen_anywhere();
    aio_set_fd_handler(listener.ctx, listener.fd, false, accept_all, NULL, NULL,
                       NULL, &listener);
    for (;;) { /* until it is killed */
        aio_poll(listener.ctx, true);
    }
}
