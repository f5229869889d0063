/*
 * engine_eventfd_test.c - reads of eventfds as file requests
 *
 * What completes them is a write to an eventfd, inside of which the kernel does
 * not always signal another one.
 */
#include <errno.h>

#include "aioctl/request.h"
#include "everywhere.h"

enum { READS = 4 };

typedef struct Reader {
    AioContext *ctx;
    int fds[READS];
    AioRequest reqs[READS];
    uint64_t values[READS];
    int done; /* atomic */
} Reader;

static void count_read(AioRequest *req)
{
    Reader *r = req->opaque;

    ASSERT_EQ(req->ret, 8);
    qatomic_inc(&r->done);
}

static void begin_reads(Reader *r, int flags)
{
    const AioEngine *engine = aio_engine_get(r->ctx, "auto", false, NULL, NULL);

    for (int i = 0; i < READS; i++) {
        r->fds[i] = eventfd(0, EFD_CLOEXEC | flags);
        r->reqs[i] = (AioRequest){.op = AIO_OP_READ,
                                  .fd = r->fds[i],
                                  .buf_index = -1,
                                  .offset = -1,
                                  .base = &r->values[i],
                                  .len = 8,
                                  .done = count_read,
                                  .opaque = r};
        aio_request_submit(r->ctx, engine, &r->reqs[i]);
    }
}

/* One after the other, each when the loop sleeps again. */
static void *write_all(void *opaque)
{
    Reader *r = opaque;

    for (int i = 0; i < READS; i++) {
        while (qatomic_read(&r->done) < i) {
            usleep(100);
        }
        usleep(2000);
        poke(r->fds[i]);
    }
    return NULL;
}

static void end_reads(Reader *r)
{
    pthread_t thread;

    pthread_create(&thread, NULL, write_all, r);
    while (r->done < READS) {
        aio_poll(r->ctx, true);
    }
    pthread_join(thread, NULL);
    for (int i = 0; i < READS; i++) {
        ASSERT_EQ(r->values[i], 1);
        close(r->fds[i]);
    }
}

EVERYWHERE(each_read_of_an_eventfd_wakes_the_loop)
{
    Reader r = {.ctx = ctx};

    begin_reads(&r, 0);
    end_reads(&r);
}

EVERYWHERE(each_read_of_a_non_blocking_eventfd_wakes_the_loop)
{
    Reader r = {.ctx = ctx};

    begin_reads(&r, EFD_NONBLOCK);
    end_reads(&r);
}

static void reads_survive_switch_to(const char *monitor)
{
    Reader r = {.ctx = aio_context_new(NULL)};

    ASSERT(aio_context_set_fdmon(r.ctx, "io_uring", NULL));
    begin_reads(&r, 0);
    aio_poll(r.ctx, false);
    aio_poll(r.ctx, false);
    ASSERT(aio_context_set_fdmon(r.ctx, monitor, NULL));
    end_reads(&r);
    aio_context_unref(r.ctx);
}

TEST(each_read_wakes_the_loop_that_has_changed_its_monitor)
{
    reads_survive_switch_to("epoll");
    reads_survive_switch_to("poll");
}
