/*
 * batch.h - the chain that aio.batch(fn, {link = true}) puts tasks into
 *
 * Counted: the batch has a share, and each task that is in it.
 */
#ifndef BATCH_H
#define BATCH_H

#include "aioctl/request.h"

typedef struct LuaLink {
    AioChain chain;
    unsigned refs;
} LuaLink;

/* @link may be NULL. */
LuaLink *link_ref(LuaLink *link);
void link_unref(LuaLink *link);

#endif
