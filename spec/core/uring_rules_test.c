/*
 * uring_rules_test.c - what the io_uring engine does when the kernel refuses,
 * interrupts, or is too old
 *
 * io_uring_submit() and the making of rings are ours (--wrap); completions pass
 * by this file on their way to the engine.
 */
#include "loop/ring.h"

#include "everywhere.h"

#ifdef CONFIG_LINUX_IO_URING
#include <errno.h>

#include "aioctl/request.h"
#include "block/raw-aio.h"

enum { BLOCK = 4096, COUNT = 8 };

/* ---- the kernel --------------------------------------------------------- */

static struct {
    int init_ret;     /* not 0: what making a ring says */
    bool no_features; /* it is an old kernel's */
    int refuse, ret;  /* so many submissions return this */
    int interrupt;    /* so many completions say @cqe_ret */
    int cqe_ret;
    int submits;
} kernel;

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *p);

int __wrap_io_uring_submit(struct io_uring *ring)
{
    kernel.submits++;
    if (kernel.refuse > 0) {
        kernel.refuse--;
        return kernel.ret;
    }
    return __real_io_uring_submit(ring);
}

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *p)
{
    if (kernel.init_ret) {
        return kernel.init_ret;
    }
    int ret = __real_io_uring_queue_init_params(entries, ring, p);
    if (ret == 0 && kernel.no_features) {
        p->features = ring->features = 0;
    }
    return ret;
}

static RingCqeFunc *engine_cqe;

static void intercept_cqe(AioContext *ctx, void *ptr, int32_t res,
                          uint32_t flags)
{
    if (kernel.interrupt > 0) {
        kernel.interrupt--;
        res = kernel.cqe_ret;
    }
    engine_cqe(ctx, ptr, res, flags);
}

/* ---- requests ----------------------------------------------------------- */

typedef struct Rig {
    AioContext *ctx;
    const AioEngine *engine;
    int fd;
    char *buf;
    AioRequest reqs[COUNT];
    int done;
} Rig;

static void request_done(AioRequest *req)
{
    ((Rig *)req->opaque)->done++;
}

static void open_file(Rig *rig)
{
    char path[] = "./uring_rules_XXXXXX";

    rig->fd = mkostemp(path, O_CLOEXEC);
    ASSERT_CMP(rig->fd, >=, 0);
    unlink(path);
    rig->buf = malloc(COUNT * BLOCK);
    memset(rig->buf, 'f', COUNT * BLOCK);
    ASSERT_EQ(write(rig->fd, rig->buf, COUNT * BLOCK), COUNT * BLOCK);
    memset(rig->buf, 0, COUNT * BLOCK);
}

static void run(void (*scenario)(Rig *rig), AioContext *ctx)
{
    Rig rig = {.ctx = ctx};
    Error *err = NULL;

    memset(&kernel, 0, sizeof(kernel));
    rig.engine = aio_engine_get(ctx, "io_uring!", false, NULL, &err);
    if (!rig.engine) {
        SKIP("%s", error_get_pretty(err));
    }
    engine_cqe = ctx->ring->on_cqe[RING_REQUEST];
    ctx->ring->on_cqe[RING_REQUEST] = intercept_cqe;
    open_file(&rig);
    scenario(&rig);
    memset(&kernel, 0, sizeof(kernel));
    close(rig.fd);
    free(rig.buf);
}

#define URING_TEST(name)              \
    static void name##_rig(Rig *rig); \
    EVERYWHERE(name)                  \
    {                                 \
        run(name##_rig, ctx);         \
    }                                 \
    static void name##_rig(Rig *rig)

static void submit(Rig *rig, int i)
{
    AioRequest *req = &rig->reqs[i];

    *req = (AioRequest){.op = AIO_OP_READ,
                        .fd = rig->fd,
                        .buf_index = -1,
                        .offset = i * BLOCK,
                        .done = request_done,
                        .opaque = rig};
    req->base = rig->buf + i * BLOCK;
    req->len = BLOCK;
    aio_request_submit(rig->ctx, rig->engine, req);
}

static void wait_for(Rig *rig, int count)
{
    while (rig->done < count) {
        aio_poll(rig->ctx, true);
    }
    aio_poll(rig->ctx, false);
    ASSERT_EQ(rig->done, count);
}

static void check_read(Rig *rig, int i)
{
    ASSERT_EQ(rig->reqs[i].ret, BLOCK);
    ASSERT(rig->buf[i * BLOCK] == 'f' && rig->buf[(i + 1) * BLOCK - 1] == 'f');
}

/* ---- completion --------------------------------------------------------- */

URING_TEST(interrupted_requests_are_submitted_again_until_they_end)
{
    kernel.interrupt = 3;
    kernel.cqe_ret = -EINTR;
    for (int i = 0; i < COUNT; i++) {
        submit(rig, i);
    }
    wait_for(rig, COUNT);
    ASSERT_EQ(kernel.interrupt, 0);
    for (int i = 0; i < COUNT; i++) {
        check_read(rig, i);
    }
}

URING_TEST(requests_that_would_block_are_tried_again)
{
    kernel.interrupt = 2;
    kernel.cqe_ret = -EAGAIN;
    submit(rig, 0);
    submit(rig, 1);
    wait_for(rig, 2);
    check_read(rig, 0);
    check_read(rig, 1);
}

URING_TEST(other_errors_are_the_result_as_they_are)
{
    kernel.interrupt = 1;
    kernel.cqe_ret = -EOPNOTSUPP;
    submit(rig, 0);
    wait_for(rig, 1);
    ASSERT_EQ(rig->reqs[0].ret, -EOPNOTSUPP);
}

URING_TEST(request_that_waits_for_its_pipe_can_be_cancelled)
{
    AioRequest *req = &rig->reqs[0];
    int pipes[2];
    char byte;

    ASSERT_EQ(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    ASSERT_EQ(write(pipes[1], "x", 1), 1);
    kernel.interrupt = 1; /* the byte is lost: who polls now waits */
    kernel.cqe_ret = -EAGAIN;
    *req = (AioRequest){.op = AIO_OP_READ,
                        .fd = pipes[0],
                        .buf_index = -1,
                        .offset = -1,
                        .done = request_done,
                        .opaque = rig};
    req->base = &byte;
    req->len = 1;
    aio_request_submit(rig->ctx, rig->engine, req);
    while (kernel.interrupt > 0) {
        aio_poll(rig->ctx, true);
    }
    aio_poll(rig->ctx, false);
    aio_poll(rig->ctx, false);
    ASSERT_EQ(rig->done, 0);
    aio_request_cancel(req);
    aio_request_cancel(req);
    ASSERT_EQ(rig->done, 0);
    wait_for(rig, 1);
    ASSERT_EQ(req->ret, -ECANCELED);
    close(pipes[0]);
    close(pipes[1]);
}

/* ---- submission --------------------------------------------------------- */

URING_TEST(refused_submission_keeps_the_requests_for_the_next)
{
    static const int rets[] = {-EAGAIN, -EBUSY, -EINTR, -ENOMEM};

    for (int k = 0; k < 4; k++) {
        kernel.refuse = 1;
        kernel.ret = rets[k];
        rig->done = 0;
        aio_request_plug(rig->ctx);
        for (int i = 0; i < COUNT; i++) {
            submit(rig, i);
        }
        aio_request_unplug(rig->ctx);
        ASSERT_EQ(kernel.refuse, 0);
        wait_for(rig, COUNT);
        for (int i = 0; i < COUNT; i++) {
            check_read(rig, i);
        }
    }
}

URING_TEST(requests_that_wait_are_submitted_a_few_at_a_time)
{
    static char bytes[COUNT];
    int pipes[2];

    ASSERT_EQ(pipe2(pipes, O_CLOEXEC), 0);
    for (int i = 0; i < COUNT; i++) {
        rig->reqs[i] = (AioRequest){.op = AIO_OP_READ,
                                    .fd = pipes[0],
                                    .buf_index = -1,
                                    .offset = -1,
                                    .done = request_done,
                                    .opaque = rig};
        rig->reqs[i].base = &bytes[i];
        rig->reqs[i].len = 1;
        aio_request_submit(rig->ctx, rig->engine, &rig->reqs[i]);
        ASSERT_EQ(kernel.submits, (i + 1) / 4);
    }
    ASSERT_EQ(write(pipes[1], bytes, COUNT), COUNT);
    wait_for(rig, COUNT);
    close(pipes[0]);
    close(pipes[1]);
}

URING_TEST(requests_that_end_at_once_are_submitted_a_ring_at_a_time)
{
    enum { NOPS = 100 };
    static AioRequest nops[NOPS];

    for (int round = 0; round < 3; round++) {
        rig->done = 0;
        int before = kernel.submits;
        for (int i = 0; i < NOPS; i++) {
            nops[i] = (AioRequest){.op = AIO_OP_NOP,
                                   .buf_index = -1,
                                   .done = request_done,
                                   .opaque = rig};
            aio_request_submit(rig->ctx, rig->engine, &nops[i]);
        }
        int submits = kernel.submits - before;
        wait_for(rig, NOPS);
        /* The first few tell; a poll of the monitor's may mislead once. */
        ASSERT_CMP(submits, <=, 3);
    }
}

static void submit_again(AioRequest *req)
{
    Rig *rig = req->opaque;

    rig->done++;
    if (rig->done < 1000) {
        aio_request_submit(rig->ctx, rig->engine, req);
    }
}

URING_TEST(requests_without_end_leave_room_for_the_rest_of_the_tick)
{
    bool bh_ran = false;

    rig->reqs[0] = (AioRequest){
        .op = AIO_OP_NOP, .buf_index = -1, .done = submit_again, .opaque = rig};
    aio_request_submit(rig->ctx, rig->engine, &rig->reqs[0]);
    for (int i = 0; i < 20; i++) {
        int before = rig->done;

        bh_ran = false;
        aio_bh_schedule_oneshot(rig->ctx, set_flag, &bh_ran);
        aio_poll(rig->ctx, true);
        ASSERT(bh_ran);
        ASSERT_CMP(rig->done - before, <=, 2);
    }
    wait_for(rig, 1000);
}

/* ---- set-up ------------------------------------------------------------- */

static void check_refusal(int ret, bool old, const char *remedy)
{
    AioContext *ctx = aio_context_new(NULL);
    const char *why = NULL;
    Error *err = NULL;

    kernel.init_ret = ret;
    kernel.no_features = old;
    ASSERT_PTR_EQ(aio_setup_linux_io_uring(ctx, &err), NULL);
    ASSERT(err && strstr(error_get_pretty(err), remedy));
    error_free(err);
    ASSERT_PTR_EQ(aio_setup_linux_io_uring(ctx, NULL), NULL);
    const AioEngine *engine =
        aio_engine_get(ctx, "io_uring", false, &why, NULL);
    ASSERT_STR_EQ(aio_engine_name(engine), "threads");
    ASSERT(why && strstr(why, remedy));
    aio_poll(ctx, false);
    ASSERT_STR_EQ(aio_context_fdmon(ctx), "epoll"); /* the monitor too */
    memset(&kernel, 0, sizeof(kernel));
    ASSERT(aio_setup_linux_io_uring(ctx, &error_abort));
    aio_context_unref(ctx);
}

TEST(refused_ring_names_the_remedy_and_may_be_tried_again)
{
    if (!aio_engine_probe("io_uring", NULL)) {
        SKIP("no io_uring here");
    }
    check_refusal(-ENOMEM, false, "ulimit -l");
    check_refusal(-EMFILE, false, "ulimit -n");
    check_refusal(-ENOSYS, false, "Linux 5.11 or later is needed");
    check_refusal(-EPERM, false, "io_uring");
    check_refusal(0, true, "too old; Linux 5.11 or later is needed");
}
#else
TEST(built_without_io_uring)
{
    SKIP("built without it");
}
#endif
