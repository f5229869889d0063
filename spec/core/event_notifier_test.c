/*
 * event_notifier_test.c - set, clear, full, interrupted, fall back to a pipe
 */
#include <errno.h>
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

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
