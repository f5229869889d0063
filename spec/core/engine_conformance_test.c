/*
 * engine_conformance_test.c - every file engine, on every fd monitor, does the
 * same
 *
 * A scenario gets a Fixture and runs once per usable pair; what is not usable
 * is skipped, and a test without any pair fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/engine.h"
#include "test.h"

enum { BLOCK = 4096, BLOCKS = 64, FILE_SIZE = BLOCK * BLOCKS };

typedef struct Fixture {
    AioContext *ctx;
    const AioEngine *engine;
    int fd; /* FILE_SIZE bytes, byte i of block b is pattern(b) */
    bool direct;
    char *buf; /* FILE_SIZE bytes, aligned */
    const char *row;
} Fixture;

#define CHECK_ROW(cond)                              \
    do {                                             \
        if (!(cond)) {                               \
            FAIL("%s: not true: %s", f->row, #cond); \
        }                                            \
    } while (0)

static char pattern(int block)
{
    return (char)('a' + block % 26);
}

/* A file that is already unlinked, in the current folder: it has O_DIRECT. */
static int make_file(bool direct, char *buf)
{
    char path[] = "./engine_test_XXXXXX";
    int plain = mkstemp(path);
    int fd;

    ASSERT_CMP(plain, >=, 0);
    for (int b = 0; b < BLOCKS; b++) {
        memset(buf + b * BLOCK, pattern(b), BLOCK);
    }
    ASSERT_EQ(pwrite(plain, buf, FILE_SIZE, 0), FILE_SIZE);
    fd = open(path, O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0));
    unlink(path);
    close(plain);
    return fd;
}

static void run_row(void (*scenario)(Fixture *f), const char *monitor,
                    const char *engine, bool direct)
{
    char row[64];
    Error *err = NULL;
    Fixture f = {.ctx = aio_context_new(NULL), .direct = direct, .row = row};

    snprintf(row, sizeof(row), "%s on %s, %s", engine, monitor,
             direct ? "direct" : "buffered");
    ASSERT(aio_context_set_fdmon(f.ctx, monitor, &err));
    f.engine = aio_engine_get(f.ctx, engine, direct, NULL, &err);
    ASSERT(f.engine);
    ASSERT_STR_EQ(aio_engine_name(f.engine), engine);
    ASSERT_EQ(posix_memalign((void **)&f.buf, BLOCK, FILE_SIZE), 0);
    f.fd = make_file(direct, f.buf);
    ASSERT_CMP(f.fd, >=, 0);
    memset(f.buf, 0, FILE_SIZE);
    scenario(&f);
    close(f.fd);
    free(f.buf);
    aio_context_unref(f.ctx);
}

static void on_every_row(void (*scenario)(Fixture *f))
{
    int rows = 0;

    for (const char *const *m = aio_fdmon_names(); *m; m++) {
        for (const char *const *e = aio_engine_names(); *e; e++) {
            if (!aio_fdmon_probe(*m, NULL) || !aio_engine_probe(*e, NULL)) {
                continue;
            }
            run_row(scenario, *m, *e, true);
            rows++;
            if (strcmp(*e, "linux_aio") != 0) {
                run_row(scenario, *m, *e, false);
            }
        }
    }
    ASSERT_CMP(rows, >=, 2); /* poll and epoll with threads, always */
}

#define ROW_TEST(name)                       \
    static void name##_scenario(Fixture *f); \
    TEST(name)                               \
    {                                        \
        on_every_row(name##_scenario);       \
    }                                        \
    static void name##_scenario(Fixture *f)

/* ---- requests ----------------------------------------------------------- */

static void count_done(AioRequest *req)
{
    ++*(int *)req->opaque;
}

static AioRequest request(Fixture *f, AioOp op)
{
    return (AioRequest){
        .op = op, .fd = f->fd, .buf_index = -1, .done = count_done};
}

static AioRequest rw(Fixture *f, AioOp op, int block, int count)
{
    AioRequest req = request(f, op);

    req.base = f->buf + block * BLOCK;
    req.len = (size_t)count * BLOCK;
    req.offset = (int64_t)block * BLOCK;
    return req;
}

/* Submits and waits; the callback comes later than submit, and once. */
static int64_t run(Fixture *f, AioRequest *req)
{
    int done = 0;

    req->opaque = &done;
    aio_request_submit(f->ctx, f->engine, req);
    CHECK_ROW(done == 0);
    while (done == 0) {
        aio_poll(f->ctx, true);
    }
    aio_poll(f->ctx, false);
    CHECK_ROW(done == 1);
    return req->ret;
}

static void wait_for(Fixture *f, const int *done, int count)
{
    while (*done < count) {
        aio_poll(f->ctx, true);
    }
    CHECK_ROW(*done == count);
}

ROW_TEST(reads_what_the_file_holds)
{
    AioRequest req = rw(f, AIO_OP_READ, 3, 2);

    CHECK_ROW(run(f, &req) == 2 * BLOCK);
    CHECK_ROW(f->buf[3 * BLOCK] == pattern(3));
    CHECK_ROW(f->buf[5 * BLOCK - 1] == pattern(4));
    CHECK_ROW(f->buf[5 * BLOCK] == 0);
}

ROW_TEST(writes_land_in_the_file)
{
    AioRequest req = rw(f, AIO_OP_WRITE, 7, 1);
    char back[BLOCK] __attribute__((aligned(BLOCK)));

    memset(req.base, 'Z', BLOCK);
    CHECK_ROW(run(f, &req) == BLOCK);
    CHECK_ROW(pread(f->fd, back, BLOCK, 7 * BLOCK) == BLOCK);
    CHECK_ROW(back[0] == 'Z' && back[BLOCK - 1] == 'Z');
}

ROW_TEST(vectors_scatter_and_gather)
{
    struct iovec iov[] = {{f->buf + 9 * BLOCK, BLOCK}, {f->buf, BLOCK}};
    AioRequest req = request(f, AIO_OP_READV);

    req.iov = iov;
    req.iovcnt = 2;
    req.offset = 20 * BLOCK;
    CHECK_ROW(run(f, &req) == 2 * BLOCK);
    CHECK_ROW(f->buf[9 * BLOCK] == pattern(20) && f->buf[0] == pattern(21));
    req.op = AIO_OP_WRITEV;
    req.offset = 40 * BLOCK;
    CHECK_ROW(run(f, &req) == 2 * BLOCK);
    req = rw(f, AIO_OP_READ, 40, 1);
    CHECK_ROW(run(f, &req) == BLOCK && f->buf[40 * BLOCK] == pattern(20));
}

ROW_TEST(reads_across_the_end_are_short_and_beyond_it_zero)
{
    AioRequest req = rw(f, AIO_OP_READ, BLOCKS - 1, 1);
    struct iovec iov[] = {{f->buf, 2 * BLOCK}};

    req.op = AIO_OP_READV;
    req.iov = iov;
    req.iovcnt = 1;
    CHECK_ROW(run(f, &req) == BLOCK);
    req.offset = FILE_SIZE;
    CHECK_ROW(run(f, &req) == 0);
}

ROW_TEST(errors_are_negative_errnos)
{
    AioRequest req = rw(f, AIO_OP_READ, 0, 1);
    int pipes[2];

    req.fd = 9999;
    CHECK_ROW(run(f, &req) == -EBADF);
    CHECK_ROW(pipe(pipes) == 0);
    req = request(f, AIO_OP_FALLOCATE);
    req.fd = pipes[1];
    req.len = BLOCK;
    CHECK_ROW(run(f, &req) == -ESPIPE);
    close(pipes[0]);
    close(pipes[1]);
}

ROW_TEST(misaligned_direct_io_is_einval)
{
    AioRequest req = rw(f, AIO_OP_READ, 0, 1);

    if (!f->direct) {
        return;
    }
    req.base = f->buf + 1;
    req.offset = 1;
    CHECK_ROW(run(f, &req) == -EINVAL);
    req = rw(f, AIO_OP_READ, 0, 1); /* and the next one is not harmed */
    CHECK_ROW(run(f, &req) == BLOCK);
}

static int64_t forty_two(void *arg)
{
    return *(int *)arg + (1LL << 40);
}

ROW_TEST(every_operation_ends)
{
    int two = 2;
    AioRequest req = request(f, AIO_OP_NOP);

    CHECK_ROW(run(f, &req) == 0);
    req = request(f, AIO_OP_FSYNC);
    CHECK_ROW(run(f, &req) == 0);
    req = request(f, AIO_OP_FDATASYNC);
    CHECK_ROW(run(f, &req) == 0);
    req = request(f, AIO_OP_FALLOCATE);
    req.offset = FILE_SIZE;
    req.len = BLOCK;
    CHECK_ROW(run(f, &req) == 0);
    CHECK_ROW(lseek(f->fd, 0, SEEK_END) == FILE_SIZE + BLOCK);
    req = request(f, AIO_OP_CALL);
    req.call = forty_two;
    req.arg = &two;
    CHECK_ROW(run(f, &req) == 2 + (1LL << 40));
}

/* ---- many --------------------------------------------------------------- */

ROW_TEST(more_requests_than_any_queue_holds)
{
    int count = test_is_slow() ? 3000 : 10000;
    int done = 0;
    AioRequest *reqs = calloc((size_t)count, sizeof(*reqs));

    for (int i = 0; i < count; i++) {
        /* Writes: they may share a buffer. */
        reqs[i] = rw(f, i % 8 ? AIO_OP_NOP : AIO_OP_WRITE, i % BLOCKS, 1);
        reqs[i].opaque = &done;
        aio_request_submit(f->ctx, f->engine, &reqs[i]);
    }
    wait_for(f, &done, count);
    for (int i = 0; i < count; i += 8) {
        CHECK_ROW(reqs[i].ret == BLOCK);
    }
    free(reqs);
}

ROW_TEST(plugs_nest_and_hold_requests_back)
{
    AioRequest reqs[3];
    AioContextStats before, after;
    int done = 0;

    if (!strcmp(aio_engine_name(f->engine), "threads")) {
        return; /* never waits for a batch */
    }
    aio_context_get_stats(f->ctx, &before);
    aio_request_plug(f->ctx);
    aio_request_plug(f->ctx);
    for (int i = 0; i < 3; i++) {
        reqs[i] = rw(f, AIO_OP_READ, i, 1);
        reqs[i].opaque = &done;
        aio_request_submit(f->ctx, f->engine, &reqs[i]);
    }
    aio_request_unplug(f->ctx);
    aio_context_get_stats(f->ctx, &after);
    CHECK_ROW(after.batches == before.batches);
    aio_request_unplug(f->ctx);
    aio_context_get_stats(f->ctx, &after);
    CHECK_ROW(after.batches == before.batches + 1);
    wait_for(f, &done, 3);
}

typedef struct Chain {
    Fixture *f;
    AioRequest req;
    int left;
} Chain;

static void chain_next(AioRequest *req)
{
    Chain *chain = req->opaque;

    ASSERT_EQ(req->ret, BLOCK);
    if (--chain->left > 0) {
        aio_request_submit(chain->f->ctx, chain->f->engine, req);
    }
}

ROW_TEST(completions_may_submit)
{
    Chain chain = {.f = f, .req = rw(f, AIO_OP_READ, 1, 1), .left = 200};

    chain.req.done = chain_next;
    chain.req.opaque = &chain;
    aio_request_submit(f->ctx, f->engine, &chain.req);
    while (chain.left > 0) {
        aio_poll(f->ctx, true);
    }
}

typedef struct Nest {
    Fixture *f;
    int started, ended;
} Nest;

/* The first callback polls until all others have run inside it. */
static void nest_done(AioRequest *req)
{
    Nest *nest = req->opaque;

    if (nest->started++ == 0) {
        while (nest->ended < 7) {
            aio_poll(nest->f->ctx, true);
        }
    }
    nest->ended++;
}

ROW_TEST(a_nested_poll_runs_the_other_completions)
{
    AioRequest reqs[8];
    Nest nest = {.f = f};

    for (int i = 0; i < 8; i++) {
        reqs[i] = rw(f, i % 2 ? AIO_OP_NOP : AIO_OP_READ, i, 1);
        reqs[i].done = nest_done;
        reqs[i].opaque = &nest;
        aio_request_submit(f->ctx, f->engine, &reqs[i]);
    }
    while (nest.ended < 8) {
        aio_poll(f->ctx, true);
    }
    CHECK_ROW(nest.started == 8);
}

/* ---- cancellation ------------------------------------------------------- */

ROW_TEST(cancelled_requests_call_back_once)
{
    AioRequest reqs[64];
    int done = 0, cancelled = 0;

    for (int i = 0; i < 64; i++) {
        reqs[i] = rw(f, AIO_OP_READ, i, 1);
        reqs[i].opaque = &done;
        aio_request_submit(f->ctx, f->engine, &reqs[i]);
    }
    for (int i = 0; i < 64; i += 2) {
        aio_request_cancel(&reqs[i]);
        aio_request_cancel(&reqs[i]);
    }
    CHECK_ROW(done == 0);
    wait_for(f, &done, 64);
    for (int i = 0; i < 64; i++) {
        cancelled += reqs[i].ret == -ECANCELED;
        CHECK_ROW(reqs[i].ret == BLOCK ||
                  (i % 2 == 0 && reqs[i].ret == -ECANCELED));
    }
    CHECK_ROW(cancelled <= 32);
}

ROW_TEST(a_running_read_of_a_pipe_ends_by_cancel_or_by_data)
{
    AioRequest req = request(f, AIO_OP_READ);
    int pipes[2], done = 0;

    CHECK_ROW(pipe(pipes) == 0);
    req.fd = pipes[0];
    req.base = f->buf;
    req.len = 10;
    req.offset = -1;
    req.opaque = &done;
    aio_request_submit(f->ctx, f->engine, &req);
    aio_poll(f->ctx, false);
    CHECK_ROW(done == 0);
    aio_request_cancel(&req);
    if (strcmp(aio_engine_name(f->engine), "io_uring") != 0) {
        CHECK_ROW(write(pipes[1], "x", 1) == 1); /* a thread is stuck in read */
    }
    wait_for(f, &done, 1);
    CHECK_ROW(req.ret == -ECANCELED || req.ret == 1);
    close(pipes[0]);
    close(pipes[1]);
}

ROW_TEST(a_read_of_a_non_blocking_pipe_waits_for_data)
{
    AioRequest req = request(f, AIO_OP_READ);
    int pipes[2], done = 0;

    CHECK_ROW(pipe2(pipes, O_NONBLOCK) == 0);
    req.fd = pipes[0];
    req.base = f->buf;
    req.len = 10;
    req.offset = -1;
    req.opaque = &done;
    aio_request_submit(f->ctx, f->engine, &req);
    for (int i = 0; i < 20; i++) {
        aio_poll(f->ctx, false);
    }
    CHECK_ROW(done == 0);
    CHECK_ROW(write(pipes[1], "hello", 5) == 5);
    wait_for(f, &done, 1);
    CHECK_ROW(req.ret == 5 && memcmp(f->buf, "hello", 5) == 0);
    close(pipes[0]);
    close(pipes[1]);
}
