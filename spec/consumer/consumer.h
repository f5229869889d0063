/*
 * consumer.h - the parts of a program written against the original API
 *
 * It includes only the original's headers and has its style; nothing in it
 * knows whose AioContext it runs on.
 */
#ifndef CONSUMER_H
#define CONSUMER_H

#include "block/aio.h"
#include "qemu/osdep.h"

/* Each returns normally when all is well and aborts otherwise. */
void echo_selftest(void);
void scrub_selftest(void);
void embed_selftest(void);

/* Files for a test, in the current directory and already unlinked. */
int scratch_file(int flags, Error **errp);

#endif
