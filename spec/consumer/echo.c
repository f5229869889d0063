/*
 * echo.c - an echo server on descriptors in an IOThread, clients in coroutines
 */
#include "qemu/osdep.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "block/aio-wait.h"
#include "consumer.h"
#include "qapi/error.h"
#include "qemu/coroutine.h"
#include "qemu/iov.h"
#include "qemu/main-loop.h"
#include "sysemu/iothread.h"

#define ECHO_BUFFER 8192
#define ECHO_IDLE_MS 20000
#define ECHO_IDLE_MS_SHORT 20
#define CLIENTS 20
#define MESSAGES 30

typedef struct EchoServer EchoServer;

typedef struct EchoConn {
    EchoServer *server;
    int fd;
    bool eof;
    size_t head, tail; /* in buf: [head, tail) is to be sent */
    uint8_t buf[ECHO_BUFFER];
    QEMUTimer idle;
    QLIST_ENTRY(EchoConn) next;
} EchoConn;

struct EchoServer {
    AioContext *ctx;
    int listener;
    struct sockaddr_in addr;
    QLIST_HEAD(, EchoConn) conns;
    QEMUBH *reap_bh;
    int idle_ms;               /* atomic */
    unsigned accepted, reaped; /* atomic */
    uint64_t bytes;            /* atomic */
};

static void echo_conn_update(EchoConn *c);

static void echo_conn_close(EchoConn *c)
{
    aio_set_fd_handler(c->server->ctx, c->fd, true, NULL, NULL, NULL, NULL,
                       NULL);
    timer_del(&c->idle);
    QLIST_REMOVE(c, next);
    close(c->fd);
    g_free(c);
}

static void echo_conn_idle(void *opaque)
{
    EchoConn *c = container_of(opaque, EchoConn, idle);

    qatomic_inc(&c->server->reaped);
    shutdown(c->fd, SHUT_RDWR);
    c->eof = true;
    c->head = c->tail = 0;
    qemu_bh_schedule(c->server->reap_bh);
}

static void echo_reap(void *opaque)
{
    EchoServer *s = opaque;
    EchoConn *c, *next;

    QLIST_FOREACH_SAFE(c, &s->conns, next, next) {
        if (c->eof && c->head == c->tail) {
            echo_conn_close(c);
        }
    }
}

static void echo_conn_touch(EchoConn *c)
{
    timer_mod(&c->idle, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) +
                            qatomic_read(&c->server->idle_ms));
}

static void echo_conn_read(void *opaque)
{
    EchoConn *c = opaque;
    ssize_t n =
        RETRY_ON_EINTR(read(c->fd, c->buf + c->tail, ECHO_BUFFER - c->tail));

    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        c->eof = true;
        qemu_bh_schedule(c->server->reap_bh);
    } else {
        c->tail += n;
        echo_conn_touch(c);
    }
    echo_conn_update(c);
}

static void echo_conn_write(void *opaque)
{
    EchoConn *c = opaque;
    ssize_t n =
        RETRY_ON_EINTR(write(c->fd, c->buf + c->head, c->tail - c->head));

    if (n > 0) {
        c->head += n;
        qatomic_add(&c->server->bytes, n);
        if (c->head == c->tail) {
            c->head = c->tail = 0;
        }
    } else if (errno != EAGAIN) {
        c->eof = true;
        c->head = c->tail = 0;
    }
    if (c->eof) {
        qemu_bh_schedule(c->server->reap_bh);
    }
    echo_conn_update(c);
}

static void echo_conn_update(EchoConn *c)
{
    bool can_read = !c->eof && c->tail < ECHO_BUFFER;
    bool can_write = c->head < c->tail;

    aio_set_fd_handler(c->server->ctx, c->fd, true,
                       can_read ? echo_conn_read : NULL,
                       can_write ? echo_conn_write : NULL, NULL, NULL, c);
}

static void echo_accept(void *opaque)
{
    EchoServer *s = opaque;
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EchoConn *c;

    if (fd < 0) {
        g_assert(errno == EAGAIN || errno == ECONNABORTED);
        return;
    }
    c = g_new0(EchoConn, 1);
    c->server = s;
    c->fd = fd;
    aio_timer_init(s->ctx, &c->idle, QEMU_CLOCK_REALTIME, SCALE_MS,
                   echo_conn_idle, &c->idle);
    QLIST_INSERT_HEAD(&s->conns, c, next);
    qatomic_inc(&s->accepted);
    echo_conn_touch(c);
    echo_conn_update(c);
}

static bool echo_listen(EchoServer *s, Error **errp)
{
    socklen_t len = sizeof(s->addr);

    s->listener =
        socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->listener < 0) {
        error_setg_errno(errp, errno, "Failed to create socket");
        return false;
    }
    s->addr.sin_family = AF_INET;
    s->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(s->listener, (struct sockaddr *)&s->addr, len) < 0 ||
        listen(s->listener, CLIENTS) < 0 ||
        getsockname(s->listener, (struct sockaddr *)&s->addr, &len) < 0) {
        error_setg_errno(errp, errno, "Failed to listen on loopback");
        close(s->listener);
        return false;
    }
    return true;
}

/* BHs in the server's thread. */
static void echo_start(void *opaque)
{
    EchoServer *s = opaque;

    QLIST_INIT(&s->conns);
    s->reap_bh = aio_bh_new(s->ctx, echo_reap, s);
    aio_set_fd_handler(s->ctx, s->listener, true, echo_accept, NULL, NULL, NULL,
                       s);
}

static void echo_stop(void *opaque)
{
    EchoServer *s = opaque;

    aio_set_fd_handler(s->ctx, s->listener, true, NULL, NULL, NULL, NULL, NULL);
    while (!QLIST_EMPTY(&s->conns)) {
        echo_conn_close(QLIST_FIRST(&s->conns));
    }
    qemu_bh_delete(s->reap_bh);
    close(s->listener);
}

/* ---- clients ------------------------------------------------------------ */

typedef struct EchoClient {
    EchoServer *server;
    unsigned seed;
    unsigned *running;
} EchoClient;

static void client_wake(void *opaque)
{
    aio_co_wake(opaque);
}

static int client_connect(EchoServer *s)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert(fd >= 0);
    g_assert(!connect(fd, (struct sockaddr *)&s->addr, sizeof(s->addr)));
    g_assert(!fcntl(fd, F_SETFL, O_NONBLOCK));
    return fd;
}

/* What comes back is what went out, in three pieces. */
static void coroutine_fn client_exchange(int fd, unsigned seed, size_t len)
{
    g_autofree uint8_t *out = g_malloc(len), *in = g_malloc0(len);
    struct iovec iov[3] = {
        {.iov_base = out, .iov_len = len / 3},
        {.iov_base = out + len / 3, .iov_len = len / 3},
        {.iov_base = out + len / 3 * 2, .iov_len = len - len / 3 * 2},
    };

    for (size_t i = 0; i < len; i++) {
        out[i] = seed + i * 7 + (i >> 8);
    }
    g_assert_cmpuint(iov_size(iov, ARRAY_SIZE(iov)), ==, len);
    g_assert_cmpint(qemu_co_sendv(fd, iov, ARRAY_SIZE(iov), 0, len), ==, len);
    g_assert_cmpint(qemu_co_recv(fd, in, len), ==, len);
    g_assert_cmpmem(in, len, out, len);
}

static void coroutine_fn client_run(void *opaque)
{
    EchoClient *client = opaque;
    AioContext *ctx = qemu_get_current_aio_context();
    int fd = client_connect(client->server);

    aio_set_fd_handler(ctx, fd, false, client_wake, NULL, NULL, NULL,
                       qemu_coroutine_self());
    for (unsigned i = 0; i < MESSAGES; i++) {
        client_exchange(fd, client->seed + i, 1 + (client->seed * 331) % 5000);
    }
    aio_set_fd_handler(ctx, fd, false, NULL, NULL, NULL, NULL, NULL);
    close(fd);
    --*client->running;
}

/* One that says nothing is thrown out. */
static void coroutine_fn client_is_silent(void *opaque)
{
    EchoClient *client = opaque;
    int fd = client_connect(client->server);
    uint8_t byte;

    yield_until_fd_readable(fd);
    g_assert_cmpint(read(fd, &byte, 1), ==, 0);
    close(fd);
    --*client->running;
}

static void check_idle(EchoServer *s)
{
    unsigned running = 1;
    EchoClient client = {s, 0, &running};

    qatomic_set(&s->idle_ms, ECHO_IDLE_MS_SHORT);
    aio_co_enter(qemu_get_aio_context(),
                 qemu_coroutine_create(client_is_silent, &client));
    AIO_WAIT_WHILE_UNLOCKED(NULL, running > 0);
    g_assert_cmpuint(qatomic_read(&s->reaped), ==, 1);
}

/* While external events are off, the server neither accepts nor answers. */
static void check_drained(EchoServer *s)
{
    unsigned running = 1, accepted;
    EchoClient client = {s, 5, &running};
    int64_t until = qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 10 * SCALE_MS;

    aio_disable_external(s->ctx);
    g_assert(aio_external_disabled(s->ctx));
    aio_wait_bh_oneshot(s->ctx, echo_reap, s); /* what ran has returned */
    accepted = qatomic_read(&s->accepted);
    aio_co_enter(qemu_get_aio_context(),
                 qemu_coroutine_create(client_run, &client));
    while (qemu_clock_get_ns(QEMU_CLOCK_REALTIME) < until) {
        aio_poll(qemu_get_aio_context(), false);
    }
    g_assert_cmpuint(running, ==, 1);
    g_assert_cmpuint(qatomic_read(&s->accepted), ==, accepted);
    aio_enable_external(s->ctx);
    AIO_WAIT_WHILE_UNLOCKED(NULL, running > 0);
    g_assert_cmpuint(qatomic_read(&s->accepted), ==, accepted + 1);
}

void echo_selftest(void)
{
    IOThread *iothread = iothread_create("echo", &error_abort);
    EchoServer server = {.ctx = iothread_get_aio_context(iothread),
                         .idle_ms = ECHO_IDLE_MS};
    EchoClient clients[CLIENTS];
    unsigned running = ARRAY_SIZE(clients);

    if (!echo_listen(&server, &error_fatal)) {
        return;
    }
    aio_wait_bh_oneshot(server.ctx, echo_start, &server);
    for (unsigned i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i] = (EchoClient){&server, i, &running};
        aio_co_enter(qemu_get_aio_context(),
                     qemu_coroutine_create(client_run, &clients[i]));
    }
    AIO_WAIT_WHILE_UNLOCKED(NULL, running > 0);
    g_assert_cmpuint(qatomic_read(&server.accepted), ==, CLIENTS);
    g_assert_cmpuint(qatomic_read(&server.reaped), ==, 0);
    g_assert_cmpuint(qatomic_read_u64(&server.bytes), >, CLIENTS * MESSAGES);
    check_drained(&server);
    check_idle(&server);
    aio_wait_bh_oneshot(server.ctx, echo_stop, &server);
    iothread_destroy(iothread);
}
