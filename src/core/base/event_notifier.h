/*
 * base/event_notifier.h - which notifier this thread has cleared last
 *
 * For the loop, which has to know whether a notifier's handler has cleared it.
 * Addresses are compared, never followed.
 */
#ifndef BASE_EVENT_NOTIFIER_H
#define BASE_EVENT_NOTIFIER_H

#include "qemu/event_notifier.h"

void event_notifier_forget_cleared(void);
/* Since then, and none other after it. */
bool event_notifier_was_cleared(const EventNotifier *e);

#endif
