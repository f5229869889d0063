/*
 * file.c - reads and no-ops through the io_uring engine
 *
 * What is read is the file named by BENCH_FILE, 4 KiB at random offsets, with
 * O_DIRECT if it takes that; or /dev/zero, or nothing at all.  NAME_N: N
 * requests are always on their way, each completion submits the next.  Buffers
 * are registered.  The same in file_peer.c, with liburing only.
 */
#include "file.h"
#include "harness.h"

#include <stdlib.h>
#include <unistd.h>

#include "aioctl/context.h"
#include "aioctl/request.h"

static AioContext *ctx;
static const AioEngine *engine;
static AioRequest requests[FILE_DEPTH_MAX];
static BenchFile file;
static AioOp op;
static int file_slot;
static uint64_t wanted, submitted, completed;

static void done(AioRequest *req);

static void submit(AioRequest *req)
{
    char *base = file.buffers + (req - requests) * FILE_BLOCK;

    submitted++;
    *req = (AioRequest){.op = op,
                        .fd = file.fd,
                        .offset = file_next_offset(&file),
                        .base = base,
                        .len = FILE_BLOCK,
                        .buf_index = file.slot,
                        .file_slot = file_slot,
                        .done = done};
    aio_request_submit(ctx, engine, req);
}

static void done(AioRequest *req)
{
    bench_require(req->ret >= 0, "a request");
    completed++;
    if (submitted < wanted) {
        submit(req);
    }
}

static void open_engine(const char *path, AioOp what)
{
    file_open(&file, path);
    ctx = aio_context_new(NULL);
    bench_require(ctx != NULL, "aio_context_new");
    engine = aio_engine_get(ctx, "io_uring!", true, NULL, NULL);
    bench_require(engine != NULL, "the io_uring engine");
    bench_require(aio_context_set_fdmon(ctx, "io_uring!", NULL), "monitor");
    op = what;
    file.slot = aio_buffer_register(ctx, file.buffers, FILE_BUFFERS_SIZE);
    bench_require(file.slot >= 0, "registering buffers");
    file_slot = aio_file_register(ctx, file.fd);
    bench_require(file_slot > 0, "registering the file");
}

static void open_read(void)
{
    open_engine(getenv("BENCH_FILE"), AIO_OP_READ);
}

static void open_polling(void)
{
    open_read();
    aio_context_set_poll_params(ctx, 100000, 0, 0, NULL);
}

static void open_zero(void)
{
    open_engine("/dev/zero", AIO_OP_READ);
}

static void open_nop(void)
{
    open_engine("/dev/null", AIO_OP_NOP);
}

static void close_engine(void)
{
    aio_file_unregister(ctx, file_slot);
    aio_buffer_unregister(ctx, file.slot);
    aio_context_unref(ctx);
    file_close(&file);
}

static uint64_t run(uint64_t n, unsigned depth)
{
    uint64_t start = completed;

    wanted += n > depth ? n : depth;
    for (unsigned i = 0; i < depth; i++) {
        submit(&requests[i]);
    }
    while (completed < wanted) {
        aio_poll(ctx, true);
    }
    return completed - start;
}

static uint64_t run_1(uint64_t n)
{
    return run(n, 1);
}

static uint64_t run_32(uint64_t n)
{
    return run(n, 32);
}

static uint64_t run_128(uint64_t n)
{
    return run(n, 128);
}

const BenchCase bench_cases[] = {
    {"read_1", run_1, open_read, close_engine},
    {"read_32", run_32, open_read, close_engine},
    {"read_128", run_128, open_read, close_engine},
    {"polling_1", run_1, open_polling, close_engine},
    {"zero_1", run_1, open_zero, close_engine},
    {"zero_32", run_32, open_zero, close_engine},
    {"nop_1", run_1, open_nop, close_engine},
    {"nop_32", run_32, open_nop, close_engine},
    {NULL, NULL, NULL, NULL},
};
