/*
 * fork_wakeup_test.c - parent and child both go on with the context, and wake
 * up for what is their own
 */
#include <signal.h>
#include <sys/wait.h>

#include "aioctl/request.h"
#include "everywhere.h"

enum { ROUNDS = 300, CHILD_TIMEOUT_S = 25 };

static int rounds(void)
{
    return test_is_slow() ? ROUNDS / 10 : ROUNDS;
}

/* The child turns its copy of the loop until the parent closes the pipe. */
static pid_t looping_child(AioContext *ctx, int ends[2])
{
    Side side = {.ctx = ctx};

    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();

    ASSERT_CMP(pid, >=, 0);
    if (pid > 0) {
        close(ends[0]);
        return pid;
    }
    alarm(CHILD_TIMEOUT_S);
    close(ends[1]);
    side.fd = ends[0];
    set_reader(ctx, &side, remove_self);
    while (!side.reads) {
        aio_poll(ctx, true);
    }
    aio_context_unref(ctx);
    test_exit(0);
}

static void end_child(pid_t pid, int ends[2])
{
    int status;

    close(ends[1]);
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0);
}

/* ---- wake-ups ----------------------------------------------------------- */

typedef struct Waker {
    AioContext *ctx;
    int woken; /* atomic */
} Waker;

static void count_wakeup(void *opaque)
{
    qatomic_inc((int *)opaque);
}

static void *wake_again_and_again(void *opaque)
{
    Waker *w = opaque;

    for (int i = 0; i < rounds(); i++) {
        usleep(50); /* so that the loop sleeps */
        aio_bh_schedule_oneshot(w->ctx, count_wakeup, &w->woken);
        while (qatomic_read(&w->woken) == i) {
            usleep(10);
        }
    }
    return NULL;
}

EVERYWHERE(a_child_takes_no_wakeup_of_its_parent)
{
    Waker w = {.ctx = ctx};
    pthread_t thread;
    int ends[2];

    aio_poll(ctx, false);
    pid_t pid = looping_child(ctx, ends);

    ASSERT_EQ(pthread_create(&thread, NULL, wake_again_and_again, &w), 0);
    while (w.woken < rounds()) {
        aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    end_child(pid, ends);
}

/* ---- completions of file I/O -------------------------------------------- */

enum { BLOCK = 4096 };

static void count_read(AioRequest *req)
{
    ASSERT_EQ(req->ret, BLOCK);
    ++*(int *)req->opaque;
}

static int direct_file(void)
{
    char path[] = "fork_wakeup_XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    static char zeroes[BLOCK];

    ASSERT_CMP(fd, >=, 0);
    unlink(path);
    ASSERT_EQ(write(fd, zeroes, BLOCK), BLOCK);
    if (fcntl(fd, F_SETFL, O_DIRECT) < 0) {
        SKIP("no O_DIRECT in the working directory");
    }
    return fd;
}

static void read_again_and_again(AioContext *ctx, const AioEngine *engine,
                                 int fd, int times)
{
    static char block[BLOCK] __attribute__((aligned(BLOCK)));

    for (int done = 0, i = 1; i <= times; i++) {
        AioRequest req = {.op = AIO_OP_READ,
                          .fd = fd,
                          .buf_index = -1,
                          .base = block,
                          .len = BLOCK,
                          .done = count_read,
                          .opaque = &done};

        aio_request_submit(ctx, engine, &req);
        while (done < i) {
            aio_poll(ctx, true);
        }
    }
}

static void completions_of(AioContext *ctx, const char *name)
{
    int ends[2], fd = direct_file();
    const AioEngine *engine = aio_engine_get(ctx, name, true, NULL, NULL);

    if (!engine) {
        SKIP("%s cannot be had", name);
    }
    read_again_and_again(ctx, engine, fd, 1);
    pid_t pid = looping_child(ctx, ends);

    read_again_and_again(ctx, engine, fd, rounds());
    end_child(pid, ends);
    close(fd);
}

EVERYWHERE(a_child_takes_no_completion_of_linux_aio_of_its_parent)
{
    completions_of(ctx, "linux_aio!");
}

EVERYWHERE(a_child_takes_no_completion_of_io_uring_of_its_parent)
{
    completions_of(ctx, "io_uring!");
}

/* ---- what is the parent's ----------------------------------------------- */

static void count_any(AioRequest *req)
{
    ++*(int *)req->opaque;
}

static void a_child_destroys(AioContext *ctx, const char *name)
{
    const AioEngine *engine = aio_engine_get(ctx, name, true, NULL, NULL);
    int ends[2], status, done = 0;
    char byte;
    AioRequest req = {.op = AIO_OP_READ,
                      .buf_index = -1,
                      .offset = -1,
                      .base = &byte,
                      .len = 1,
                      .done = count_any,
                      .opaque = &done};

    if (!engine) {
        return;
    }
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    req.fd = ends[0];
    aio_request_submit(ctx, engine, &req);
    aio_poll(ctx, false);
    pid_t pid = fork();

    if (pid == 0) {
        aio_context_unref(ctx);
        test_exit(0);
    }
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    ASSERT_EQ(status, 0);
    ASSERT_EQ(write(ends[1], "x", 1), 1);
    while (!done) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(req.ret, 1);
    close(ends[0]);
    close(ends[1]);
}

EVERYWHERE(a_child_may_destroy_what_its_parent_has_requests_in)
{
    a_child_destroys(ctx, "threads!");
    a_child_destroys(ctx, "io_uring!");
}
