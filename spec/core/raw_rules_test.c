/*
 * raw_rules_test.c - block/raw-aio.h: what whole transfers do about short ones,
 * plugs and limits; on Linux AIO and io_uring
 *
 * Every submission passes by this file (--wrap=aio_request_submit), which may
 * let something happen to the file between two of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aioctl/context.h"
#include "aioctl/request.h"
#include "block/raw-aio.h"
#include "qapi/error.h"
#include "test.h"

enum { BLOCK = 4096 };

/* ---- a transfer on either --------------------------------------------- */

typedef struct Rig {
    AioContext *ctx;
    LinuxAioState *laio; /* one of them */
    LuringState *luring;
    int fd;
    char *buf; /* 4 blocks, aligned */
} Rig;

typedef struct Transfer {
    Rig *rig;
    int type;
    uint64_t offset;
    size_t from, len; /* of rig->buf */
    uint64_t dev_max_batch;
    int ret;
    bool done;
} Transfer;

static void coroutine_fn transfer_main(void *opaque)
{
    Transfer *t = opaque;
    Rig *rig = t->rig;
    QEMUIOVector qiov;

    qemu_iovec_init(&qiov, 2);
    if (t->len > 0) { /* two pieces, so that the seam is somewhere */
        qemu_iovec_add(&qiov, rig->buf + t->from, t->len / 2);
        qemu_iovec_add(&qiov, rig->buf + t->from + t->len / 2,
                       t->len - t->len / 2);
    }
    if (rig->laio) {
        t->ret = laio_co_submit(NULL, rig->laio, rig->fd, t->offset, &qiov,
                                t->type, t->dev_max_batch);
    } else {
        t->ret = luring_co_submit(NULL, rig->luring, rig->fd, t->offset, &qiov,
                                  t->type);
    }
    qemu_iovec_destroy(&qiov);
    t->done = true;
}

static void start(Transfer *t)
{
    aio_co_enter(t->rig->ctx, qemu_coroutine_create(transfer_main, t));
}

static void wait_for(Transfer *t)
{
    while (!t->done) {
        aio_poll(t->rig->ctx, true);
    }
}

static int transfer(Rig *rig, int type, uint64_t offset, size_t len)
{
    Transfer t = {.rig = rig, .type = type, .offset = offset, .len = len};

    start(&t);
    wait_for(&t);
    return t.ret;
}

static int submissions(AioContext *ctx)
{
    AioContextStats stats;

    aio_context_get_stats(ctx, &stats);
    return (int)stats.submitted;
}

static int batches(AioContext *ctx)
{
    AioContextStats stats;

    aio_context_get_stats(ctx, &stats);
    return (int)stats.batches;
}

/* ---- the rigs ----------------------------------------------------------- */

static int open_file(void)
{
    char path[] = "./raw_rules_XXXXXX";
    int plain = mkstemp(path);
    int fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);

    ASSERT_CMP(plain, >=, 0);
    unlink(path);
    close(plain);
    if (fd < 0) {
        SKIP("no O_DIRECT in this folder");
    }
    return fd;
}

static void on_both(void (*scenario)(Rig *rig))
{
    int ran = 0;

    for (int i = 0; i < 2; i++) {
        Rig rig = {.ctx = aio_context_new(NULL)};
        Error *err = NULL;

        aio_poll(rig.ctx, false);
        if (i == 0) {
            rig.laio = aio_setup_linux_aio(rig.ctx, &err);
        } else {
            rig.luring = aio_setup_linux_io_uring(rig.ctx, &err);
        }
        if (!err) {
            rig.fd = open_file();
            ASSERT_EQ(posix_memalign((void **)&rig.buf, BLOCK, 4 * BLOCK), 0);
            memset(rig.buf, 'x', 4 * BLOCK);
            scenario(&rig);
            free(rig.buf);
            close(rig.fd);
            ran++;
        }
        error_free(err);
        aio_context_unref(rig.ctx);
    }
    if (!ran) {
        SKIP("neither Linux AIO nor io_uring here");
    }
}

#define ON_BOTH(name)                \
    static void name##_on(Rig *rig); \
    TEST(name)                       \
    {                                \
        on_both(name##_on);          \
    }                                \
    static void name##_on(Rig *rig)

static void fill_file(Rig *rig, size_t len, char c)
{
    char *whole;

    ASSERT_EQ(posix_memalign((void **)&whole, BLOCK, BLOCK), 0);
    memset(whole, c, BLOCK);
    for (size_t at = 0; at < len; at += BLOCK) {
        ASSERT_EQ(pwrite(rig->fd, whole, BLOCK, (off_t)at), BLOCK);
    }
    ASSERT_EQ(ftruncate(rig->fd, (off_t)len), 0);
    free(whole);
}

/* ---- what happens before the second submission -------------------------- */

static struct {
    Rig *rig;
    int seen;
    bool grow, break_fd;
    int64_t offset; /* of the second */
    size_t len;
} between;

void __real_aio_request_submit(AioContext *ctx, const AioEngine *engine,
                               AioRequest *req);
void __wrap_aio_request_submit(AioContext *ctx, const AioEngine *engine,
                               AioRequest *req);

void __wrap_aio_request_submit(AioContext *ctx, const AioEngine *engine,
                               AioRequest *req)
{
    if (between.rig && ++between.seen == 2) {
        between.offset = req->offset;
        between.len = 0;
        for (int i = 0; i < req->iovcnt; i++) {
            between.len += req->iov[i].iov_len;
        }
        if (between.grow) {
            fill_file(between.rig, 3 * BLOCK, 'n');
        }
        if (between.break_fd) {
            req->fd = 9999;
        }
    }
    __real_aio_request_submit(ctx, engine, req);
}

/* ---- short reads -------------------------------------------------------- */

ON_BOTH(read_goes_on_where_a_short_one_has_ended)
{
    fill_file(rig, BLOCK, 'o');
    memset(&between, 0, sizeof(between));
    between.rig = rig;
    between.grow = true; /* somebody appends meanwhile */
    int before = submissions(rig->ctx);
    ASSERT_EQ(transfer(rig, QEMU_AIO_READ, 0, 3 * BLOCK), 0);
    between.rig = NULL;
    ASSERT_EQ(submissions(rig->ctx) - before, 2);
    ASSERT_EQ(between.offset, BLOCK);
    ASSERT_EQ(between.len, 2 * BLOCK);
    ASSERT(rig->buf[0] == 'o' && rig->buf[BLOCK - 1] == 'o');
    ASSERT(rig->buf[BLOCK] == 'n' && rig->buf[3 * BLOCK - 1] == 'n');
    ASSERT_EQ(rig->buf[3 * BLOCK], 'x');
}

ON_BOTH(read_beyond_the_end_is_zeroes_and_nothing_behind_them)
{
    fill_file(rig, BLOCK + 100, 'o'); /* the rest is misaligned: EINVAL */
    ASSERT_EQ(transfer(rig, QEMU_AIO_READ, 0, 3 * BLOCK), 0);
    ASSERT(rig->buf[BLOCK + 99] == 'o' && rig->buf[BLOCK + 100] == 0);
    ASSERT(rig->buf[3 * BLOCK - 1] == 0 && rig->buf[3 * BLOCK] == 'x');
    memset(rig->buf, 'x', BLOCK);
    ASSERT_EQ(transfer(rig, QEMU_AIO_READ, 64 * BLOCK, BLOCK), 0);
    ASSERT(rig->buf[0] == 0 && rig->buf[BLOCK - 1] == 0);
}

ON_BOTH(error_after_a_short_read_is_the_result)
{
    fill_file(rig, BLOCK, 'o');
    memset(&between, 0, sizeof(between));
    between.rig = rig;
    between.break_fd = true;
    ASSERT_EQ(transfer(rig, QEMU_AIO_READ, 0, 2 * BLOCK), -EBADF);
    between.rig = NULL;
}

ON_BOTH(empty_transfer_is_done_without_asking_anybody)
{
    int before = submissions(rig->ctx);

    ASSERT_EQ(transfer(rig, QEMU_AIO_READ, 0, 0), 0);
    ASSERT_EQ(transfer(rig, QEMU_AIO_WRITE, 0, 0), 0);
    ASSERT_EQ(submissions(rig->ctx), before);
}

ON_BOTH(misaligned_transfer_is_einval_and_the_next_one_works)
{
    fill_file(rig, 2 * BLOCK, 'o');
    Transfer t = {.rig = rig,
                  .type = QEMU_AIO_READ,
                  .offset = 1,
                  .from = 1,
                  .len = BLOCK};
    start(&t);
    wait_for(&t);
    ASSERT_EQ(t.ret, -EINVAL);
    ASSERT_EQ(transfer(rig, QEMU_AIO_READ, 0, BLOCK), 0);
}

/* ---- short writes ------------------------------------------------------- */

ON_BOTH(write_that_the_system_cuts_short_is_enospc)
{
    struct rlimit before, small;
    struct stat st;

    signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(ftruncate(rig->fd, 0), 0);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = BLOCK;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    int ret = transfer(rig, QEMU_AIO_WRITE, 0, 2 * BLOCK);
    setrlimit(RLIMIT_FSIZE, &before);
    ASSERT_EQ(ret, -ENOSPC);
    ASSERT_EQ(fstat(rig->fd, &st), 0);
    ASSERT_EQ(st.st_size, BLOCK); /* what there was room for */
}

/* ---- flush -------------------------------------------------------------- */

ON_BOTH(flush_is_for_io_uring_and_reports_errors)
{
    int fd = rig->fd;

    if (rig->laio) {
        return; /* has none: the thread pool's */
    }
    ASSERT_EQ(transfer(rig, QEMU_AIO_FLUSH, 0, 0), 0);
    rig->fd = 9999;
    ASSERT_EQ(transfer(rig, QEMU_AIO_FLUSH, 0, 0), -EBADF);
    rig->fd = fd;
}

/* ---- plugs and limits --------------------------------------------------- */

static void plug(Rig *rig)
{
    if (rig->laio) {
        laio_io_plug(NULL, rig->laio);
    } else {
        luring_io_plug(NULL, rig->luring);
    }
}

static void unplug(Rig *rig)
{
    if (rig->laio) {
        laio_io_unplug(NULL, rig->laio, 0);
    } else {
        luring_io_unplug(NULL, rig->luring);
    }
}

static void start_many(Rig *rig, Transfer *ts, int count, uint64_t dev_batch)
{
    for (int i = 0; i < count; i++) {
        ts[i] = (Transfer){.rig = rig,
                           .type = QEMU_AIO_WRITE,
                           .offset = (uint64_t)i * BLOCK,
                           .len = BLOCK,
                           .dev_max_batch = dev_batch};
        start(&ts[i]);
    }
}

static void wait_for_many(Transfer *ts, int count)
{
    for (int i = 0; i < count; i++) {
        wait_for(&ts[i]);
        ASSERT_EQ(ts[i].ret, 0);
    }
}

ON_BOTH(nothing_is_submitted_before_the_outermost_unplug)
{
    Transfer ts[3];

    plug(rig);
    plug(rig);
    int before = batches(rig->ctx);
    start_many(rig, ts, 3, 0);
    unplug(rig);
    ASSERT_EQ(batches(rig->ctx), before);
    unplug(rig);
    ASSERT_EQ(batches(rig->ctx), before + 1);
    wait_for_many(ts, 3);
}

ON_BOTH(plug_holds_back_no_more_than_a_full_batch)
{
    enum { COUNT = 128 };
    static Transfer ts[COUNT];
    int full = rig->laio ? 32 : 128;

    plug(rig);
    int before = batches(rig->ctx);
    start_many(rig, ts, full - 1, 0);
    ASSERT_EQ(batches(rig->ctx), before);
    start_many(rig, ts + full - 1, 1, 0);
    ASSERT_EQ(batches(rig->ctx), before + 1);
    unplug(rig);
    wait_for_many(ts, full);
}

ON_BOTH(max_batch_of_the_context_limits_what_is_held_back)
{
    Transfer ts[10];

    aio_context_set_aio_params(rig->ctx, 5, &error_abort);
    for (int plugged = 0; plugged < 2; plugged++) {
        if (plugged) {
            plug(rig);
        }
        int before = batches(rig->ctx);
        start_many(rig, ts, 4, 0);
        ASSERT_EQ(batches(rig->ctx), before);
        start_many(rig, ts + 4, 6, 0);
        ASSERT_EQ(batches(rig->ctx), before + 2);
        if (plugged) {
            unplug(rig);
        }
        ASSERT_EQ(batches(rig->ctx), before + 2); /* nothing was left */
        wait_for_many(ts, 10);
    }
    aio_context_set_aio_params(rig->ctx, 0, &error_abort);
}

ON_BOTH(wish_of_the_device_lowers_the_batch_of_linux_aio)
{
    Transfer ts[6];

    if (!rig->laio) {
        return; /* has no such parameter */
    }
    int before = batches(rig->ctx);
    start_many(rig, ts, 2, 3);
    ASSERT_EQ(batches(rig->ctx), before);
    start_many(rig, ts + 2, 1, 3);
    ASSERT_EQ(batches(rig->ctx), before + 1);
    aio_context_set_aio_params(rig->ctx, 2, &error_abort);
    start_many(rig, ts + 3, 2, 3); /* the lower of both */
    ASSERT_EQ(batches(rig->ctx), before + 2);
    aio_context_set_aio_params(rig->ctx, 0, &error_abort);
    start_many(rig, ts + 5, 1, 0);
    ASSERT_EQ(batches(rig->ctx), before + 2); /* no wish, no effect */
    wait_for_many(ts, 6);
}

/* ---- states ------------------------------------------------------------- */

TEST(setting_up_twice_gives_the_same_state)
{
    AioContext *ctx = aio_context_new(NULL);
    LinuxAioState *laio = aio_setup_linux_aio(ctx, NULL);
    LuringState *luring = aio_setup_linux_io_uring(ctx, NULL);

    if (laio) {
        ASSERT_PTR_EQ(aio_setup_linux_aio(ctx, NULL), laio);
        ASSERT_PTR_EQ(aio_get_linux_aio(ctx), laio);
    }
    if (luring) {
        ASSERT_PTR_EQ(aio_setup_linux_io_uring(ctx, NULL), luring);
        ASSERT_PTR_EQ(aio_get_linux_io_uring(ctx), luring);
    }
    aio_context_unref(ctx);
}

TEST(state_of_ones_own_works_while_attached)
{
    LinuxAioState *laio = laio_init(NULL);
    LuringState *luring = luring_init(NULL);
    Rig rig = {.ctx = aio_context_new(NULL), .fd = open_file()};

    ASSERT_EQ(posix_memalign((void **)&rig.buf, BLOCK, 4 * BLOCK), 0);
    memset(rig.buf, 'x', 4 * BLOCK);
    if (laio) {
        laio_attach_aio_context(laio, rig.ctx);
        rig.laio = laio;
        ASSERT_EQ(transfer(&rig, QEMU_AIO_WRITE, 0, BLOCK), 0);
        rig.laio = NULL;
        laio_detach_aio_context(laio, rig.ctx);
        laio_cleanup(laio);
    }
    if (luring) {
        luring_attach_aio_context(luring, rig.ctx);
        rig.luring = luring;
        ASSERT_EQ(transfer(&rig, QEMU_AIO_READ, 0, BLOCK), 0);
        ASSERT_EQ(transfer(&rig, QEMU_AIO_FLUSH, 0, 0), 0);
        luring_detach_aio_context(luring, rig.ctx);
        luring_cleanup(luring);
    }
    free(rig.buf);
    close(rig.fd);
    aio_context_unref(rig.ctx);
}

TEST(refused_set_up_returns_null_and_says_why)
{
    AioContext *ctx = aio_context_new(NULL);
    Error *err = NULL;

    setenv("AIOCTL_NO_IO_URING", "1", 1);
    setenv("AIOCTL_NO_LINUX_AIO", "1", 1);
    ASSERT_PTR_EQ(aio_setup_linux_aio(ctx, &err), NULL);
    ASSERT(strstr(error_get_pretty(err), "AIOCTL_NO_LINUX_AIO"));
    error_free(err);
    err = NULL;
    ASSERT_PTR_EQ(aio_setup_linux_io_uring(ctx, &err), NULL);
    ASSERT(strstr(error_get_pretty(err), "AIOCTL_NO_IO_URING"));
    error_free(err);
    ASSERT_PTR_EQ(laio_init(NULL), NULL);
    ASSERT_PTR_EQ(luring_init(NULL), NULL);
    aio_context_unref(ctx);
}

/* ---- misuse ------------------------------------------------------------- */

static void get_laio_early(void *opaque)
{
    aio_get_linux_aio(aio_context_new(NULL));
}

static void get_luring_early(void *opaque)
{
    aio_get_linux_io_uring(aio_context_new(NULL));
}

static void ioctl_transfer(void *opaque)
{
    on_both(opaque);
}

static void coroutine_fn transfer_of_unknown_type(Rig *rig)
{
    transfer(rig, QEMU_AIO_IOCTL, 0, BLOCK);
}

static void coroutine_fn transfer_outside(Rig *rig)
{
    Transfer t = {.rig = rig, .type = QEMU_AIO_READ, .len = BLOCK};

    transfer_main(&t);
}

static void unplug_once_too_often(Rig *rig)
{
    unplug(rig);
}

TEST(misuse_aborts_naming_the_mistake)
{
    ASSERT_ABORTS(get_laio_early, NULL, "call aio_setup_linux_aio() first");
    ASSERT_ABORTS(get_luring_early, NULL,
                  "call aio_setup_linux_io_uring() first");
    ASSERT_ABORTS(ioctl_transfer, transfer_of_unknown_type,
                  "of unknown type 0x4");
    ASSERT_ABORTS(ioctl_transfer, transfer_outside, "outside of coroutines");
    ASSERT_ABORTS(ioctl_transfer, unplug_once_too_often, "plug_depth > 0");
}
