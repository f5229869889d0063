/*
 * read.c - a coroutine that reads a file with io_uring, or what there is
 *
 *     make read && ./read
 *
 * Output:
 *   read 12 bytes: what we keep
 */
#include <stdio.h>
#include <stdlib.h>

#include <aioctl/request.h>
#include <block/aio.h>
#include <qapi/error.h>
#include <qemu/coroutine.h>

static AioContext *ctx;
static const AioEngine *engine;
static int done;

static void read_done(AioRequest *req)
{
    aio_co_wake(req->opaque);
}

/* Runs on a stack of its own: the buffer and the request may live there. */
static void coroutine_fn read_file(void *file)
{
    char buf[64];
    AioRequest req = {.op = AIO_OP_READ, .fd = fileno(file), .buf_index = -1};

    req.base = buf;
    req.len = sizeof(buf);
    req.done = read_done;
    req.opaque = qemu_coroutine_self();
    aio_request_submit(ctx, engine, &req);
    qemu_coroutine_yield(); /* until read_done() */
    printf("read %d bytes: %.*s\n", (int)req.ret, (int)req.ret, buf);
    done = 1;
}

int main(void)
{
    const char *why; /* of falling back, if it does */
    FILE *file = tmpfile();

    ctx = aio_context_new(&error_fatal);
    engine = aio_engine_get(ctx, "io_uring", false, &why, &error_fatal);
    if (!file || fputs("what we keep", file) < 0 || fflush(file) != 0) {
        return EXIT_FAILURE;
    }
    aio_co_enter(ctx, qemu_coroutine_create(read_file, file));
    while (!done) {
        aio_poll(ctx, true);
    }
    aio_context_unref(ctx);
    return fclose(file) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
