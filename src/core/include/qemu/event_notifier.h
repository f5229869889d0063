/*
 * qemu/event_notifier.h - a flag that another thread can set and poll() can see
 *
 * An eventfd, or a pipe where there is none.  Both ends are non-blocking and
 * close-on-exec.
 */
#ifndef QEMU_EVENT_NOTIFIER_H
#define QEMU_EVENT_NOTIFIER_H

#include "qemu/osdep.h"

struct EventNotifier {
    int rfd;
    int wfd; /* same as rfd for an eventfd */
    bool initialized;
    bool read_empties; /* made by event_notifier_init(): nothing stays behind */
};

typedef void EventNotifierHandler(EventNotifier *);

AIOCTL_BEGIN_DECLS

/* Returns 0 or a negative errno; @active: starts out set. */
int event_notifier_init(EventNotifier *e, int active);

/* Wraps an eventfd of the caller's; cleanup closes it. */
void event_notifier_init_fd(EventNotifier *e, int fd);

/* Closes the descriptors.  Does nothing when not initialized. */
void event_notifier_cleanup(EventNotifier *e);

/*
 * event_notifier_set: make the notifier readable
 * Any thread, and signal handlers.  Already set is success.
 * Returns: 0 or a negative errno (-1 after cleanup).
 */
int event_notifier_set(EventNotifier *e);

/* Clears the notifier; returns 1 when it was set, else 0. */
int event_notifier_test_and_clear(EventNotifier *e);

int event_notifier_get_fd(const EventNotifier *e);  /* to poll and to read */
int event_notifier_get_wfd(const EventNotifier *e); /* to write */

AIOCTL_END_DECLS
#endif
