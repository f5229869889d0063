/*
 * base/feature.c - environment switches that simulate a refusing kernel
 *
 * Each answer is cached at first use: a program cannot see a feature come and
 * go.  The cache is atomic, as any thread may ask first.
 */
#include "base/feature.h"

#include "base/check.h"
#include "qemu/atomic.h"

enum { UNKNOWN, ALLOWED, REFUSED };

static struct {
    const char *variable;
    int state; /* atomic */
} features[FEATURE__MAX] = {
    [FEATURE_IO_URING] = {.variable = "AIOCTL_NO_IO_URING"},
    [FEATURE_DEFER_TASKRUN] = {.variable = "AIOCTL_NO_DEFER_TASKRUN"},
    [FEATURE_COOP_TASKRUN] = {.variable = "AIOCTL_NO_COOP_TASKRUN"},
    [FEATURE_LINUX_AIO] = {.variable = "AIOCTL_NO_LINUX_AIO"},
    [FEATURE_EVENTFD] = {.variable = "AIOCTL_NO_EVENTFD"},
    [FEATURE_EPOLL] = {.variable = "AIOCTL_NO_EPOLL"},
    [FEATURE_MADV_GUARD] = {.variable = "AIOCTL_NO_MADV_GUARD"},
    [FEATURE_MPROTECT_GUARD] = {.variable = "AIOCTL_NO_MPROTECT_GUARD"},
};

static int read_state(const char *variable)
{
    const char *value = getenv(variable);
    bool on = value && *value && strcmp(value, "0") != 0;
    return on ? REFUSED : ALLOWED;
}

bool feature_refused(Feature feature)
{
    CHECK((unsigned)feature < FEATURE__MAX);
    int state = qatomic_read(&features[feature].state);
    if (state == UNKNOWN) {
        state = read_state(features[feature].variable);
        qatomic_set(&features[feature].state, state);
    }
    return state == REFUSED;
}

const char *feature_variable(Feature feature)
{
    CHECK((unsigned)feature < FEATURE__MAX);
    return features[feature].variable;
}
