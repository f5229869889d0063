/*
 * raw_aio_test.c - block/raw-aio.h: transfers are whole, or errors
 */
#include "block/raw-aio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "qapi/error.h"
#include "test.h"

typedef struct Transfers {
    AioContext *ctx;
    int fd, done;
} Transfers;

static void coroutine_fn transfer_main(void *opaque)
{
    Transfers *t = opaque;
    LuringState *s = aio_get_linux_io_uring(t->ctx);
    static char buf[1000];
    QEMUIOVector qiov;

    qemu_iovec_init_buf(&qiov, buf, sizeof(buf));
    memset(buf, 'x', sizeof(buf));
    ASSERT_EQ(luring_co_submit(NULL, s, t->fd, 0, &qiov, QEMU_AIO_WRITE), 0);
    ASSERT_EQ(luring_co_submit(NULL, s, t->fd, 0, NULL, QEMU_AIO_FLUSH), 0);
    luring_io_plug(NULL, s);
    luring_io_unplug(NULL, s);
    ASSERT_EQ(luring_co_submit(NULL, s, t->fd, 600, &qiov, QEMU_AIO_READ), 0);
    ASSERT(buf[399] == 'x' && buf[400] == 0 && buf[999] == 0);
    t->done = 1;
}

TEST(whole_reads_are_filled_with_zeroes_beyond_the_end)
{
    Transfers t = {.ctx = aio_context_new(NULL),
                   .fd = memfd_create("transfers", MFD_CLOEXEC)};

    Error *err = NULL;

    if (!aio_setup_linux_io_uring(t.ctx, &err)) {
        SKIP("%s", error_get_pretty(err));
    }
    aio_co_enter(t.ctx, qemu_coroutine_create(transfer_main, &t));
    while (!t.done) {
        aio_poll(t.ctx, true);
    }
    close(t.fd);
    aio_context_unref(t.ctx);
}

/* ---- Linux AIO ---------------------------------------------------------- */

enum { BLOCK = 4096 };

static void coroutine_fn laio_main(void *opaque)
{
    Transfers *t = opaque;
    LinuxAioState *s = aio_get_linux_aio(t->ctx);
    QEMUIOVector qiov;
    void *buf;

    ASSERT_EQ(posix_memalign(&buf, BLOCK, 2 * BLOCK), 0);
    memset(buf, 'x', 2 * BLOCK);
    qemu_iovec_init_buf(&qiov, buf, BLOCK);
    laio_io_plug(NULL, s);
    laio_io_unplug(NULL, s, 0);
    ASSERT_EQ(laio_co_submit(NULL, s, t->fd, 0, &qiov, QEMU_AIO_WRITE, 0), 0);
    qemu_iovec_init_buf(&qiov, buf, 2 * BLOCK);
    ASSERT_EQ(laio_co_submit(NULL, s, t->fd, 0, &qiov, QEMU_AIO_READ, 0), 0);
    ASSERT(((char *)buf)[BLOCK - 1] == 'x' && ((char *)buf)[BLOCK] == 0);
    ASSERT_EQ(laio_co_submit(NULL, s, 9999, 0, &qiov, QEMU_AIO_READ, 0),
              -EBADF);
    free(buf);
    t->done = 1;
}

TEST(linux_aio_transfers_are_whole_too)
{
    char path[] = "./raw_aio_test_XXXXXX";
    Transfers t = {.ctx = aio_context_new(NULL)};
    Error *err = NULL;
    int plain = mkstemp(path);

    t.fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
    unlink(path);
    close(plain);
    if (t.fd < 0 || !aio_setup_linux_aio(t.ctx, &err)) {
        SKIP("%s", err ? error_get_pretty(err) : "no O_DIRECT here");
    }
    aio_co_enter(t.ctx, qemu_coroutine_create(laio_main, &t));
    while (!t.done) {
        aio_poll(t.ctx, true);
    }
    close(t.fd);
    aio_context_unref(t.ctx);
}
