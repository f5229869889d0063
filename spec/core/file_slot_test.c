/*
 * file_slot_test.c - registered files: what a slot stands for, how long, and
 * what happens when the kernel refuses it
 *
 * The registering system calls are ours (--wrap): they are counted, and made
 * to fail.
 */
#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "aioctl/request.h"
#include "everywhere.h"
#include "loop/ring.h"

#ifdef CONFIG_LINUX_IO_URING

enum { BLOCK = 512, CHILD_TIMEOUT_S = 20 };

static struct {
    int table_ret;  /* not 0: what making a table says */
    int update_ret; /* not 0: what changing a slot says */
    int updates;
} kernel;

int __real_io_uring_register_files(struct io_uring *ring, const int *files,
                                   unsigned nr);
int __wrap_io_uring_register_files(struct io_uring *ring, const int *files,
                                   unsigned nr);
int __real_io_uring_register_files_update(struct io_uring *ring, unsigned off,
                                          const int *files, unsigned nr);
int __wrap_io_uring_register_files_update(struct io_uring *ring, unsigned off,
                                          const int *files, unsigned nr);

int __wrap_io_uring_register_files(struct io_uring *ring, const int *files,
                                   unsigned nr)
{
    return kernel.table_ret ? kernel.table_ret
                            : __real_io_uring_register_files(ring, files, nr);
}

int __wrap_io_uring_register_files_update(struct io_uring *ring, unsigned off,
                                          const int *files, unsigned nr)
{
    kernel.updates++;
    return kernel.update_ret
               ? kernel.update_ret
               : __real_io_uring_register_files_update(ring, off, files, nr);
}

/* ---- files and requests ------------------------------------------------- */

static int make_file(char letter)
{
    char path[] = "./file_slot_XXXXXX", block[BLOCK];
    int fd = mkostemp(path, O_CLOEXEC);

    ASSERT_CMP(fd, >=, 0);
    unlink(path);
    memset(block, letter, BLOCK);
    ASSERT_EQ(write(fd, block, BLOCK), BLOCK);
    return fd;
}

static void finished(AioRequest *req)
{
    *(bool *)req->opaque = true;
}

typedef struct Read {
    AioContext *ctx;
    const char *engine;
    int fd;
    int slot;
} Read;

/* The first byte of the file, or a negative errno. */
static int first_byte(const Read *r)
{
    char block[BLOCK];
    bool done = false;
    AioRequest req = {.op = AIO_OP_READ,
                      .fd = r->fd,
                      .file_slot = r->slot,
                      .buf_index = -1,
                      .base = block,
                      .len = BLOCK,
                      .done = finished,
                      .opaque = &done};
    const AioEngine *engine =
        aio_engine_get(r->ctx, r->engine, false, NULL, NULL);

    aio_request_submit(r->ctx, engine, &req);
    while (!done) {
        aio_poll(r->ctx, true);
    }
    return req.ret < 0 ? (int)req.ret : block[0];
}

static uint64_t registered(AioContext *ctx)
{
    AioContextStats stats;

    aio_context_get_stats(ctx, &stats);
    return stats.registered_files;
}

static uint64_t failures(AioContext *ctx)
{
    AioContextStats stats;

    aio_context_get_stats(ctx, &stats);
    return stats.registration_failures;
}

static void run(void (*scenario)(AioContext *ctx), AioContext *ctx)
{
    Error *err = NULL;

    memset(&kernel, 0, sizeof(kernel));
    if (!aio_engine_get(ctx, "io_uring!", false, NULL, &err)) {
        SKIP("%s", error_get_pretty(err));
    }
    scenario(ctx);
    ASSERT_EQ(registered(ctx), 0);
}

#define SLOT_TEST(name)                     \
    static void name##_in(AioContext *ctx); \
    EVERYWHERE(name)                        \
    {                                       \
        run(name##_in, ctx);                \
    }                                       \
    static void name##_in(AioContext *ctx)

/* ---- what a slot stands for --------------------------------------------- */

SLOT_TEST(requests_reach_the_file_of_their_slot_on_every_engine)
{
    int a = make_file('a'), b = make_file('b');
    int slot_a = aio_file_register(ctx, a), slot_b = aio_file_register(ctx, b);

    ASSERT_CMP(slot_a, >, 0);
    ASSERT_CMP(slot_b, >, 0);
    ASSERT(slot_a != slot_b);
    ASSERT_EQ(registered(ctx), 2);
    for (const char *const *name = aio_engine_names(); *name; name++) {
        ASSERT_EQ(first_byte(&(Read){ctx, *name, a, slot_a}), 'a');
        ASSERT_EQ(first_byte(&(Read){ctx, *name, b, slot_b}), 'b');
        ASSERT_EQ(first_byte(&(Read){ctx, *name, b, 0}), 'b');
    }
    aio_file_unregister(ctx, slot_a);
    aio_file_unregister(ctx, slot_b);
    close(a);
    close(b);
}

/* The fd is what it says by now; the slot keeps the file it was given. */
SLOT_TEST(the_kernel_is_asked_by_slot_and_not_by_number)
{
    int a = make_file('a'), b = make_file('b');
    int slot = aio_file_register(ctx, a);

    ASSERT_CMP(slot, >, 0);
    ASSERT_EQ(dup3(b, a, O_CLOEXEC), a);
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", a, slot}), 'a');
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", a, 0}), 'b');
    aio_file_unregister(ctx, slot);
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", a, slot}), 'b');
    close(a);
    close(b);
}

SLOT_TEST(a_slot_of_another_file_is_not_used)
{
    int a = make_file('a'), b = make_file('b');
    int slot = aio_file_register(ctx, a);

    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", b, slot}), 'b');
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", b, slot + 1}), 'b');
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", b, RING_FILES_MAX}), 'b');
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", b, -ENOSPC}), 'b');
    aio_file_unregister(ctx, slot);
    close(a);
    close(b);
}

SLOT_TEST(an_unregistered_file_is_closed_with_its_last_fd)
{
    int pipes[2];
    char byte;

    ASSERT_EQ(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
    int slot = aio_file_register(ctx, pipes[1]);
    ASSERT_CMP(slot, >, 0);
    aio_file_unregister(ctx, slot);
    close(pipes[1]);
    ASSERT_EQ(read(pipes[0], &byte, 1), 0); /* nobody can write any more */
    close(pipes[0]);
}

/* ---- the table ---------------------------------------------------------- */

SLOT_TEST(slots_are_used_again_and_their_number_is_limited)
{
    int fd = make_file('x'), count = 0;
    static int slots[RING_FILES_MAX];

    while ((slots[count] = aio_file_register(ctx, fd)) > 0) {
        count++;
        ASSERT_CMP(count, <, RING_FILES_MAX);
    }
    ASSERT_EQ(slots[count], -ENOSPC);
    ASSERT_EQ(failures(ctx), 1);
    ASSERT_CMP(count, >, 100);
    aio_file_unregister(ctx, slots[7]);
    ASSERT_EQ(aio_file_register(ctx, fd), slots[7]);
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", fd, slots[7]}), 'x');
    for (int i = 0; i < count; i++) {
        aio_file_unregister(ctx, slots[i]);
    }
    close(fd);
}

SLOT_TEST(the_table_is_no_longer_than_the_limit_of_open_files)
{
    struct rlimit before, few;
    int fd = make_file('x'), slots[64], count = 0;

    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = 32;
    setrlimit(RLIMIT_NOFILE, &few);
    while ((slots[count] = aio_file_register(ctx, fd)) > 0) {
        count++;
        ASSERT_CMP(count, <, 32);
    }
    ASSERT_EQ(count, 31);
    setrlimit(RLIMIT_NOFILE, &before);
    while (count > 0) {
        aio_file_unregister(ctx, slots[--count]);
    }
    close(fd);
}

SLOT_TEST(refusals_are_returned_and_counted)
{
    int fd = make_file('x');

    kernel.table_ret = -EMFILE;
    ASSERT_EQ(aio_file_register(ctx, fd), -EMFILE);
    kernel.table_ret = 0;
    kernel.update_ret = -ENOMEM;
    ASSERT_EQ(aio_file_register(ctx, fd), -ENOMEM);
    kernel.update_ret = 0;
    ASSERT_EQ(aio_file_register(ctx, RING_FILES_MAX * 4), -EBADF);
    ASSERT_EQ(failures(ctx), 3);
    ASSERT_EQ(registered(ctx), 0);
    int slot = aio_file_register(ctx, fd);
    ASSERT_EQ(slot, 1); /* none was lost */
    aio_file_unregister(ctx, slot);
    close(fd);
}

static void give_up_another(void *opaque)
{
    const Read *r = opaque;

    aio_file_unregister(r->ctx, r->slot + 1);
}

TEST(a_slot_that_is_not_in_use_cannot_be_given_up)
{
    AioContext *ctx = aio_context_new(NULL);
    int fd = make_file('x'), slot = aio_file_register(ctx, fd);

    if (slot == -ENOTSUP) {
        SKIP("no io_uring here");
    }
    Read read = {.ctx = ctx, .slot = slot};
    ASSERT_ABORTS(give_up_another, &read, "not in use");
    aio_file_unregister(ctx, slot);
    close(fd);
    aio_context_unref(ctx);
}

/* ---- another ring ------------------------------------------------------- */

static void *rebuild(void *opaque)
{
    ring_ensure_mine(opaque);
    return NULL;
}

static void rebuild_elsewhere(AioContext *ctx)
{
    pthread_t thread;

    pthread_create(&thread, NULL, rebuild, ctx->ring);
    pthread_join(thread, NULL);
    kernel.updates = 0;
    ring_ensure_mine(ctx->ring); /* and back */
}

SLOT_TEST(a_rebuilt_ring_has_the_same_files_in_the_same_slots)
{
    int a = make_file('a'), b = make_file('b');
    int slot_a = aio_file_register(ctx, a), slot_b = aio_file_register(ctx, b);
    unsigned generation = ctx->ring->generation;

    aio_file_unregister(ctx, slot_a);
    rebuild_elsewhere(ctx);
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", b, slot_b}), 'b');
    ASSERT_EQ(ctx->ring->generation, generation + 2);
    ASSERT_EQ(kernel.updates, 1);
    ASSERT(ring_has_file(ctx->ring, slot_b, b));
    aio_file_unregister(ctx, slot_b);
    close(a);
    close(b);
}

SLOT_TEST(files_that_a_rebuilt_ring_refuses_go_on_by_number)
{
    int fd = make_file('x'), slot = aio_file_register(ctx, fd);

    ASSERT_CMP(slot, >, 0);
    kernel.table_ret = -ENOMEM;
    rebuild_elsewhere(ctx);
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", fd, slot}), 'x');
    ASSERT(!ring_has_file(ctx->ring, slot, fd));
    aio_file_unregister(ctx, slot);
    kernel.table_ret = 0;
    ASSERT_EQ(aio_file_register(ctx, fd), slot);
    ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", fd, slot}), 'x');
    aio_file_unregister(ctx, slot);
    close(fd);
}

SLOT_TEST(a_slot_outlives_the_switch_to_another_monitor)
{
    int fd = make_file('x'), slot = aio_file_register(ctx, fd);

    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        ASSERT(aio_context_set_fdmon(ctx, *name, NULL));
        aio_poll(ctx, false);
        ASSERT_EQ(first_byte(&(Read){ctx, "io_uring", fd, slot}), 'x');
        ASSERT(ring_has_file(ctx->ring, slot, fd));
    }
    aio_file_unregister(ctx, slot);
    close(fd);
}

static void check_in_child(const Read *r)
{
    int status;
    pid_t pid = fork();

    ASSERT_CMP(pid, >=, 0);
    if (pid == 0) {
        alarm(CHILD_TIMEOUT_S);
        ASSERT_EQ(first_byte(r), 'x');
        ASSERT(ring_has_file(r->ctx->ring, r->slot, r->fd));
        aio_file_unregister(r->ctx, r->slot);
        test_exit(0);
    }
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0);
}

SLOT_TEST(a_child_uses_and_gives_up_its_own_copy_of_the_table)
{
    int fd = make_file('x');
    Read r = {ctx, "io_uring", fd, aio_file_register(ctx, fd)};

    check_in_child(&r);
    ASSERT_EQ(dup3(STDIN_FILENO, fd, O_CLOEXEC), fd);
    ASSERT_EQ(first_byte(&r), 'x'); /* by slot: the parent's is untouched */
    aio_file_unregister(ctx, r.slot);
    close(fd);
}

#else
TEST(built_without_io_uring)
{
    AioContext *ctx = aio_context_new(NULL);

    ASSERT_EQ(aio_file_register(ctx, 0), -ENOTSUP);
    aio_context_unref(ctx);
}
#endif
