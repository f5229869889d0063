/*
 * raw_rig.h - whole transfers of a file, on Linux AIO and on io_uring
 */
#ifndef RAW_RIG_H
#define RAW_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
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

static inline void coroutine_fn transfer_main(void *opaque)
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

static inline void start(Transfer *t)
{
    aio_co_enter(t->rig->ctx, qemu_coroutine_create(transfer_main, t));
}

static inline void wait_for(Transfer *t)
{
    while (!t->done) {
        aio_poll(t->rig->ctx, true);
    }
}

static inline int transfer(Rig *rig, int type, uint64_t offset, size_t len)
{
    Transfer t = {.rig = rig, .type = type, .offset = offset, .len = len};

    start(&t);
    wait_for(&t);
    return t.ret;
}

/* ---- the rigs ----------------------------------------------------------- */

static inline int open_file(void)
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

static inline void on_both(void (*scenario)(Rig *rig))
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

#endif
