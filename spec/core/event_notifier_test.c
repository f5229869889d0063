/*
 * event_notifier_test.c - set, clear, full, interrupted, fall back to a pipe
 */
#include <errno.h>
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "block/aio.h"
#include "qemu/event_notifier.h"

static bool readable(EventNotifier *e)
{
    struct pollfd pfd = {.fd = event_notifier_get_fd(e), .events = POLLIN};
    return poll(&pfd, 1, 0) == 1;
}

static void set_and_clear(void)
{
    EventNotifier e;
    ASSERT_EQ(event_notifier_init(&e, 0), 0);
    ASSERT(!readable(&e));
    ASSERT_EQ(event_notifier_test_and_clear(&e), 0);
    ASSERT_EQ(event_notifier_set(&e), 0);
    ASSERT_EQ(event_notifier_set(&e), 0);
    ASSERT(readable(&e));
    ASSERT_EQ(event_notifier_test_and_clear(&e), 1);
    ASSERT(!readable(&e));
    ASSERT(fcntl(e.rfd, F_GETFD) & FD_CLOEXEC);
    ASSERT(fcntl(e.wfd, F_GETFL) & O_NONBLOCK);
    event_notifier_cleanup(&e);
    event_notifier_cleanup(&e);
    ASSERT_CMP(event_notifier_set(&e), <, 0);
    ASSERT_EQ(event_notifier_test_and_clear(&e), 0);
}

TEST(a_notifier_is_set_until_cleared)
{
    set_and_clear();
}

TEST(a_notifier_works_on_a_pipe)
{
    setenv("AIOCTL_NO_EVENTFD", "1", 1);
    set_and_clear();
}

TEST(a_full_notifier_counts_as_set)
{
    EventNotifier e;
    uint64_t full = UINT64_MAX - 1;
    ASSERT_EQ(event_notifier_init(&e, 1), 0);
    ASSERT_EQ(event_notifier_test_and_clear(&e), 1);
    ASSERT_EQ(write(event_notifier_get_wfd(&e), &full, 8), 8);
    errno = EXDEV; /* may be the interrupted code's, in a signal handler */
    ASSERT_EQ(event_notifier_set(&e), 0);
    ASSERT_EQ(errno, EXDEV);
    ASSERT_EQ(event_notifier_test_and_clear(&e), 1);
    ASSERT_EQ(event_notifier_test_and_clear(&e), 0);
    event_notifier_cleanup(&e);
}

TEST(a_full_pipe_is_drained_by_one_clear)
{
    EventNotifier e;
    setenv("AIOCTL_NO_EVENTFD", "1", 1);
    ASSERT_EQ(event_notifier_init(&e, 0), 0);
    ASSERT(e.rfd != e.wfd);
    for (int i = 0; i < 10000; i++) {
        ASSERT_EQ(event_notifier_set(&e), 0);
    }
    ASSERT_EQ(event_notifier_test_and_clear(&e), 1);
    ASSERT(!readable(&e));
    event_notifier_cleanup(&e);
}

TEST(a_notifier_wraps_a_descriptor_and_closes_it)
{
    EventNotifier e;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    event_notifier_init_fd(&e, fd);
    ASSERT_EQ(event_notifier_get_fd(&e), fd);
    ASSERT_EQ(event_notifier_get_wfd(&e), fd);
    ASSERT_EQ(event_notifier_set(&e), 0);
    ASSERT(readable(&e));
    ASSERT_EQ(event_notifier_test_and_clear(&e), 1);
    event_notifier_cleanup(&e);
    ASSERT_EQ(fcntl(fd, F_GETFD), -1);
}

typedef struct Watched {
    EventNotifier e;
    int handled, begun, ended;
} Watched;

static void handle(EventNotifier *e)
{
    container_of(e, Watched, e)->handled++;
    ASSERT(event_notifier_test_and_clear(e));
}

static bool never(void *opaque)
{
    return false;
}

static void begin(EventNotifier *e)
{
    container_of(e, Watched, e)->begun++;
}

static void end(EventNotifier *e)
{
    container_of(e, Watched, e)->ended++;
}

TEST(a_notifiers_owner_hears_when_it_is_polled)
{
    AioContext *ctx = aio_context_new(NULL);
    Watched w = {.handled = 0};
    ASSERT_EQ(event_notifier_init(&w.e, true), 0);
    aio_context_set_poll_params(ctx, 100000000, 0, 0, NULL);
    aio_set_event_notifier(ctx, &w.e, false, handle, never, handle);
    aio_set_event_notifier_poll(ctx, &w.e, begin, end);
    for (int i = 1; i <= 20; i++) { /* polling begins after some short waits */
        ASSERT(aio_poll(ctx, true));
        ASSERT_EQ(w.handled, i);
        ASSERT_EQ(event_notifier_set(&w.e), 0);
    }
    aio_poll(ctx, false);
    aio_set_event_notifier(ctx, &w.e, false, NULL, NULL, NULL);
    ASSERT_CMP(w.begun, >, 0);
    ASSERT_EQ(w.begun, w.ended);
    event_notifier_cleanup(&w.e);
    aio_context_unref(ctx);
}
