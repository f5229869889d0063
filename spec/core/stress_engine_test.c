/*
 * stress_engine_test.c - every request calls back exactly once, whatever the
 * engine, the monitor, and what happens meanwhile
 */
#include <errno.h>
#include <fcntl.h>

#include "aioctl/request.h"
#include "stress.h"

enum {
    REQUESTS = 300,
    BLOCK = 4096,
    BLOCKS = REQUESTS,
    PIPES = 4,
    DEPTH = 3, /* of nested polls */
};

typedef struct Storm Storm;

typedef struct Request {
    AioRequest req; /* first */
    Storm *storm;
    int pipe; /* -1: none */
    bool busy, cancelled;
    int calls, submits;
} Request;

struct Storm {
    AioContext *ctx;
    const AioEngine *engine;
    unsigned random;
    Request requests[REQUESTS];
    int pipes[PIPES][2];
    bool reading[PIPES];
    int fd;
    char *buf;
    int in_flight, plugs, depth;
    int to_do; /* submissions left */
    bool monitors_change;
};

static unsigned dice(Storm *s, unsigned sides)
{
    return random_next(&s->random) % sides;
}

/* ---- requests ----------------------------------------------------------- */

static void aim_at_file(Storm *s, Request *r)
{
    static const AioOp ops[] = {AIO_OP_READ, AIO_OP_WRITE, AIO_OP_FDATASYNC,
                                AIO_OP_NOP, AIO_OP_READ};
    unsigned block = (unsigned)(r - s->requests); /* shared with nobody */

    r->req.op = ops[dice(s, ARRAY_SIZE(ops))];
    r->req.fd = s->fd;
    r->req.base = s->buf + block * BLOCK;
    r->req.len = BLOCK;
    r->req.offset = block * BLOCK;
}

/* One reader per pipe, which may have to wait for ever. */
static void aim_at_pipe(Storm *s, Request *r, int pipe)
{
    r->pipe = pipe;
    s->reading[pipe] = true;
    r->req.op = AIO_OP_READ;
    r->req.fd = s->pipes[pipe][0];
    r->req.base = s->buf + (r - s->requests) * BLOCK;
    r->req.len = 1;
    r->req.offset = -1;
}

static void request_done(AioRequest *req);

static void submit(Storm *s, Request *r)
{
    int pipe = (int)dice(s, 8 * PIPES);

    r->req = (AioRequest){.buf_index = -1, .done = request_done};
    r->pipe = -1;
    if (pipe < PIPES && !s->reading[pipe]) {
        aim_at_pipe(s, r, pipe);
    } else {
        aim_at_file(s, r);
    }
    r->busy = true;
    r->cancelled = false;
    r->submits++;
    s->to_do--;
    s->in_flight++;
    aio_request_submit(s->ctx, s->engine, &r->req);
    ASSERT(r->busy); /* never called back from inside of submit */
}

static void check_result(const Request *r)
{
    int64_t ret = r->req.ret;

    if (ret == -ECANCELED) {
        ASSERT(r->cancelled);
    } else if (r->pipe >= 0) {
        ASSERT_EQ(ret, 1);
    } else if (r->req.op == AIO_OP_READ || r->req.op == AIO_OP_WRITE) {
        ASSERT_EQ(ret, BLOCK);
    } else {
        ASSERT_EQ(ret, 0);
    }
}

static void disturb(Storm *s);

static void request_done(AioRequest *req)
{
    Request *r = (Request *)req;
    Storm *s = r->storm;

    ASSERT(r->busy);
    check_result(r);
    r->busy = false;
    r->calls++;
    s->in_flight--;
    if (r->pipe >= 0) {
        s->reading[r->pipe] = false;
    }
    if (s->to_do > 0 && dice(s, 3)) {
        submit(s, r);
    }
    if (dice(s, 4) == 0) {
        disturb(s);
    }
}

/* ---- what happens meanwhile --------------------------------------------- */

static void cancel_one(Storm *s)
{
    Request *r = &s->requests[dice(s, REQUESTS)];

    if (r->busy) {
        r->cancelled = true;
        aio_request_cancel(&r->req);
        ASSERT(r->busy);
    }
}

static void feed_pipe(Storm *s, unsigned pipe)
{
    (void)!write(s->pipes[pipe][1], "x", 1);
}

static void change_monitor(Storm *s)
{
    static const char *const names[] = {"io_uring", "epoll", "poll"};

    if (s->monitors_change) {
        ASSERT(aio_context_set_fdmon(s->ctx, names[dice(s, 3)], NULL));
    }
}

static void poll_deeper(Storm *s)
{
    if (s->depth < DEPTH) {
        s->depth++;
        aio_poll(s->ctx, false);
        s->depth--;
    }
}

static void plug_or_unplug(Storm *s)
{
    if (s->plugs) {
        s->plugs--;
        aio_request_unplug(s->ctx);
    } else {
        s->plugs++;
        aio_request_plug(s->ctx);
    }
}

static void disturb(Storm *s)
{
    switch (dice(s, 6)) {
    case 0:
    case 1:
        cancel_one(s);
        break;
    case 2:
        feed_pipe(s, dice(s, PIPES));
        break;
    case 3:
        poll_deeper(s);
        break;
    case 4:
        plug_or_unplug(s);
        break;
    default:
        if (dice(s, 10) == 0) {
            change_monitor(s);
        }
    }
}

/* ---- the storm ---------------------------------------------------------- */

static void open_files(Storm *s, bool direct)
{
    char path[] = "./stress_engine_XXXXXX";
    int plain = mkstemp(path);

    ASSERT_CMP(plain, >=, 0);
    ASSERT_EQ(posix_memalign((void **)&s->buf, BLOCK, BLOCK * BLOCKS), 0);
    memset(s->buf, 'x', BLOCK * BLOCKS);
    ASSERT_EQ(write(plain, s->buf, BLOCK * BLOCKS), BLOCK * BLOCKS);
    s->fd = open(path, O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0));
    ASSERT_CMP(s->fd, >=, 0);
    unlink(path);
    close(plain);
    for (int i = 0; i < PIPES; i++) {
        /* Every other one in non-blocking mode. */
        ASSERT_EQ(pipe2(s->pipes[i], i % 2 ? O_NONBLOCK : 0), 0);
    }
}

static void close_files(Storm *s)
{
    close(s->fd);
    free(s->buf);
    for (int i = 0; i < PIPES; i++) {
        close(s->pipes[i][0]);
        close(s->pipes[i][1]);
    }
}

static void wait_for_all(Storm *s)
{
    s->to_do = 0;
    while (s->plugs) {
        plug_or_unplug(s);
    }
    while (s->in_flight > 0) {
        for (unsigned i = 0; i < PIPES; i++) {
            if (s->reading[i]) {
                feed_pipe(s, i);
            }
        }
        while (s->plugs) {
            plug_or_unplug(s);
        }
        aio_poll(s->ctx, true);
    }
    while (s->plugs) {
        plug_or_unplug(s);
    }
}

static void run_storm(Storm *s)
{
    for (int i = 0; i < REQUESTS; i++) {
        s->requests[i].storm = s;
    }
    while (s->to_do > 0) {
        Request *r = &s->requests[dice(s, REQUESTS)];

        if (!r->busy) {
            submit(s, r);
        } else {
            disturb(s);
            aio_poll(s->ctx, false);
        }
    }
    wait_for_all(s);
    for (int i = 0; i < 5; i++) {
        aio_poll(s->ctx, false); /* nothing calls back once more */
    }
    for (int i = 0; i < REQUESTS; i++) {
        ASSERT_EQ(s->requests[i].calls, s->requests[i].submits);
    }
}

static void storm_on(const char *monitor, const char *engine,
                     bool monitors_change)
{
    Storm *s = calloc(1, sizeof(*s));
    bool direct = !strcmp(engine, "linux_aio");

    s->ctx = context_on(monitor);
    s->engine = aio_engine_get(s->ctx, engine, direct, NULL, NULL);
    s->random = 4711;
    s->to_do = scaled(8000);
    s->monitors_change = monitors_change;
    open_files(s, direct);
    run_storm(s);
    close_files(s);
    aio_context_unref(s->ctx);
    free(s);
}

static void storm_on_engines(const char *monitor, bool monitors_change)
{
    for (const char *const *e = aio_engine_names(); *e; e++) {
        if (aio_engine_probe(*e, NULL)) {
            storm_on(monitor, *e, monitors_change);
        }
    }
}

ON_EVERY_MONITOR(every_request_calls_back_exactly_once)
{
    storm_on_engines(monitor, false);
}

TEST(every_request_calls_back_exactly_once_while_monitors_change)
{
    storm_on_engines("poll", true);
}
