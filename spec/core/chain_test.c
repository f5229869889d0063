/*
 * chain_test.c - chains of requests: the same on every engine and monitor
 *
 * Completions of the ring pass by this file, so that it can break links as an
 * interrupted request does.
 */
#include <errno.h>

#include "aioctl/request.h"
#include "everywhere.h"
#include "loop/ring.h"

enum { BLOCK = 512, COUNT = 300 };

typedef struct Rig {
    AioContext *ctx;
    const AioEngine *engine;
    const char *name;
    int fd;
    AioChain chain;
    AioRequest reqs[COUNT];
    char buf[BLOCK];
    int order[COUNT]; /* which called back when */
    int done;
    void (*on_done)(struct Rig *rig, int i);
} Rig;

static void request_done(AioRequest *req)
{
    Rig *rig = req->opaque;
    int i = (int)(req - rig->reqs);

    rig->order[rig->done++] = i;
    if (rig->on_done) {
        rig->on_done(rig, i);
    }
}

static void run_rows(void (*scenario)(Rig *rig), AioContext *ctx)
{
    for (const char *const *name = aio_engine_names(); *name; name++) {
        static Rig rig;
        char path[] = "./chain_XXXXXX";
        const char *why;

        memset(&rig, 0, sizeof(rig));
        rig.engine = aio_engine_get(ctx, *name, true, &why, NULL);
        if (why) {
            printf("# left out: %s\n", why);
            continue;
        }
        rig.ctx = ctx;
        rig.name = *name;
        rig.fd = mkostemp(path, O_CLOEXEC);
        ASSERT_CMP(rig.fd, >=, 0);
        unlink(path);
        scenario(&rig);
        ASSERT(!rig.chain.first && !rig.chain.idle && !rig.chain.running);
        close(rig.fd);
    }
}

#define CHAIN_TEST(name)               \
    static void name##_rows(Rig *rig); \
    EVERYWHERE(name)                   \
    {                                  \
        run_rows(name##_rows, ctx);    \
    }                                  \
    static void name##_rows(Rig *rig)

static AioRequest *submit(Rig *rig, int i, AioRequest req)
{
    req.buf_index = -1;
    req.chain = &rig->chain;
    req.done = request_done;
    req.opaque = rig;
    rig->reqs[i] = req;
    aio_request_submit(rig->ctx, rig->engine, &rig->reqs[i]);
    return &rig->reqs[i];
}

static AioRequest *submit_write(Rig *rig, int i, int64_t offset)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

    return submit(rig, i,
                  (AioRequest){.op = AIO_OP_WRITE,
                               .fd = rig->fd,
                               .offset = offset,
                               .base = (void *)&letters[i % 26],
                               .len = 1});
}

static AioRequest *submit_read(Rig *rig, int i, int fd)
{
    return submit(
        rig, i,
        (AioRequest){
            .op = AIO_OP_READ, .fd = fd, .base = rig->buf, .len = BLOCK});
}

static void wait_for(Rig *rig, int count)
{
    while (rig->done < count) {
        aio_poll(rig->ctx, true);
    }
    aio_poll(rig->ctx, false);
    ASSERT_EQ(rig->done, count);
}

static char byte_at(Rig *rig, int64_t offset)
{
    char c = 0;

    ASSERT_CMP(pread(rig->fd, &c, 1, offset), >=, 0);
    return c;
}

/* ---- order -------------------------------------------------------------- */

CHAIN_TEST(requests_run_and_call_back_in_the_order_of_submission)
{
    for (int i = 0; i < COUNT; i++) {
        submit_write(rig, i, 0); /* the last one stays */
    }
    ASSERT_EQ(rig->done, 0);
    wait_for(rig, COUNT);
    for (int i = 0; i < COUNT; i++) {
        ASSERT_EQ(rig->order[i], i);
        ASSERT_EQ(rig->reqs[i].ret, 1);
    }
    ASSERT_EQ(byte_at(rig, 0), 'a' + (COUNT - 1) % 26);
}

CHAIN_TEST(a_read_sees_what_the_write_before_it_has_written)
{
    submit_write(rig, 7, 0);
    submit(rig, 0, (AioRequest){.op = AIO_OP_FDATASYNC, .fd = rig->fd});
    submit(rig, 1,
           (AioRequest){
               .op = AIO_OP_READ, .fd = rig->fd, .base = rig->buf, .len = 1});
    wait_for(rig, 3);
    ASSERT_EQ(rig->reqs[0].ret, 0);
    ASSERT_EQ(rig->buf[0], 'h');
}

static int64_t count_call(void *arg)
{
    ++*(int *)arg;
    return 0;
}

CHAIN_TEST(requests_for_different_engines_are_one_chain)
{
    int calls = 0;

    for (int i = 0; i < 9; i += 3) {
        submit_write(rig, i, i);
        submit(
            rig, i + 1,
            (AioRequest){.op = AIO_OP_CALL, .call = count_call, .arg = &calls});
        submit(rig, i + 2, (AioRequest){.op = AIO_OP_NOP});
    }
    wait_for(rig, 9);
    for (int i = 0; i < 9; i++) {
        ASSERT_EQ(rig->order[i], i);
        ASSERT_CMP(rig->reqs[i].ret, >=, 0);
    }
    ASSERT_EQ(calls, 3);
}

CHAIN_TEST(what_is_submitted_while_a_chain_runs_runs_behind_it)
{
    submit_write(rig, 0, 0);
    aio_poll(rig->ctx, false);
    for (int i = 1; i < 5; i++) {
        submit_write(rig, i, 0);
    }
    wait_for(rig, 5);
    ASSERT_EQ(byte_at(rig, 0), 'e');
    submit_write(rig, 5, 0); /* it had come to its end */
    wait_for(rig, 6);
    ASSERT_EQ(byte_at(rig, 0), 'f');
}

static void poll_for_the_rest(Rig *rig, int i)
{
    if (i == 0) {
        while (rig->done < 4) {
            aio_poll(rig->ctx, true);
        }
    }
}

CHAIN_TEST(a_callback_may_wait_for_the_rest_of_its_chain)
{
    rig->on_done = poll_for_the_rest;
    for (int i = 0; i < 4; i++) {
        submit_write(rig, i, 0);
    }
    wait_for(rig, 4);
    ASSERT_EQ(byte_at(rig, 0), 'd');
}

CHAIN_TEST(other_requests_do_not_wait_for_a_chain)
{
    int pipes[2];
    AioRequest free_one;

    ASSERT_EQ(pipe2(pipes, O_CLOEXEC), 0);
    submit(rig, 0,
           (AioRequest){.op = AIO_OP_READ,
                        .fd = pipes[0],
                        .offset = -1,
                        .base = rig->buf,
                        .len = 1});
    submit_write(rig, 1, 0);
    aio_poll(rig->ctx, false);
    free_one = (AioRequest){
        .op = AIO_OP_NOP, .buf_index = -1, .done = request_done, .opaque = rig};
    rig->reqs[2] = free_one;
    aio_request_submit(rig->ctx, rig->engine, &rig->reqs[2]);
    wait_for(rig, 1);
    ASSERT_EQ(rig->order[0], 2);
    ASSERT_EQ(write(pipes[1], "x", 1), 1);
    wait_for(rig, 3);
    ASSERT_EQ(rig->reqs[1].ret, 1);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- failure ------------------------------------------------------------ */

static void check_cancelled(Rig *rig, int from, int to)
{
    for (int i = from; i < to; i++) {
        ASSERT_EQ(rig->order[i], i);
        ASSERT_EQ(rig->reqs[i].ret, -ECANCELED);
    }
}

CHAIN_TEST(a_failure_cancels_the_rest_untouched)
{
    submit_write(rig, 0, 0);
    submit_read(rig, 1, -1);
    for (int i = 2; i < 100; i++) {
        submit_write(rig, i, 1);
    }
    wait_for(rig, 100);
    ASSERT_EQ(rig->reqs[0].ret, 1);
    ASSERT_EQ(rig->reqs[1].ret, -EBADF);
    check_cancelled(rig, 2, 100);
    ASSERT_EQ(byte_at(rig, 0), 'a');
    ASSERT_EQ(byte_at(rig, 1), 0);
    submit_write(rig, 100, 1); /* later ones, too */
    ASSERT_EQ(rig->done, 100);
    wait_for(rig, 101);
    ASSERT_EQ(rig->reqs[100].ret, -ECANCELED);
    ASSERT_EQ(byte_at(rig, 1), 0);
}

CHAIN_TEST(a_short_read_is_a_failure)
{
    submit_write(rig, 0, 0);
    submit_read(rig, 1, rig->fd);
    submit_write(rig, 2, 1);
    submit(rig, 3, (AioRequest){.op = AIO_OP_FSYNC, .fd = rig->fd});
    wait_for(rig, 4);
    ASSERT_EQ(rig->reqs[1].ret, 1); /* of BLOCK */
    check_cancelled(rig, 2, 4);
    ASSERT_EQ(byte_at(rig, 1), 0);
}

CHAIN_TEST(a_vectored_read_is_short_by_the_sum_of_its_parts)
{
    struct iovec iov[2] = {{rig->buf, 1}, {rig->buf + 1, 1}};
    AioRequest read = {.op = AIO_OP_READV, .fd = rig->fd, .iov = iov};

    read.iovcnt = 2;
    submit_write(rig, 0, 0);
    submit_write(rig, 1, 1);
    submit(rig, 2, read);
    read.offset = 1;
    submit(rig, 3, read);
    submit_write(rig, 4, 5);
    wait_for(rig, 5);
    ASSERT_EQ(rig->reqs[2].ret, 2);
    ASSERT_EQ(rig->reqs[3].ret, 1);
    check_cancelled(rig, 4, 5);
}

/* ---- cancelling --------------------------------------------------------- */

CHAIN_TEST(cancelling_one_that_waits_ends_it_and_those_behind_it)
{
    for (int i = 0; i < 6; i++) {
        submit_write(rig, i, i);
    }
    aio_request_cancel(&rig->reqs[3]);
    aio_request_cancel(&rig->reqs[3]);
    ASSERT_EQ(rig->done, 0);
    wait_for(rig, 6);
    for (int i = 0; i < 6; i++) {
        ASSERT_EQ(rig->reqs[i].ret, (i < 3 ? 1 : -ECANCELED));
    }
    ASSERT_EQ(byte_at(rig, 3), 0);
}

CHAIN_TEST(cancelling_all_before_any_began_leaves_nothing)
{
    for (int i = 0; i < 3; i++) {
        submit_write(rig, i, i);
    }
    aio_request_cancel(&rig->reqs[0]);
    wait_for(rig, 3);
    check_cancelled(rig, 0, 3);
    ASSERT_EQ(byte_at(rig, 0), 0);
}

CHAIN_TEST(cancelling_the_one_that_waits_for_a_pipe_ends_the_chain)
{
    int pipes[2];

    if (strcmp(rig->name, "io_uring") != 0) {
        return; /* a thread that reads cannot be interrupted */
    }
    ASSERT_EQ(pipe2(pipes, O_CLOEXEC), 0);
    submit_write(rig, 0, 0);
    submit(rig, 1,
           (AioRequest){.op = AIO_OP_READ,
                        .fd = pipes[0],
                        .offset = -1,
                        .base = rig->buf,
                        .len = 1});
    submit_write(rig, 2, 0);
    wait_for(rig, 1);
    aio_request_cancel(&rig->reqs[1]);
    wait_for(rig, 3);
    check_cancelled(rig, 1, 3);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- links that break by themselves ------------------------------------- */

#ifdef CONFIG_LINUX_IO_URING
static RingCqeFunc *engine_cqe;
static int break_at; /* this completion is interrupted ... */
static int broken;   /* ... and so many behind it are cancelled */

static void break_link(AioContext *ctx, void *ptr, int32_t res, uint32_t flags)
{
    if (break_at > 0 && --break_at == 0) {
        res = -EINTR;
    } else if (break_at == 0 && broken > 0) {
        broken--;
        res = -ECANCELED;
    }
    engine_cqe(ctx, ptr, res, flags);
}

CHAIN_TEST(an_interrupted_request_does_not_fail_its_chain)
{
    if (strcmp(rig->name, "io_uring") != 0) {
        return;
    }
    engine_cqe = rig->ctx->ring->on_cqe[RING_REQUEST];
    rig->ctx->ring->on_cqe[RING_REQUEST] = break_link;
    break_at = 3;
    broken = 5;
    for (int i = 0; i < 8; i++) {
        submit_write(rig, i, i);
    }
    wait_for(rig, 8);
    rig->ctx->ring->on_cqe[RING_REQUEST] = engine_cqe;
    ASSERT_EQ(broken, 0);
    for (int i = 0; i < 8; i++) {
        ASSERT_EQ(rig->order[i], i);
        ASSERT_EQ(rig->reqs[i].ret, 1);
    }
}

CHAIN_TEST(the_ring_takes_a_chain_in_few_submissions)
{
    AioContextStats before, after;

    if (strcmp(rig->name, "io_uring") != 0) {
        return;
    }
    aio_context_get_stats(rig->ctx, &before);
    for (int i = 0; i < 64; i++) {
        submit(rig, i, (AioRequest){.op = AIO_OP_NOP});
    }
    wait_for(rig, 64);
    aio_context_get_stats(rig->ctx, &after);
    ASSERT_CMP(after.batches - before.batches, <=, 2);
}
#endif
