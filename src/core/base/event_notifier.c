/*
 * base/event_notifier.c - eventfd, or a pipe
 *
 * Setting retries EINTR; EAGAIN means that the counter or the pipe is full,
 * and so the notifier is set already.  Clearing reads until the descriptor is
 * empty: one read for an eventfd, 512 bytes at a time for a pipe.
 */
#include "base/event_notifier.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/check.h"
#include "base/feature.h"
#include "base/syscall.h"

QEMU_DEFINE_STATIC_CO_TLS(const EventNotifier *, last_cleared)

static int open_eventfd(void)
{
    if (feature_refused(FEATURE_EVENTFD)) {
        errno = ENOSYS;
        return -1;
    }
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

int event_notifier_init(EventNotifier *e, int active)
{
    int fds[2];
    fds[0] = fds[1] = open_eventfd();
    if (fds[0] < 0) {
        if (errno != ENOSYS || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0) {
            return -errno;
        }
    }
    e->rfd = fds[0];
    e->wfd = fds[1];
    e->initialized = true;
    e->read_empties = true;
    if (active) {
        event_notifier_set(e);
    }
    return 0;
}

void event_notifier_init_fd(EventNotifier *e, int fd)
{
    e->rfd = e->wfd = fd;
    e->initialized = true;
    e->read_empties = false;
}

void event_notifier_cleanup(EventNotifier *e)
{
    if (!e->initialized) {
        return;
    }
    close(e->rfd);
    if (e->wfd != e->rfd) {
        close(e->wfd);
    }
    e->rfd = e->wfd = -1;
    e->initialized = false;
}

/* Signal handlers call this: it must leave errno alone. */
int event_notifier_set(EventNotifier *e)
{
    static const uint64_t one = 1;
    ssize_t ret;

    if (!e->initialized) {
        return -1;
    }
    do {
        ret = syscall_write(e->wfd, &one, sizeof(one));
    } while (unlikely(ret == -EINTR));
    return ret < 0 && ret != -EAGAIN ? (int)ret : 0;
}

static int clear_eventfd(int fd)
{
    uint64_t count;
    ssize_t len;

    do {
        len = syscall_read(fd, &count, sizeof(count));
    } while (unlikely(len == -EINTR));
    return len > 0;
}

static QEMU_NOINLINE int clear_pipe(int fd)
{
    char buf[512];
    ssize_t len;
    int was_set = 0;

    /* Ends: each round takes what is there. */
    do {
        len = syscall_read(fd, buf, sizeof(buf));
        was_set |= len > 0;
    } while (len == -EINTR || len == (ssize_t)sizeof(buf));
    return was_set;
}

int event_notifier_test_and_clear(EventNotifier *e)
{
    if (!e->initialized) {
        return 0;
    }
    set_last_cleared(e);
    return e->rfd == e->wfd ? clear_eventfd(e->rfd) : clear_pipe(e->rfd);
}

void event_notifier_forget_cleared(void)
{
    set_last_cleared(NULL);
}

bool event_notifier_was_cleared(const EventNotifier *e)
{
    return get_last_cleared() == e;
}

int event_notifier_get_fd(const EventNotifier *e)
{
    return e->rfd;
}

int event_notifier_get_wfd(const EventNotifier *e)
{
    return e->wfd;
}
