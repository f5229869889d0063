/*
 * laio_setup.c - asking the kernel for Linux AIO, and the engine of builds that
 * have none
 */
#include "engine/laio_ring.h"

#ifdef CONFIG_LINUX_AIO
#include <errno.h>

#include "base/feature.h"

bool laio_queue_setup(unsigned events, io_context_t *aio, Error **errp)
{
    int ret;

    if (feature_refused(FEATURE_LINUX_AIO)) {
        error_setg(errp, "linux_aio: the environment says %s=1; unset it",
                   feature_variable(FEATURE_LINUX_AIO));
        return false;
    }
    ret = io_setup((int)events, aio);
    if (ret == -EAGAIN) {
        error_setg(errp, "linux_aio: all events of this machine are taken; "
                         "raise /proc/sys/fs/aio-max-nr");
    } else if (ret == -ENOSYS || ret == -EPERM) {
        error_setg(errp, "linux_aio: refused, by the kernel's configuration "
                         "or a seccomp filter; allow the system calls "
                         "io_setup, io_submit and io_destroy");
    } else if (ret < 0) {
        error_setg_errno(errp, -ret, "linux_aio: io_setup of %u events",
                         events);
    }
    return ret == 0;
}
#else

#include "engine/engine.h"
#include "qapi/error.h"

static bool absent_probe(Error **errp)
{
    error_setg(errp, "linux_aio: this build has none; build with libaio");
    return false;
}

static bool absent_setup(AioContext *ctx, Error **errp)
{
    return absent_probe(errp);
}

const AioEngine engine_linux_aio = {
    .name = "linux_aio",
    .direct_only = true,
    .probe = absent_probe,
    .setup = absent_setup,
};
#endif
