/*
 * file_peer.c - the cases of file.c as a loop around liburing
 *
 * The best such a loop can do: one issuer, deferred task work, registered file,
 * buffers and ring; a disk gets its requests four at a time, what answers at
 * once all of them in one call.
 */
#include "file.h"
#include "harness.h"

#include <stdlib.h>

#ifdef HAVE_LIBURING
#include <liburing.h>

enum { DEVICE_BATCH = 4 };

static struct io_uring ring;
static BenchFile file;
static int is_nop;
static unsigned batch;

static void open_ring(const char *path,
                      void (*open_it)(BenchFile *file, const char *path))
{
    struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER |
                                              IORING_SETUP_DEFER_TASKRUN};
    struct iovec iov;

    open_it(&file, path);
    iov = (struct iovec){file.buffers, file.buffers_size};
    bench_require(
        io_uring_queue_init_params(2 * FILE_DEPTH_MAX, &ring, &params) == 0 &&
            io_uring_register_ring_fd(&ring) == 1 &&
            io_uring_register_files(&ring, &file.fd, 1) == 0 &&
            io_uring_register_buffers(&ring, &iov, 1) == 0,
        "setting up a ring");
}

static void open_read(void)
{
    open_ring(getenv("BENCH_FILE"), file_open);
    batch = DEVICE_BATCH;
}

static void open_large(void)
{
    open_ring(getenv("BENCH_FILE"), file_open_large);
    batch = DEVICE_BATCH;
}

static void open_hot(void)
{
    open_ring(getenv("BENCH_FILE"), file_open_hot);
    batch = FILE_DEPTH_MAX;
}

static void open_zero(void)
{
    open_ring("/dev/zero", file_open);
    batch = FILE_DEPTH_MAX;
}

static void open_nop(void)
{
    open_ring("/dev/null", file_open);
    is_nop = 1;
    batch = FILE_DEPTH_MAX;
}

static void close_ring(void)
{
    io_uring_queue_exit(&ring);
    file_close(&file);
}

static void submit(unsigned slot)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    if (is_nop) {
        io_uring_prep_nop(sqe);
    } else {
        io_uring_prep_read_fixed(sqe, 0, file.buffers + slot * file.block,
                                 file.block, (uint64_t)file_next_offset(&file),
                                 0);
        sqe->flags |= IOSQE_FIXED_FILE;
    }
    sqe->user_data = slot;
    if (io_uring_sq_ready(&ring) >= batch) {
        io_uring_submit(&ring);
    }
}

static uint64_t run(uint64_t n, unsigned depth)
{
    uint64_t submitted = 0, completed = 0;
    uint64_t wanted = n > depth ? n : depth;

    while (submitted < depth) {
        submit((unsigned)submitted++);
    }
    while (completed < wanted) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;

        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            bench_require(cqe->res >= 0, "a request");
            count++;
            if (submitted < wanted) {
                submitted++;
                submit((unsigned)cqe->user_data);
            }
        }
        io_uring_cq_advance(&ring, count);
        completed += count;
    }
    return completed;
}

static uint64_t run_1(uint64_t n)
{
    return run(n, 1);
}

static uint64_t run_8(uint64_t n)
{
    return run(n, 8);
}

static uint64_t run_16(uint64_t n)
{
    return run(n, FILE_LARGE_DEPTH);
}

static uint64_t run_32(uint64_t n)
{
    return run(n, 32);
}

static uint64_t run_128(uint64_t n)
{
    return run(n, 128);
}
#endif

const BenchCase bench_cases[] = {
#ifdef HAVE_LIBURING
    {"uring_read_1", run_1, open_read, close_ring},
    {"uring_read_8", run_8, open_read, close_ring},
    {"uring_read_32", run_32, open_read, close_ring},
    {"uring_read_128", run_128, open_read, close_ring},
    {"uring_large_16", run_16, open_large, close_ring},
    {"uring_hot_1", run_1, open_hot, close_ring},
    {"uring_hot_8", run_8, open_hot, close_ring},
    {"uring_hot_32", run_32, open_hot, close_ring},
    {"uring_hot_128", run_128, open_hot, close_ring},
    {"uring_zero_1", run_1, open_zero, close_ring},
    {"uring_zero_32", run_32, open_zero, close_ring},
    {"uring_nop_1", run_1, open_nop, close_ring},
    {"uring_nop_32", run_32, open_nop, close_ring},
#endif
    {NULL, NULL, NULL, NULL},
};
