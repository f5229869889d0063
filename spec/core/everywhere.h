/*
 * everywhere.h - tests that run on every fd monitor
 *
 * A scenario is a function of a context.  Each runs once per row of the table
 * of monitors; a row that this machine refuses is reported and left out.
 */
#ifndef EVERYWHERE_H
#define EVERYWHERE_H

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "qemu/atomic.h"
#include "test.h"

typedef struct Side {
    AioContext *ctx;
    int fd;
    int reads;
    int writes;
    int polls_ready;
    bool poll_answer;
    char *log;
    char letter;
    struct Side *other;
} Side;

static inline void run_everywhere(void (*scenario)(AioContext *ctx))
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        char *why = NULL;
        Error *err = NULL;

        if (!aio_fdmon_probe(*name, &why)) {
            printf("# left out: %s\n", why);
            free(why);
            continue;
        }
        AioContext *ctx = aio_context_new(NULL);
        char strict[32];
        snprintf(strict, sizeof(strict), "%s!", *name);
        if (!aio_context_set_fdmon(ctx, strict, &err)) {
            FAIL("%s: %s", *name, error_get_pretty(err));
        }
        ASSERT_STR_EQ(aio_context_fdmon(ctx), *name);
        scenario(ctx);
        aio_context_unref(ctx);
    }
}

#define EVERYWHERE(name)                    \
    static void name##_on(AioContext *ctx); \
    TEST(name)                              \
    {                                       \
        run_everywhere(name##_on);          \
    }                                       \
    static void name##_on(AioContext *ctx)

static inline void on_read(void *opaque)
{
    Side *side = opaque;

    side->reads++;
    if (side->log) {
        side->log[strlen(side->log)] = side->letter;
    }
}

static inline void on_read_drain(void *opaque)
{
    Side *side = opaque;
    uint64_t value;

    on_read(opaque);
    ASSERT_CMP(read(side->fd, &value, sizeof(value)), >, 0);
}

static inline void on_write(void *opaque)
{
    ((Side *)opaque)->writes++;
}

static inline bool poll_says(void *opaque)
{
    return ((Side *)opaque)->poll_answer;
}

static inline void on_poll_ready(void *opaque)
{
    Side *side = opaque;

    side->polls_ready++;
    side->poll_answer = false;
}

static inline void set_reader(AioContext *ctx, Side *side, IOHandler *read_cb)
{
    side->ctx = ctx;
    aio_set_fd_handler(ctx, side->fd, false, read_cb, NULL, NULL, NULL, side);
}

static inline void unset(AioContext *ctx, int fd)
{
    aio_set_fd_handler(ctx, fd, false, NULL, NULL, NULL, NULL, NULL);
}

static inline void poke(int fd)
{
    uint64_t one = 1;

    ASSERT_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

static inline int new_event(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    ASSERT_CMP(fd, >=, 0);
    return fd;
}

static inline void set_flag(void *opaque)
{
    *(bool *)opaque = true;
}

static inline void remove_self(void *opaque)
{
    Side *side = opaque;

    side->reads++;
    unset(side->ctx, side->fd);
}

#endif
