/*
 * edges_test.c - handlers of aio_set_fd_edges(): each event once, or again
 */
#include "everywhere.h"

#include <netinet/in.h>
#include <sys/socket.h>

typedef struct Tcp {
    AioContext *ctx;
    int fd, peer;
    int reads, writes;
    uint32_t unusual;
    void (*act)(struct Tcp *s); /* in the read callback */
} Tcp;

static void tcp_readable(void *opaque)
{
    Tcp *s = opaque;

    s->reads++;
    if (s->act) {
        s->act(s);
    }
}

static void tcp_writable(void *opaque)
{
    ((Tcp *)opaque)->writes++;
}

static void watch(Tcp *s, bool is_external)
{
    aio_set_fd_edges(s->ctx, s->fd, is_external, tcp_readable, NULL,
                     &s->unusual, s);
}

/* Two ends of a TCP connection; ours is watched. */
static void tcp_open(AioContext *ctx, Tcp *s, bool is_external)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ASSERT_EQ(bind(listener, (struct sockaddr *)&addr, len), 0);
    ASSERT_EQ(listen(listener, 1), 0);
    ASSERT_EQ(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    s->ctx = ctx;
    s->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(s->peer, (struct sockaddr *)&addr, len), 0);
    s->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ASSERT(s->fd >= 0);
    close(listener);
    watch(s, is_external);
}

static void tcp_close(Tcp *s)
{
    aio_set_fd_edges(s->ctx, s->fd, false, NULL, NULL, NULL, NULL);
    close(s->fd);
    close(s->peer);
}

static void put(Tcp *s, const char *text, int flags)
{
    ASSERT_EQ(send(s->peer, text, strlen(text), flags), strlen(text));
}

static void passes(AioContext *ctx, int n)
{
    while (n-- > 0) {
        aio_poll(ctx, false);
    }
}

/* TCP on the loopback delivers within send(); an end comes the same way. */
static void until(AioContext *ctx, const int *count, int wanted)
{
    while (*count < wanted) {
        aio_poll(ctx, true);
    }
}

EVERYWHERE(each_arrival_is_told)
{
    Tcp s = {0};

    tcp_open(ctx, &s, false);
    passes(ctx, 2);
    ASSERT_EQ(s.reads, 0);
    put(&s, "a", 0);
    until(ctx, &s.reads, 1);
    put(&s, "b", 0); /* nobody has read the first one */
    until(ctx, &s.reads, 2);
    ASSERT_EQ(s.unusual, 0);
    tcp_close(&s);
}

EVERYWHERE(what_was_told_is_told_again_only_without_edges)
{
    bool knows = strcmp(aio_context_fdmon(ctx), "poll") != 0;
    Tcp s = {0};

    tcp_open(ctx, &s, false);
    put(&s, "a", 0);
    until(ctx, &s.reads, 1);
    passes(ctx, 5);
    ASSERT_EQ(s.reads, knows ? 1 : 6);
    tcp_close(&s);
}

EVERYWHERE(setting_it_again_tells_of_what_is_there)
{
    Tcp s = {0};

    tcp_open(ctx, &s, false);
    put(&s, "a", 0);
    until(ctx, &s.reads, 1);
    watch(&s, false);
    until(ctx, &s.reads, 2);
    aio_set_fd_edges(ctx, s.fd, false, tcp_readable, tcp_writable, &s.unusual,
                     &s);
    until(ctx, &s.writes, 1);
    ASSERT(s.reads >= 3);
    tcp_close(&s);
}

EVERYWHERE(an_end_behind_the_data_is_noted)
{
    bool knows = strcmp(aio_context_fdmon(ctx), "poll") != 0;
    Tcp s = {0};

    tcp_open(ctx, &s, false);
    put(&s, "a", 0);
    ASSERT_EQ(shutdown(s.peer, SHUT_WR), 0);
    until(ctx, &s.reads, 1);
    passes(ctx, 2);
    ASSERT_EQ(!!(s.unusual & EPOLLRDHUP), knows);
    tcp_close(&s);
}

/* A poll in a ring says EPOLLPRI whenever something comes. */
EVERYWHERE(an_urgent_mark_is_noted_where_the_kernel_tells)
{
    bool knows = !strcmp(aio_context_fdmon(ctx), "epoll");
    Tcp s = {0};

    tcp_open(ctx, &s, false);
    put(&s, "ab", 0);
    put(&s, "!", MSG_OOB);
    until(ctx, &s.reads, 1);
    passes(ctx, 2);
    ASSERT_EQ(!!(s.unusual & EPOLLPRI), knows);
    tcp_close(&s);
}

static void disable(Tcp *s)
{
    aio_disable_external(s->ctx);
    s->act = NULL;
}

/* Two are ready; the first one disables both, within one pass: the event of
 * the second has been taken from the kernel and must not be lost. */
EVERYWHERE(an_event_held_back_comes_when_externals_are_enabled)
{
    Tcp first = {.act = disable}, second = {.act = disable};

    tcp_open(ctx, &first, true);
    tcp_open(ctx, &second, true);
    put(&first, "a", 0);
    put(&second, "a", 0);
    while (first.reads + second.reads == 0) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(first.reads + second.reads, 1);
    first.act = second.act = NULL;
    aio_enable_external(ctx); /* before the loop has taken notice of it */
    while (!first.reads || !second.reads) {
        aio_poll(ctx, true);
    }
    aio_disable_external(ctx);
    put(&first, "b", 0);
    passes(ctx, 3);
    int reads = first.reads;
    aio_enable_external(ctx);
    until(ctx, &first.reads, reads + 1);
    tcp_close(&first);
    tcp_close(&second);
}
