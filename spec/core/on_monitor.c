/*
 * on_monitor.c - runs a whole program of tests on one fd monitor
 *
 * Linked with --wrap=aio_poll: whoever polls a context that has no monitor of
 * its own choice yet gets the one that AIOCTL_TEST_FDMON names.  Without the
 * variable nothing changes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "aioctl/context.h"
#include "loop/context.h"
#include "test.h"

bool __real_aio_poll(AioContext *ctx, bool blocking);
bool __wrap_aio_poll(AioContext *ctx, bool blocking);

static void choose(AioContext *ctx, const char *monitor)
{
    char strict[32];
    char *why = NULL;
    Error *err = NULL;

    if (!aio_fdmon_probe(monitor, &why)) {
        SKIP("%s", why);
    }
    snprintf(strict, sizeof(strict), "%s!", monitor);
    if (!aio_context_set_fdmon(ctx, strict, &err)) {
        FAIL("%s: %s", monitor, error_get_pretty(err));
    }
}

bool __wrap_aio_poll(AioContext *ctx, bool blocking)
{
    const char *monitor = getenv("AIOCTL_TEST_FDMON");

    if (monitor && !ctx->fdmon_wanted && aio_context_in_home_thread(ctx)) {
        choose(ctx, monitor);
    }
    return __real_aio_poll(ctx, blocking);
}
