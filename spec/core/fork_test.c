/*
 * fork_test.c - a child that goes on with its parent's context
 *
 * It may use and destroy its copy; the parent does not notice.
 */
#include <signal.h>
#include <sys/wait.h>

#include "aioctl/request.h"
#include "block/thread-pool.h"
#include "everywhere.h"

enum { CHILD_TIMEOUT_S = 20 };

static void in_child(void (*scenario)(Side *side), Side *side)
{
    int status;
    pid_t pid = fork();

    ASSERT_CMP(pid, >=, 0);
    if (pid == 0) {
        alarm(CHILD_TIMEOUT_S);
        scenario(side);
        test_exit(0);
    }
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    if (status) {
        FAIL("on %s the child ended with %#x", aio_context_fdmon(side->ctx),
             status);
    }
}

static void remove_and_destroy(Side *side)
{
    unset(side->ctx, side->fd);
    aio_context_unref(side->ctx);
}

static void watch_another(Side *side)
{
    Side other = {.fd = new_event()};

    set_reader(side->ctx, &other, on_read_drain);
    poke(other.fd);
    while (!other.reads) {
        aio_poll(side->ctx, true);
    }
    unset(side->ctx, other.fd);
    remove_and_destroy(side);
}

EVERYWHERE(what_a_child_does_to_handlers_its_parent_does_not_feel)
{
    Side side = {.fd = new_event()};

    set_reader(ctx, &side, on_read_drain);
    aio_poll(ctx, false);
    in_child(remove_and_destroy, &side);
    in_child(watch_another, &side);
    poke(side.fd);
    while (!side.reads) {
        aio_poll(ctx, true);
    }
    unset(ctx, side.fd);
    close(side.fd);
}

/* ---- file I/O and threads ----------------------------------------------- */

static void count_request(AioRequest *req)
{
    ASSERT_EQ(req->ret, 1);
    ++*(int *)req->opaque;
}

static void read_zero(AioContext *ctx, const char *engine)
{
    int done = 0, fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    char byte = 'x';
    AioRequest req = {.op = AIO_OP_READ,
                      .fd = fd,
                      .buf_index = -1,
                      .base = &byte,
                      .len = 1,
                      .done = count_request,
                      .opaque = &done};

    aio_request_submit(ctx, aio_engine_get(ctx, engine, false, NULL, NULL),
                       &req);
    while (!done) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(byte, 0);
    close(fd);
}

static void read_on_every_engine(Side *side)
{
    for (const char *const *name = aio_engine_names(); *name; name++) {
        if (strcmp(*name, "linux_aio") != 0) {
            read_zero(side->ctx, *name);
        }
    }
}

static void read_and_destroy(Side *side)
{
    read_on_every_engine(side);
    aio_context_unref(side->ctx);
}

EVERYWHERE(a_child_has_a_ring_and_threads_of_its_own)
{
    Side side = {.ctx = ctx};

#ifdef __SANITIZE_THREAD__
    SKIP("TSan: a child of several threads must not start any");
#endif
    for (int i = 0; i < 20; i++) {
        read_on_every_engine(&side); /* leaves workers that just finish */
        in_child(read_and_destroy, &side);
    }
    read_on_every_engine(&side);
}
