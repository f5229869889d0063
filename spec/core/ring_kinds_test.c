/*
 * ring_kinds_test.c - rings on kernels with fewer features, and what a ring
 * must let go of
 */
#include "loop/ring.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aioctl/request.h"
#include "everywhere.h"

#ifdef CONFIG_LINUX_IO_URING

static unsigned flags_of_a_new_ring(void)
{
    AioContext *ctx = aio_context_new(NULL);
    unsigned flags;

    if (!aio_context_set_fdmon(ctx, "io_uring!", NULL)) {
        SKIP("no io_uring here");
    }
    flags = ctx->ring->uring.flags;
    aio_context_unref(ctx);
    return flags;
}

TEST(a_kernel_without_deferred_work_gets_the_second_best_ring)
{
    setenv("AIOCTL_NO_DEFER_TASKRUN", "1", 1);
    unsigned flags = flags_of_a_new_ring();

    ASSERT(!(flags & IORING_SETUP_DEFER_TASKRUN));
    ASSERT(!(flags & IORING_SETUP_SINGLE_ISSUER));
}

TEST(an_old_kernel_gets_a_plain_ring)
{
    setenv("AIOCTL_NO_DEFER_TASKRUN", "1", 1);
    setenv("AIOCTL_NO_COOP_TASKRUN", "1", 1);
    ASSERT(!(flags_of_a_new_ring() &
             (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN)));
}

/* ---- what must be let go of --------------------------------------------- */

static Side arm_and_remove(AioContext *ctx, int fd)
{
    Side side = {.fd = fd};

    aio_set_fd_handler(ctx, fd, false, on_read, NULL, NULL, NULL, &side);
    aio_poll(ctx, false);
    aio_poll(ctx, false);
    unset(ctx, fd);
    return side;
}

EVERYWHERE(a_socket_closed_after_its_handler_was_removed_is_closed)
{
    int fds[2];
    char byte;

    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ASSERT_EQ(arm_and_remove(ctx, fds[0]).reads, 0);
    close(fds[0]);
    /* Without the loop's help: it may be about to block right here. */
    ASSERT_EQ(recv(fds[1], &byte, 1, MSG_DONTWAIT), 0);
    close(fds[1]);
}

EVERYWHERE(an_event_of_the_file_before_is_not_reported_for_the_one_after)
{
    Side side = {.fd = new_event()};
    int quiet = new_event();

    set_reader(ctx, &side, on_read);
    aio_poll(ctx, false);
    aio_poll(ctx, false);
    poke(side.fd);
    ASSERT_EQ(dup2(quiet, side.fd), side.fd);
    set_reader(ctx, &side, on_read);
    for (int i = 0; i < 5; i++) {
        aio_poll(ctx, false);
    }
    ASSERT_EQ(side.reads, 0);
    poke(quiet);
    while (side.reads == 0) {
        aio_poll(ctx, true);
    }
    unset(ctx, side.fd);
    close(side.fd);
    close(quiet);
}

#else
TEST(built_without_io_uring)
{
    SKIP("liburing was not found when this was built");
}
#endif
