/*
 * raw_rules_test.c - block/raw-aio.h: what whole transfers do about short ones;
 * on Linux AIO and io_uring
 *
 * Every submission passes by this file (--wrap=aio_request_submit), which may
 * let something happen to the file between two of them.
 */
#include "raw_rig.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int submissions(AioContext *ctx)
{
    AioContextStats stats;

    aio_context_get_stats(ctx, &stats);
    return (int)stats.submitted;
}

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

/* ---- offsets ------------------------------------------------------------ */

/* As a signed number it would mean the file's position, or overflow. */
ON_BOTH(an_offset_beyond_the_size_of_any_file_is_refused)
{
    const uint64_t end = (uint64_t)INT64_MAX + 1;

    ASSERT_EQ(transfer(rig, QEMU_AIO_WRITE, UINT64_MAX, BLOCK), -EINVAL);
    ASSERT_EQ(transfer(rig, QEMU_AIO_WRITE, end, BLOCK), -EINVAL);
    ASSERT_EQ(transfer(rig, QEMU_AIO_WRITE, end - BLOCK / 2, BLOCK), -EINVAL);
    ASSERT_EQ(transfer(rig, QEMU_AIO_READ, UINT64_MAX, BLOCK), -EINVAL);
    ASSERT_EQ(lseek(rig->fd, 0, SEEK_CUR), 0);
    ASSERT_EQ(lseek(rig->fd, 0, SEEK_END), 0);
}
