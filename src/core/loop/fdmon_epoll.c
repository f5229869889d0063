/*
 * fdmon_epoll.c - the monitor on epoll(7)
 *
 * The kernel's set follows the handlers: one epoll_ctl() per change, none per
 * wait.  Waits have nanosecond timeouts in one system call (epoll_pwait2);
 * where the kernel lacks it, milliseconds, rounded up.
 *
 * What the kernel hands back names an fd and the id under which we registered
 * it, not a pointer: an fd that was closed behind our back while a duplicate
 * lives on stays in the kernel's set for ever.  Such an event has an id that
 * the table does not know, and makes us build the set anew.
 *
 * Fds that epoll refuses (regular files: EPERM; over the limit in
 * fs.epoll.max_user_watches: ENOSPC) are on a list.  While it is not empty the
 * wait is a ppoll() of them and of the set.
 *
 * After a fork, parent and child have descriptors of one set: the child makes
 * its own before it changes anything.
 *
 * Rule: ids (mon_id; 0: not in the kernel's set) and the list belong to
 * list_lock, epollfd to the home thread.  wait() compares an id without the
 * lock first, and takes it only to be sure of a difference.
 */
#include "base/feature.h"
#include "base/fork.h"
#include "base/syscall.h"
#include "loop/context.h"
#include "qemu/atomic.h"

enum { EPOLL_EVENTS_MAX = 128 };

enum { MON_REFUSED = 1 }; /* mon_flags: on the list of those it refuses */

struct FDMonEpollState {
    int epollfd;
    unsigned fork_count; /* when epollfd was made */
    bool no_pwait2;      /* home */
    bool stale;          /* home: build the set anew before the next wait */
    uint32_t last_id;    /* list_lock */
    AioHandler *refused; /* list_lock */
    int refused_count;   /* atomic */
    struct pollfd *fds;  /* home: the set, and those refused */
    struct epoll_event events[EPOLL_EVENTS_MAX]; /* home */
};

static int create(Error **errp)
{
    int fd = -1;

    if (feature_refused(FEATURE_EPOLL)) {
        errno = ENOSYS;
    } else {
        fd = epoll_create1(EPOLL_CLOEXEC);
    }
    if (fd < 0) {
        error_setg_errno(errp, errno,
                         "epoll: epoll_create1, see ulimit -n "
                         "and %s",
                         feature_variable(FEATURE_EPOLL));
    }
    return fd;
}

static bool epoll_probe(Error **errp)
{
    int fd = create(errp);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static bool epoll_setup(AioContext *ctx, Error **errp)
{
    int fd = create(errp);

    fork_watch();
    if (fd < 0) {
        return false;
    }
    ctx->fdmon_epoll = check_calloc(1, sizeof(*ctx->fdmon_epoll));
    ctx->fdmon_epoll->epollfd = fd;
    ctx->fdmon_epoll->fork_count = fork_count;
    return true;
}

static void epoll_destroy(AioContext *ctx)
{
    if (ctx->fdmon_epoll) {
        close(ctx->fdmon_epoll->epollfd);
        free(ctx->fdmon_epoll->fds);
        free(ctx->fdmon_epoll);
        ctx->fdmon_epoll = NULL;
    }
}

/* ---- the set ------------------------------------------------------------ */

static void refused_add(struct FDMonEpollState *state, AioHandler *node)
{
    node->mon_flags = MON_REFUSED;
    node->mon_next = state->refused;
    node->mon_prev = &state->refused;
    if (node->mon_next) {
        node->mon_next->mon_prev = &node->mon_next;
    }
    state->refused = node;
    qatomic_inc(&state->refused_count);
}

static void refused_remove(struct FDMonEpollState *state, AioHandler *node)
{
    if (node->mon_flags != MON_REFUSED) {
        return;
    }
    node->mon_flags = 0;
    *node->mon_prev = node->mon_next;
    if (node->mon_next) {
        node->mon_next->mon_prev = node->mon_prev;
    }
    qatomic_dec(&state->refused_count);
}

static void set_id(AioHandler *node, uint32_t id)
{
    qatomic_set(&node->mon_id, id);
}

static void set_remove(struct FDMonEpollState *state, AioHandler *node)
{
    refused_remove(state, node);
    if (node->mon_id) {
        /* Fails when the fd was closed before: then it is out already. */
        epoll_ctl(state->epollfd, EPOLL_CTL_DEL, node->fd, NULL);
        set_id(node, 0);
    }
}

static int set_control(struct FDMonEpollState *state, int op,
                       const AioHandler *node, uint32_t id)
{
    struct epoll_event event = {
        .events = node->watch | handler_edge_events(node) |
                  (handler_is_edge(node) ? EPOLLET : 0),
        .data.u64 = (uint64_t)id << 32 | (uint32_t)node->fd,
    };

    return epoll_ctl(state->epollfd, op, node->fd, &event);
}

/* Not by the id of an earlier file of this number, which may still be in the
 * set.  Returns the id, or 0 with errno set. */
static uint32_t set_insert(struct FDMonEpollState *state,
                           const AioHandler *node)
{
    state->last_id += state->last_id == UINT32_MAX ? 2 : 1;

    uint32_t id = state->last_id;
    int ret = set_control(state, EPOLL_CTL_ADD, node, id);

    if (ret < 0 && errno == EEXIST) {
        ret = set_control(state, EPOLL_CTL_MOD, node, id);
    }
    return ret < 0 ? 0 : id;
}

/* Brings the kernel in line with node->watch. */
static void set_change(struct FDMonEpollState *state, AioHandler *node)
{
    if (!node->watch) {
        set_remove(state, node);
        return;
    }
    refused_remove(state, node); /* it may be another file by now */

    if (node->mon_id) {
        if (set_control(state, EPOLL_CTL_MOD, node, node->mon_id) == 0) {
            return;
        }
        set_id(node, 0);
    }
    uint32_t id = set_insert(state, node);

    if (id) {
        set_id(node, id);
    } else if (errno != EBADF) { /* a closed fd reports nothing */
        refused_add(state, node);
    }
}

/* List lock.  @fd is an empty set. */
static void replace_set(AioContext *ctx, struct FDMonEpollState *state, int fd)
{
    AioHandler *node;

    close(state->epollfd);
    state->epollfd = fd;
    state->fork_count = fork_count;
    QTAILQ_FOREACH(node, &ctx->aio_handlers, node) {
        set_id(node, 0);
        set_change(state, node);
    }
}

/* List lock.  True: there is a new set. */
static bool leave_parents_set(AioContext *ctx, struct FDMonEpollState *state)
{
    if (likely(state->fork_count == fork_count)) {
        return false;
    }
    int fd = create(NULL);

    CHECKF(fd >= 0, "epoll: no file descriptor for the set of a child");
    replace_set(ctx, state, fd);
    return true;
}

static void epoll_update(AioContext *ctx, AioHandler *old_node,
                         AioHandler *new_node)
{
    struct FDMonEpollState *state = ctx->fdmon_epoll;

    if (unlikely(leave_parents_set(ctx, state))) {
        /* What is registered is in the new set. */
        if (old_node && old_node != new_node) {
            refused_remove(state, old_node);
            set_id(old_node, 0);
        }
        return;
    }
    if (!new_node) {
        set_remove(state, old_node);
        return;
    }
    if (old_node && old_node != new_node) {
        refused_remove(state, old_node);
        set_id(new_node, old_node->mon_id);
        set_id(old_node, 0);
    }
    set_change(state, new_node);
}

/* An fd that we do not know any more reports: get rid of it. */
static void rebuild(AioContext *ctx, struct FDMonEpollState *state)
{
    int fd = create(NULL);

    if (fd < 0) {
        return; /* out of fds: live with the old set, try again next time */
    }
    qemu_mutex_lock(&ctx->list_lock);
    replace_set(ctx, state, fd);
    qemu_mutex_unlock(&ctx->list_lock);
    state->stale = false;
}

/* ---- waiting ------------------------------------------------------------ */

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

/* Like the system call: how many events, or a negative errno. */
static QEMU_NOINLINE int sleep_ns(struct FDMonEpollState *state,
                                  int64_t timeout)
{
    if (!state->no_pwait2) {
        struct timespec ts = clock_timespec(timeout);
        int ret = (int)syscall(SYS_epoll_pwait2, state->epollfd, state->events,
                               EPOLL_EVENTS_MAX, &ts, NULL, (size_t)0);

        if (ret >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return ret < 0 ? -errno : ret;
        }
        state->no_pwait2 = true; /* before Linux 5.11, or a seccomp filter */
    }
    return syscall_epoll_wait(state->epollfd, state->events, EPOLL_EVENTS_MAX,
                              qemu_timeout_ns_to_ms(timeout));
}

static AioHandler *find_by_id(AioContext *ctx, uint64_t data)
{
    AioHandler *node = handler_find(ctx, (int)(uint32_t)data);

    return node && qatomic_read(&node->mon_id) == data >> 32 ? node : NULL;
}

/* Once more, when nobody is changing anything. */
static QEMU_NOINLINE AioHandler *find_locked(AioContext *ctx, uint64_t data)
{
    qemu_mutex_lock(&ctx->list_lock);
    AioHandler *node = find_by_id(ctx, data);
    qemu_mutex_unlock(&ctx->list_lock);
    return node;
}

static int collect(AioContext *ctx, AioHandlerList *ready_list, int count)
{
    struct FDMonEpollState *state = ctx->fdmon_epoll;
    int ready = 0;

    for (int i = 0; i < count; i++) {
        const struct epoll_event *event = &state->events[i];
        AioHandler *node = find_by_id(ctx, event->data.u64);

        if (likely(node) || (node = find_locked(ctx, event->data.u64))) {
            ready += handler_make_ready(ctx, ready_list, node, event->events);
        } else {
            state->stale = true;
        }
    }
    return ready;
}

/* ---- waiting with fds that epoll refuses --------------------------------- */

/* Fills state->fds: the set first, then the list; returns how many. */
static unsigned list_fds(AioContext *ctx, struct FDMonEpollState *state)
{
    unsigned count = 1;

    qemu_mutex_lock(&ctx->list_lock);
    state->fds = check_realloc(state->fds, (1 + (size_t)state->refused_count) *
                                               sizeof(*state->fds));
    state->fds[0] = (struct pollfd){.fd = state->epollfd, .events = POLLIN};
    for (AioHandler *node = state->refused; node; node = node->mon_next) {
        state->fds[count++] =
            (struct pollfd){.fd = node->fd, .events = (short)node->watch};
    }
    qemu_mutex_unlock(&ctx->list_lock);
    return count;
}

/* The list may have changed during the wait: handlers are found by fd.  A
 * closed fd is unlisted, until it is registered anew. */
static int collect_refused(AioContext *ctx, AioHandlerList *ready_list,
                           unsigned count)
{
    struct FDMonEpollState *state = ctx->fdmon_epoll;
    int ready = 0;

    qemu_mutex_lock(&ctx->list_lock);
    for (unsigned i = 1; i < count; i++) {
        AioHandler *node = handler_find(ctx, state->fds[i].fd);
        short revents = state->fds[i].revents;

        if (!node || !(node->mon_flags & MON_REFUSED)) {
            continue;
        }
        if (revents & POLLNVAL) {
            refused_remove(state, node);
        } else {
            if (node->is_edge && revents) { /* the notifier: nobody reads it */
                event_notifier_test_and_clear(&ctx->notifier);
            }
            ready +=
                handler_make_ready(ctx, ready_list, node, (uint16_t)revents);
        }
    }
    qemu_mutex_unlock(&ctx->list_lock);
    return ready;
}

/* Returns how many of them are ready; the set remains to be asked. */
static int wait_for_refused(AioContext *ctx, AioHandlerList *ready_list,
                            int64_t timeout)
{
    struct FDMonEpollState *state = ctx->fdmon_epoll;
    unsigned count = list_fds(ctx, state);
    struct timespec ts;

    if (timeout >= 0) {
        ts = clock_timespec(timeout);
    }
    int ret = ppoll(state->fds, count, timeout < 0 ? NULL : &ts, NULL);

    CHECKF(ret >= 0 || errno == EINTR || errno == ENOMEM, "ppoll: errno %d",
           errno);
    return ret <= 0 ? 0 : collect_refused(ctx, ready_list, count);
}

/* ---- the monitor -------------------------------------------------------- */

static int wait_for_set(AioContext *ctx, AioHandlerList *ready_list,
                        int64_t timeout)
{
    struct FDMonEpollState *state = ctx->fdmon_epoll;
    int ret = timeout > 0 ? sleep_ns(state, timeout)
                          : syscall_epoll_wait(state->epollfd, state->events,
                                               EPOLL_EVENTS_MAX, (int)timeout);

    CHECKF(ret >= 0 || ret == -EINTR, "epoll: wait failed, errno %d", -ret);
    return ret <= 0 ? 0 : collect(ctx, ready_list, ret);
}

static QEMU_NOINLINE int
wait_unusual(AioContext *ctx, AioHandlerList *ready_list, int64_t timeout)
{
    struct FDMonEpollState *state = ctx->fdmon_epoll;
    int ready = 0;

    if (state->fork_count != fork_count) {
        qemu_mutex_lock(&ctx->list_lock);
        leave_parents_set(ctx, state);
        qemu_mutex_unlock(&ctx->list_lock);
    }
    if (state->stale) {
        rebuild(ctx, state);
    }
    if (qatomic_read(&state->refused_count)) {
        ready = wait_for_refused(ctx, ready_list, timeout);
        timeout = 0;
    }
    return ready + wait_for_set(ctx, ready_list, timeout);
}

static int epoll_monitor_wait(AioContext *ctx, AioHandlerList *ready_list,
                              int64_t timeout)
{
    const struct FDMonEpollState *state = ctx->fdmon_epoll;
    if (unlikely(state->stale || qatomic_read(&state->refused_count) ||
                 state->fork_count != fork_count)) {
        return wait_unusual(ctx, ready_list, timeout);
    }
    return wait_for_set(ctx, ready_list, timeout);
}

static bool epoll_need_wait(AioContext *ctx)
{
    return qatomic_read(&ctx->handler_count) > 0;
}

static int epoll_poll_fd(AioContext *ctx)
{
    struct FDMonEpollState *state = ctx->fdmon_epoll;

    return qatomic_read(&state->refused_count) ? -1 : state->epollfd;
}

const FDMonBackend fdmon_epoll = {
    .name = "epoll",
    .ops = {epoll_update, epoll_monitor_wait, epoll_need_wait},
    .setup = epoll_setup,
    .destroy = epoll_destroy,
    .probe = epoll_probe,
    .knows_edges = true,
    .poll_fd = epoll_poll_fd,
    .poll_fd_covers_handlers = true,
};
