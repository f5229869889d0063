/*
 * lwait.c - aio.wait_fd: a task waits until a file descriptor is ready
 *
 * All tasks that wait for one descriptor share one LuaFdWatch, which holds the
 * core's handler for it (one handler per descriptor is all there can be).  The
 * waiters live on the C stacks of their tasks.  The rule: readiness only marks
 * and wakes them; each one unlinks itself when it runs, and the last frees the
 * watch.  So no list changes under the callback that walks it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/aio.h"
#include "lcheck.h"
#include "lcontext.h"
#include "lfdtable.h"
#include "open.h"
#include "task.h"

enum { WANT_READ = 1, WANT_WRITE = 2 };

typedef struct FdWaiter {
    LuaTask *task;
    int want;
    int got; /* not 0: woken */
    struct FdWaiter *prev, *next;
} FdWaiter;

struct LuaFdWatch {
    LuaContext *owner;
    int fd;
    int interest; /* what the core's handler watches */
    FdWaiter *head, *tail;
};

static void watch_ready(struct LuaFdWatch *watch, int event)
{
    for (FdWaiter *w = watch->head; w; w = w->next) {
        if (w->want & event) {
            if (!w->got) {
                task_wake(w->task);
            }
            w->got |= event;
        }
    }
}

static void watch_on_read(void *opaque)
{
    watch_ready(opaque, WANT_READ);
}

static void watch_on_write(void *opaque)
{
    watch_ready(opaque, WANT_WRITE);
}

/* Make the core watch what the waiters want; nothing when there are none. */
static void watch_update(struct LuaFdWatch *watch)
{
    int interest = 0;

    for (FdWaiter *w = watch->head; w; w = w->next) {
        interest |= w->want;
    }
    if (interest == watch->interest) {
        return;
    }
    watch->interest = interest;
    aio_set_fd_handler(watch->owner->ctx, watch->fd, false,
                       interest & WANT_READ ? watch_on_read : NULL,
                       interest & WANT_WRITE ? watch_on_write : NULL, NULL,
                       NULL, watch);
}

static void watch_link(struct LuaFdWatch *watch, FdWaiter *w)
{
    w->prev = watch->tail;
    w->next = NULL;
    *(watch->tail ? &watch->tail->next : &watch->head) = w;
    watch->tail = w;
    watch_update(watch);
}

static void watch_unlink(struct LuaFdWatch *watch, FdWaiter *w)
{
    *(w->prev ? &w->prev->next : &watch->head) = w->next;
    *(w->next ? &w->next->prev : &watch->tail) = w->prev;
    watch_update(watch);
    if (!watch->head) {
        lfdtable_drop(watch->owner, watch->fd);
        free(watch);
    }
}

/* The watch of @fd, created when this is the first waiter. */
static struct LuaFdWatch *watch_get(lua_State *L, LuaContext *owner, int fd)
{
    struct LuaFdWatch *watch;

    lfdtable_check(L, owner, fd, true);
    watch = lfdtable_watch(owner, fd);
    if (watch) {
        return watch;
    }
    watch = calloc(1, sizeof(*watch));
    if (!watch) {
        luaL_error(L, "not enough memory to watch fd %d", fd);
    }
    watch->owner = owner;
    watch->fd = fd;
    lfdtable_claim_watch(owner, fd, watch);
    return watch;
}

static int check_want(lua_State *L, int arg)
{
    static const char *const names[] = {"r", "w", "rw", NULL};
    static const int wants[] = {WANT_READ, WANT_WRITE, WANT_READ | WANT_WRITE};

    return wants[luaL_checkoption(L, arg, NULL, names)];
}

/*
 * aio.wait_fd(fd, "r" | "w" | "rw" [, sec]) -> "r" | "w" | "rw"
 * Park until the descriptor is readable, writable (an error or hang-up counts
 * as both) and return which.  Any number of tasks may wait for the same one:
 * all are woken.  After @sec: nil, "timeout", ETIMEDOUT.  Not open: nil,
 * message, errno.  Raises when the descriptor has an aio.fd handler.
 */
static int wait_fd(lua_State *L)
{
    static const char *const results[] = {NULL, "r", "w", "rw"};
    int fd = lcheck_fd(L, 1);
    FdWaiter waiter = {.want = check_want(L, 2)};
    int64_t deadline = task_deadline(alua_opt_timeout(L, 3));
    LuaTask *task = task_check_can_park(L);
    ParkResult why = PARK_WOKEN;
    struct LuaFdWatch *watch;

    if (!lcheck_fd_is_open(fd)) {
        return lcheck_fail_fd(L, fd, "wait_fd");
    }
    watch = watch_get(L, lcontext_of_task(alua_vm(L), task), fd);
    waiter.task = task;
    watch_link(watch, &waiter);
    while (!waiter.got && why == PARK_WOKEN) {
        why = task_park(task, PARK_ON_WORLD, deadline);
    }
    watch_unlink(watch, &waiter);
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, task);
    }
    if (!waiter.got) {
        return alua_timeout(L);
    }
    lua_pushstring(L, results[waiter.got]);
    return 1;
}

static const luaL_Reg wait_functions[] = {
    {"wait_fd", wait_fd},
    {NULL, NULL},
};

void lwait_open(lua_State *L)
{
    alua_setfuncs(L, wait_functions);
}
