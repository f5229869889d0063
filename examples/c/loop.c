/*
 * loop.c - a bottom half, an echo service, a timer, a file read in a coroutine
 *
 *     make loop && ./loop
 *
 * Output:
 *   bottom half
 *   echo: hello
 *   timer, after at least 5 ms
 *   file: 12 bytes, "what we keep"
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <aioctl/request.h>
#include <block/aio.h>
#include <qapi/error.h>
#include <qemu/coroutine.h>

static const char TEXT[] = "what we keep";

typedef struct App {
    AioContext *ctx;
    const AioEngine *engine;
    QEMUBH *bh;
    QEMUTimer timer;
    int64_t timer_start_ns;
    int server, client; /* the two ends of a socket */
    int file;
    bool done;
} App;

static void must(bool ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(EXIT_FAILURE);
    }
}

/* For what is set up through an Error. */
static void must_not_fail(Error *err)
{
    if (err) {
        error_report_err(err);
        exit(EXIT_FAILURE);
    }
}

/* ---- a file, read by a coroutine ---------------------------------------- */

static void read_done(AioRequest *req)
{
    aio_co_wake(req->opaque);
}

/* Runs on a stack of its own: the buffer and the request may live there. */
static void coroutine_fn read_file(void *opaque)
{
    App *app = opaque;
    char buf[64];
    AioRequest req = {
        .op = AIO_OP_READ,
        .fd = app->file,
        .buf_index = -1,
        .offset = 0,
        .done = read_done,
        .opaque = qemu_coroutine_self(),
    };

    req.base = buf;
    req.len = sizeof(buf);
    aio_request_submit(app->ctx, app->engine, &req);
    qemu_coroutine_yield(); /* until read_done() */
    if (req.ret < 0) {
        fprintf(stderr, "read: %s\n", strerror((int)-req.ret));
        exit(EXIT_FAILURE);
    }
    printf("file: %d bytes, \"%.*s\"\n", (int)req.ret, (int)req.ret, buf);
    app->done = true;
}

/* ---- a timer ------------------------------------------------------------ */

static void timer_expired_cb(void *opaque)
{
    App *app = opaque;
    int64_t ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - app->timer_start_ns;

    printf("timer, after at least %d ms\n", ns >= 5 * SCALE_MS ? 5 : 0);
    aio_co_enter(app->ctx, qemu_coroutine_create(read_file, app));
}

/* ---- echo ---------------------------------------------------------------
 * Level-triggered: what a callback leaves unread makes it run again. */

static void server_readable(void *opaque)
{
    App *app = opaque;
    char buf[64];
    ssize_t len = read(app->server, buf, sizeof(buf));

    must(len > 0 && write(app->server, buf, (size_t)len) == len, "server");
}

static void client_readable(void *opaque)
{
    App *app = opaque;
    char buf[64];
    ssize_t len = read(app->client, buf, sizeof(buf));

    must(len > 0, "client");
    printf("echo: %.*s\n", (int)len, buf);
    app->timer_start_ns = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    timer_mod_ns(&app->timer, app->timer_start_ns + 5 * SCALE_MS);
}

/* ---- a bottom half: the first thing that happens ------------------------ */

static void start(void *opaque)
{
    App *app = opaque;

    puts("bottom half");
    must(write(app->client, "hello", 5) == 5, "write");
}

static void watch(App *app, int fd, IOHandler *readable)
{
    aio_set_fd_handler(app->ctx, fd, false, readable, NULL, NULL, NULL, app);
}

static void set_up(App *app)
{
    Error *err = NULL;
    const char *why;
    char name[] = "/tmp/aioctl-example-XXXXXX";
    int fds[2];

    app->ctx = aio_context_new(&err);
    must_not_fail(err);
    app->engine = aio_engine_get(app->ctx, "io_uring", false, &why, &err);
    must_not_fail(err);
    if (why) {
        fprintf(stderr, "without io_uring: %s\n", why);
    }
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0,
         "socketpair");
    app->server = fds[0];
    app->client = fds[1];
    app->file = mkstemp(name);
    must(app->file >= 0 && unlink(name) == 0, name);
    must(write(app->file, TEXT, strlen(TEXT)) > 0, name);

    watch(app, app->server, server_readable);
    watch(app, app->client, client_readable);
    aio_timer_init(app->ctx, &app->timer, QEMU_CLOCK_REALTIME, SCALE_NS,
                   timer_expired_cb, app);
    app->bh = aio_bh_new(app->ctx, start, app);
}

/* What is forgotten here is named when the context goes, and we abort. */
static void tear_down(App *app)
{
    qemu_bh_delete(app->bh);
    timer_del(&app->timer);
    watch(app, app->server, NULL);
    watch(app, app->client, NULL);
    aio_context_unref(app->ctx);
    close(app->server);
    close(app->client);
    close(app->file);
}

int main(void)
{
    App app = {0};

    set_up(&app);
    qemu_bh_schedule(app.bh);
    while (!app.done) {
        aio_poll(app.ctx, true);
    }
    tear_down(&app);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
