/*
 * laio_rules_test.c - what the Linux AIO engine does when the kernel refuses,
 * takes a part, or changes its mind
 *
 * io_setup() and io_submit() are ours: --wrap.
 */
#include "engine/laio_ring.h"
#include "everywhere.h"

#ifdef CONFIG_LINUX_AIO
#include <errno.h>

#include "aioctl/request.h"
#include "block/raw-aio.h"
#include "loop/context.h"
#include "qapi/error.h"

enum { BLOCK = 4096, COUNT = 8 };

/* ---- the kernel --------------------------------------------------------- */

static struct {
    int setup_ret;    /* not 0: what io_setup() says */
    int refuse, ret;  /* so many calls of io_submit() return this */
    long at_most;     /* iocbs that a call takes; 0: all */
    int complete_ret; /* not 0: nothing is submitted, this is the result */
    bool silent;      /* ... and nobody is told */
    int calls;
} kernel;

int __real_io_setup(int maxevents, io_context_t *ctxp);
int __wrap_io_setup(int maxevents, io_context_t *ctxp);
int __real_io_submit(io_context_t aio, long nr, struct iocb *ios[]);
int __wrap_io_submit(io_context_t aio, long nr, struct iocb *ios[]);

int __wrap_io_setup(int maxevents, io_context_t *ctxp)
{
    return kernel.setup_ret ? kernel.setup_ret
                            : __real_io_setup(maxevents, ctxp);
}

/* As the kernel completes an iocb, in its ring. */
static int pretend(io_context_t aio, struct iocb *iocb)
{
    LaioRing *ring = (LaioRing *)aio;

    ring->events[ring->tail] = (struct io_event){
        .data = iocb->data,
        .obj = iocb,
        .res = (unsigned long)kernel.complete_ret,
    };
    __atomic_store_n(&ring->tail, (ring->tail + 1) % ring->nr,
                     __ATOMIC_RELEASE);
    if (!kernel.silent) {
        poke((int)iocb->u.c.resfd);
    }
    return 1;
}

int __wrap_io_submit(io_context_t aio, long nr, struct iocb *ios[])
{
    kernel.calls++;
    if (kernel.refuse > 0) {
        kernel.refuse--;
        return kernel.ret;
    }
    if (kernel.complete_ret) {
        return pretend(aio, ios[0]);
    }
    if (kernel.at_most && nr > kernel.at_most) {
        nr = kernel.at_most;
    }
    return __real_io_submit(aio, nr, ios);
}

/* ---- the file ----------------------------------------------------------- */

typedef struct Rig {
    AioContext *ctx;
    const AioEngine *engine;
    int fd;
    char *buf;
    AioRequest reqs[COUNT];
    int done;
    int order[COUNT]; /* in which they called back */
} Rig;

static void request_done(AioRequest *req)
{
    Rig *rig = req->opaque;

    rig->order[rig->done++] = (int)(req - rig->reqs);
}

static void open_file(Rig *rig)
{
    char path[] = "./laio_rules_XXXXXX";
    int plain = mkstemp(path);

    ASSERT_CMP(plain, >=, 0);
    ASSERT_EQ(posix_memalign((void **)&rig->buf, BLOCK, COUNT * BLOCK), 0);
    memset(rig->buf, 'f', COUNT * BLOCK);
    ASSERT_EQ(write(plain, rig->buf, COUNT * BLOCK), COUNT * BLOCK);
    memset(rig->buf, 0, COUNT * BLOCK);
    rig->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    unlink(path);
    close(plain);
    if (rig->fd < 0) {
        SKIP("no O_DIRECT in this folder");
    }
}

static void run(void (*scenario)(Rig *rig), AioContext *ctx)
{
    Rig rig = {.ctx = ctx};
    Error *err = NULL;

    memset(&kernel, 0, sizeof(kernel));
    rig.engine = aio_engine_get(ctx, "linux_aio!", true, NULL, &err);
    if (!rig.engine) {
        SKIP("%s", error_get_pretty(err));
    }
    open_file(&rig);
    scenario(&rig);
    memset(&kernel, 0, sizeof(kernel));
    close(rig.fd);
    free(rig.buf);
}

#define LAIO_TEST(name)               \
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

/* ---- submission --------------------------------------------------------- */

LAIO_TEST(what_the_kernel_did_not_take_goes_with_the_next_call)
{
    kernel.at_most = 3;
    for (int i = 0; i < COUNT; i++) {
        submit(rig, i);
    }
    wait_for(rig, COUNT);
    ASSERT_EQ(kernel.calls, 3);
    for (int i = 0; i < COUNT; i++) {
        check_read(rig, i);
    }
}

LAIO_TEST(interrupted_submission_is_repeated)
{
    kernel.refuse = 2;
    kernel.ret = -EINTR;
    submit(rig, 0);
    wait_for(rig, 1);
    ASSERT_EQ(kernel.calls, 3);
    check_read(rig, 0);
}

LAIO_TEST(refused_submission_waits_for_a_completion_and_does_not_spin)
{
    aio_request_plug(rig->ctx);
    submit(rig, 0);
    aio_request_unplug(rig->ctx); /* one is in the kernel */
    kernel.refuse = 1;
    kernel.ret = -EAGAIN;
    kernel.calls = 0;
    for (int i = 1; i < COUNT; i++) {
        submit(rig, i);
    }
    aio_request_plug(rig->ctx);
    for (int i = 0; i < 5; i++) {
        aio_request_plug(rig->ctx);
        aio_request_unplug(rig->ctx);
    }
    aio_request_unplug(rig->ctx); /* refused */
    ASSERT_EQ(kernel.calls, 1);
    for (int i = 0; i < 5; i++) { /* nobody asks again before it is time */
        aio_request_plug(rig->ctx);
        aio_request_unplug(rig->ctx);
    }
    ASSERT_EQ(kernel.calls, 1);
    wait_for(rig, COUNT);
    ASSERT_EQ(kernel.calls, 2);
    for (int i = 0; i < COUNT; i++) {
        check_read(rig, i);
    }
}

LAIO_TEST(refused_with_nothing_in_the_kernel_the_thread_pool_does_it)
{
    kernel.refuse = 1000;
    kernel.ret = -EAGAIN;
    submit(rig, 0);
    submit(rig, 1);
    wait_for(rig, 2);
    check_read(rig, 0);
    check_read(rig, 1);
    ASSERT_STR_EQ(aio_engine_name(rig->reqs[0].engine), "threads");
}

LAIO_TEST(error_of_a_submission_fails_its_first_request_only)
{
    int good = rig->fd;

    aio_request_plug(rig->ctx);
    submit(rig, 0);
    rig->fd = 9999;
    submit(rig, 1);
    rig->fd = good;
    submit(rig, 2);
    aio_request_unplug(rig->ctx);
    ASSERT_EQ(rig->done, 0); /* no callback inside of the call */
    wait_for(rig, 3);
    check_read(rig, 0);
    ASSERT_EQ(rig->reqs[1].ret, -EBADF);
    check_read(rig, 2);
}

/* ---- completion --------------------------------------------------------- */

LAIO_TEST(completion_that_says_try_again_is_tried_again)
{
    static const int rets[] = {-EAGAIN, -EINTR};

    for (int i = 0; i < 2; i++) {
        kernel.complete_ret = rets[i];
        submit(rig, i);
        wait_for(rig, i + 1);
        check_read(rig, i);
    }
}

LAIO_TEST(completion_with_an_error_is_the_result)
{
    kernel.complete_ret = -EIO;
    submit(rig, 0);
    wait_for(rig, 1);
    ASSERT_EQ(rig->reqs[0].ret, -EIO);
}

LAIO_TEST(completions_call_back_in_the_order_of_the_ring)
{
    kernel.complete_ret = -EIO;
    for (int i = 0; i < COUNT; i++) {
        submit(rig, i);
    }
    wait_for(rig, COUNT);
    for (int i = 0; i < COUNT; i++) {
        ASSERT_EQ(rig->order[i], i);
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

LAIO_TEST(requests_without_end_leave_room_for_the_rest_of_the_tick)
{
    bool bh_ran = false;

    kernel.complete_ret = -EIO; /* at once, inside of io_submit() */
    submit(rig, 0);
    rig->reqs[0].done = submit_again;
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

LAIO_TEST(requests_that_fail_at_once_leave_room_for_the_rest_of_the_tick)
{
    kernel.refuse = INT_MAX;
    kernel.ret = -EINVAL;
    aio_context_set_aio_params(rig->ctx, 1, &error_abort); /* in the call */
    submit(rig, 0);
    rig->reqs[0].done = submit_again;
    for (int i = 1; i < 20; i++) {
        ASSERT(aio_poll(rig->ctx, true));
        ASSERT_CMP(rig->done, <=, i);
    }
    wait_for(rig, 1000);
    aio_context_set_aio_params(rig->ctx, 0, &error_abort);
}

LAIO_TEST(completions_are_found_by_polling_the_ring_alone)
{
    QEMUTimer tick;
    bool ticked = false;

    submit(rig, 0); /* makes the engine one of those that are polled */
    wait_for(rig, 1);
    aio_context_set_poll_params(rig->ctx, 100 * SCALE_MS, 0, 0, &error_abort);
    aio_timer_init(rig->ctx, &tick, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag,
                   &ticked);
    kernel.complete_ret = -EIO;
    kernel.silent = true; /* the eventfd stays as it is */
    submit(rig, 1);
    while (rig->done < 2) {
        timer_mod_ns(&tick, get_clock() + SCALE_MS);
        aio_poll(rig->ctx, true);
    }
    timer_del(&tick);
    ASSERT_EQ(rig->reqs[1].ret, -EIO);
}

/* ---- cancelling --------------------------------------------------------- */

LAIO_TEST(queued_request_is_cancelled_and_one_in_the_kernel_is_not)
{
    aio_request_plug(rig->ctx);
    submit(rig, 0);
    aio_request_unplug(rig->ctx);
    submit(rig, 1);
    submit(rig, 2);
    aio_request_cancel(&rig->reqs[0]);
    aio_request_cancel(&rig->reqs[1]);
    ASSERT_EQ(rig->done, 0);
    wait_for(rig, 3);
    check_read(rig, 0);
    ASSERT_EQ(rig->reqs[1].ret, -ECANCELED);
    check_read(rig, 2);
}

/* ---- set-up ------------------------------------------------------------- */

static void check_refusal(int ret, const char *remedy)
{
    AioContext *ctx = aio_context_new(NULL);
    const char *why = NULL;
    Error *err = NULL;

    kernel.setup_ret = ret;
    ASSERT_PTR_EQ(aio_setup_linux_aio(ctx, &err), NULL);
    ASSERT(err && strstr(error_get_pretty(err), remedy));
    error_free(err);
    ASSERT_PTR_EQ(aio_setup_linux_aio(ctx, NULL), NULL);
    const AioEngine *engine =
        aio_engine_get(ctx, "linux_aio", true, &why, NULL);
    ASSERT_STR_EQ(aio_engine_name(engine), "threads");
    ASSERT(why && strstr(why, remedy));
    kernel.setup_ret = 0; /* room again */
    ASSERT(aio_setup_linux_aio(ctx, &error_abort));
    aio_context_unref(ctx);
}

TEST(refused_set_up_names_the_remedy_and_may_be_tried_again)
{
    if (!aio_engine_probe("linux_aio", NULL)) {
        SKIP("no Linux AIO here");
    }
    check_refusal(-EAGAIN, "raise /proc/sys/fs/aio-max-nr");
    check_refusal(-ENOSYS, "allow the system calls io_setup");
    check_refusal(-EPERM, "seccomp");
    check_refusal(-ENOMEM, "io_setup of 1024 events");
}
#else
TEST(built_without_linux_aio)
{
    SKIP("built without it");
}
#endif
