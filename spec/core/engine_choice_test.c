/*
 * engine_choice_test.c - which file engine one gets, and what one is told
 */
#include <stdlib.h>

#include "aioctl/request.h"
#include "qapi/error.h"
#include "test.h"

TEST(an_unknown_engine_is_named_with_the_known_ones)
{
    AioContext *ctx = aio_context_new(NULL);
    Error *err = NULL;

    ASSERT(!aio_engine_get(ctx, "turbo", true, NULL, &err));
    ASSERT(strstr(error_get_pretty(err), "turbo"));
    ASSERT(strstr(error_get_pretty(err), "threads"));
    error_free(err);
    aio_context_unref(ctx);
}

TEST(linux_aio_without_o_direct_falls_back_unless_insisted_on)
{
    AioContext *ctx = aio_context_new(NULL);
    const char *why = NULL;
    Error *err = NULL;
    const AioEngine *engine =
        aio_engine_get(ctx, "linux_aio", false, &why, NULL);

    ASSERT_STR_EQ(aio_engine_name(engine), "threads");
    ASSERT(why && strstr(why, "O_DIRECT"));
    ASSERT(!aio_engine_get(ctx, "linux_aio!", false, NULL, &err));
    ASSERT(strstr(error_get_pretty(err), "O_DIRECT"));
    error_free(err);
    aio_context_unref(ctx);
}

TEST(refused_engines_fall_back_and_say_why)
{
    AioContext *ctx;
    const char *reason = NULL;
    char *why = NULL;

#if !defined(CONFIG_LINUX_IO_URING) || !defined(CONFIG_LINUX_AIO)
    SKIP("this build lacks an engine, and names that as the reason");
#endif
    setenv("AIOCTL_NO_IO_URING", "1", 1);
    setenv("AIOCTL_NO_LINUX_AIO", "1", 1);
    ctx = aio_context_new(NULL);
    ASSERT_STR_EQ(
        aio_engine_name(aio_engine_get(ctx, "auto", true, NULL, NULL)),
        "threads");
    ASSERT_STR_EQ(
        aio_engine_name(aio_engine_get(ctx, "io_uring", true, &reason, NULL)),
        "threads");
    ASSERT(reason && strstr(reason, "AIOCTL_NO_IO_URING"));
    ASSERT(!aio_engine_probe("linux_aio", &why));
    ASSERT(strstr(why, "AIOCTL_NO_LINUX_AIO"));
    free(why);
    aio_context_unref(ctx);
}

/* The context itself is woken by a pipe then; the kernel signals none. */
TEST(engines_that_need_an_eventfd_fall_back_where_there_is_none)
{
    static const char *const names[] = {"io_uring", "linux_aio"};

    setenv("AIOCTL_NO_EVENTFD", "1", 1);
    AioContext *ctx = aio_context_new(NULL);

    for (int i = 0; i < 2; i++) {
        const char *reason = NULL;
        const AioEngine *engine =
            aio_engine_get(ctx, names[i], true, &reason, NULL);

        ASSERT_STR_EQ(aio_engine_name(engine), "threads");
        ASSERT(reason &&
               (strstr(reason, "eventfd") || strstr(reason, "has none")));
    }
    aio_context_unref(ctx);
}

static void count_done(AioRequest *req)
{
    ++*(int *)req->opaque;
}

static void destroy_busy(void *opaque)
{
    AioContext *ctx = aio_context_new(NULL);
    static AioRequest req = {.op = AIO_OP_NOP, .done = count_done};
    static int done;

    req.opaque = &done;
    aio_request_submit(ctx, aio_engine_get(ctx, "auto", false, NULL, NULL),
                       &req);
    aio_context_unref(ctx);
}

TEST(destroying_a_context_with_requests_in_flight_is_reported)
{
    ASSERT_ABORTS(destroy_busy, NULL, "file requests in flight");
}
