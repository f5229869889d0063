/*
 * raw_state_test.c - states of Linux AIO and io_uring that are made first and
 * belong to a context later
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block/raw-aio.h"
#include "qapi/error.h"
#include "test.h"

typedef struct Use {
    LinuxAioState *laio;
    LuringState *luring;
    int fd;
    bool done;
} Use;

static int coroutine_fn transfer(Use *use, QEMUIOVector *qiov, int type)
{
    return use->laio
               ? laio_co_submit(NULL, use->laio, use->fd, 0, qiov, type, 0)
               : luring_co_submit(NULL, use->luring, use->fd, 0, qiov, type);
}

static void coroutine_fn use_main(void *opaque)
{
    Use *use = opaque;
    char buf[512], empty;
    QEMUIOVector qiov, nothing;

    qemu_iovec_init_buf(&qiov, buf, sizeof(buf));
    qemu_iovec_init_buf(&nothing, &empty, 0);
    memset(buf, 'x', sizeof(buf));
    ASSERT_EQ(transfer(use, &qiov, QEMU_AIO_WRITE), 0);
    memset(buf, 0, sizeof(buf));
    ASSERT_EQ(transfer(use, &qiov, QEMU_AIO_READ), 0);
    ASSERT(buf[0] == 'x' && buf[511] == 'x');
    ASSERT_EQ(transfer(use, &nothing, QEMU_AIO_READ), 0);
    use->done = true;
}

static void run(AioContext *ctx, Use *use)
{
    use->fd = memfd_create("state", MFD_CLOEXEC);
    use->done = false;
    ASSERT_CMP(use->fd, >=, 0);
    aio_co_enter(ctx, qemu_coroutine_create(use_main, use));
    while (!use->done) {
        aio_poll(ctx, true);
    }
    close(use->fd);
}

TEST(a_state_of_linux_aio_moves_from_context_to_context)
{
    Error *err = NULL;
    Use use = {.laio = laio_init(&err)};

    if (!use.laio) {
        SKIP("%s", error_get_pretty(err));
    }
    for (int i = 0; i < 2; i++) {
        AioContext *ctx = aio_context_new(NULL);
        ASSERT(aio_setup_linux_aio(ctx, NULL));
        laio_attach_aio_context(use.laio, ctx);
        run(ctx, &use);
        laio_detach_aio_context(use.laio, ctx);
        aio_context_unref(ctx);
    }
    laio_cleanup(use.laio);
}

TEST(a_state_of_io_uring_moves_from_context_to_context)
{
    Error *err = NULL;
    Use use = {.luring = luring_init(&err)};

    if (!use.luring) {
        SKIP("%s", error_get_pretty(err));
    }
    for (int i = 0; i < 2; i++) {
        AioContext *ctx = aio_context_new(NULL);
        luring_attach_aio_context(use.luring, ctx);
        run(ctx, &use);
        luring_detach_aio_context(use.luring, ctx);
        aio_context_unref(ctx);
    }
    luring_cleanup(use.luring);
}

static void clean_up_attached(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    LinuxAioState *s = laio_init(&error_abort);

    laio_attach_aio_context(s, ctx);
    laio_cleanup(s);
}

static void attach_twice(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    LinuxAioState *s = laio_init(&error_abort);

    laio_attach_aio_context(s, ctx);
    laio_attach_aio_context(s, ctx);
}

static void get_before_setup(void *opaque)
{
    aio_get_linux_aio(aio_context_new(NULL));
}

TEST(misuse_of_states_aborts)
{
    LinuxAioState *s = laio_init(NULL);

    if (!s) {
        SKIP("no Linux AIO here");
    }
    laio_cleanup(s);
    ASSERT_ABORTS(clean_up_attached, NULL, "raw_aio.c");
    ASSERT_ABORTS(attach_twice, NULL, "raw_aio.c");
    ASSERT_ABORTS(get_before_setup, NULL, "aio_setup_linux_aio() first");
}

TEST(states_that_are_refused_say_why)
{
    Error *err = NULL;

#if !defined(CONFIG_LINUX_IO_URING) || !defined(CONFIG_LINUX_AIO)
    SKIP("this build lacks an engine, and names that as the reason");
#endif
    setenv("AIOCTL_NO_LINUX_AIO", "1", 1);
    setenv("AIOCTL_NO_IO_URING", "1", 1);
    ASSERT(!laio_init(&err));
    ASSERT(strstr(error_get_pretty(err), "AIOCTL_NO_LINUX_AIO"));
    error_free(err);
    err = NULL;
    ASSERT(!luring_init(&err));
    ASSERT(strstr(error_get_pretty(err), "AIOCTL_NO_IO_URING"));
    error_free(err);
}
