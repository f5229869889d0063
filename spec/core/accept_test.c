/*
 * accept_test.c - listeners of aio_set_fd_acceptor(), on every monitor
 */
#include "aioctl/accept.h"

#include <errno.h>
#include <netinet/in.h>

#include "everywhere.h"
#include "loop/context.h"

enum { CLIENTS_MAX = 100 };

typedef struct Server {
    AioContext *ctx;
    AioAccepted *accepted;
    struct sockaddr_in addr;
    int fd, told;
    int clients[CLIENTS_MAX], count;
} Server;

static void server_told(void *opaque)
{
    ((Server *)opaque)->told++;
}

static void server_watch(Server *s, bool is_external)
{
    aio_set_fd_acceptor(s->ctx, s->fd, is_external, server_told, s->accepted,
                        s);
}

static void server_open(AioContext *ctx, Server *s, bool is_external)
{
    socklen_t len = sizeof(s->addr);

    *s = (Server){
        .ctx = ctx,
        .addr = {.sin_family = AF_INET,
                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
        .accepted = aio_accepted_new(),
        .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
    };
    ASSERT_EQ(bind(s->fd, (struct sockaddr *)&s->addr, len), 0);
    ASSERT_EQ(listen(s->fd, CLIENTS_MAX), 0);
    ASSERT_EQ(getsockname(s->fd, (struct sockaddr *)&s->addr, &len), 0);
    server_watch(s, is_external);
}

static void server_unwatch(Server *s)
{
    aio_set_fd_acceptor(s->ctx, s->fd, false, NULL, NULL, NULL);
}

static void server_close(Server *s)
{
    server_unwatch(s);
    aio_accepted_free(s->accepted);
    close(s->fd);
    while (s->count > 0) {
        close(s->clients[--s->count]);
    }
}

static void server_dial(Server *s, int n)
{
    while (n-- > 0) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ASSERT_EQ(connect(fd, (struct sockaddr *)&s->addr, sizeof(s->addr)), 0);
        s->clients[s->count++] = fd;
    }
}

/* As the owner of a listener does: who is not armed accepts. */
static int server_take(Server *s)
{
    int fd = aio_accepted_take(s->ctx, s->fd, s->accepted);

    if (fd == -EAGAIN && !aio_accepted_is_armed(s->accepted)) {
        fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        return fd < 0 ? -errno : fd;
    }
    return fd;
}

static void server_take_all(Server *s, int n)
{
    while (n > 0) {
        int fd = server_take(s);

        if (fd == -EAGAIN) {
            int told = s->told;

            while (s->told == told) {
                aio_poll(s->ctx, true);
            }
            continue;
        }
        ASSERT(fd >= 0);
        ASSERT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
        ASSERT(fcntl(fd, F_GETFL) & O_NONBLOCK);
        close(fd);
        n--;
    }
}

static void passes(AioContext *ctx, int n)
{
    while (n-- > 0) {
        aio_poll(ctx, false);
    }
}

EVERYWHERE(connections_are_taken_in_any_number)
{
    Server s;

    server_open(ctx, &s, false);
    for (int round = 0; round < 3; round++) {
        server_dial(&s, 30);
        server_take_all(&s, 30);
    }
    ASSERT_EQ(server_take(&s), -EAGAIN);
    server_close(&s);
}

EVERYWHERE(more_than_enough_wait_for_the_first_to_be_taken)
{
    Server s;

    server_open(ctx, &s, false);
    passes(ctx, 2);
    server_dial(&s, CLIENTS_MAX);
    passes(ctx, 5);
    server_take_all(&s, CLIENTS_MAX);
    server_close(&s);
}

EVERYWHERE(what_is_not_taken_is_closed_with_the_listener)
{
    Server s;
    char byte;

    server_open(ctx, &s, false);
    passes(ctx, 2);
    server_dial(&s, 3);
    passes(ctx, 3);
    server_unwatch(&s);
    aio_accepted_free(s.accepted);
    close(s.fd);
    for (int i = 0; i < 3; i++) {
        ASSERT(recv(s.clients[i], &byte, 1, 0) <= 0);
        close(s.clients[i]);
    }
    passes(ctx, 2);
}

EVERYWHERE(disabled_externals_are_told_of_nothing)
{
    Server s;

    server_open(ctx, &s, true);
    passes(ctx, 2);
    aio_disable_external(ctx);
    server_dial(&s, 5);
    passes(ctx, 3);
    ASSERT_EQ(s.told, 0);
    aio_enable_external(ctx);
    server_take_all(&s, 5);
    server_close(&s);
}

EVERYWHERE(nothing_is_lost_when_it_is_watched_anew)
{
    Server s;

    server_open(ctx, &s, false);
    for (int i = 0; i < 10; i++) {
        passes(ctx, i % 3);
        server_dial(&s, 5);
        passes(ctx, i % 2);
        server_unwatch(&s);
        server_dial(&s, 5);
        server_watch(&s, false);
    }
    server_take_all(&s, CLIENTS_MAX);
    server_close(&s);
}

EVERYWHERE(nothing_is_lost_when_the_monitor_changes)
{
    static const char *const names[] = {"epoll", "io_uring", "poll",
                                        "io_uring"};
    Server s;

    server_open(ctx, &s, false);
    for (int i = 0; i < 4; i++) {
        passes(ctx, 2);
        server_dial(&s, 10);
        ASSERT(aio_context_set_fdmon(ctx, names[i], NULL));
        server_dial(&s, 10);
        server_take_all(&s, 20);
    }
    server_close(&s);
}
