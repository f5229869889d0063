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
#include "lwait.h"
#include "open.h"

struct LuaFdWatch {
    LuaContext *owner;
    int fd;
    int interest; /* what the core's handler watches */
    LuaFdWaiter *head, *tail;
};

static void watch_ready(struct LuaFdWatch *watch, int event)
{
    for (LuaFdWaiter *w = watch->head; w; w = w->next) {
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
    watch_ready(opaque, LWAIT_READ);
}

static void watch_on_write(void *opaque)
{
    watch_ready(opaque, LWAIT_WRITE);
}

/* Make the core watch what the waiters want; nothing when there are none. */
static void watch_update(struct LuaFdWatch *watch)
{
    int interest = 0;

    for (LuaFdWaiter *w = watch->head; w; w = w->next) {
        interest |= w->want;
    }
    if (interest == watch->interest) {
        return;
    }
    watch->interest = interest;
    aio_set_fd_handler(watch->owner->ctx, watch->fd, false,
                       interest & LWAIT_READ ? watch_on_read : NULL,
                       interest & LWAIT_WRITE ? watch_on_write : NULL, NULL,
                       NULL, watch);
}

static void watch_link(struct LuaFdWatch *watch, LuaFdWaiter *w)
{
    w->prev = watch->tail;
    w->next = NULL;
    *(watch->tail ? &watch->tail->next : &watch->head) = w;
    watch->tail = w;
    watch_update(watch);
}

static void watch_unlink(struct LuaFdWatch *watch, LuaFdWaiter *w)
{
    *(w->prev ? &w->prev->next : &watch->head) = w->next;
    *(w->next ? &w->next->prev : &watch->tail) = w->prev;
    watch_update(watch);
    if (!watch->head) {
        lfdtable_drop(watch->owner, watch->fd);
        free(watch);
    }
}

/* The watch of @fd, created when this is the first waiter; NULL: no memory. */
static struct LuaFdWatch *watch_get(LuaContext *owner, int fd)
{
    struct LuaFdWatch *watch = lfdtable_watch(owner, fd);

    if (watch) {
        return watch;
    }
    watch = calloc(1, sizeof(*watch));
    if (watch) {
        watch->owner = owner;
        watch->fd = fd;
        lfdtable_claim_watch(owner, fd, watch);
    }
    return watch;
}

bool lwait_begin(LuaContext *owner, int fd, LuaFdWaiter *w)
{
    w->watch = watch_get(owner, fd);
    w->got = 0;
    if (w->watch) {
        watch_link(w->watch, w);
    }
    return w->watch != NULL;
}

void lwait_end(LuaFdWaiter *w)
{
    watch_unlink(w->watch, w);
}

bool lwait_wake(const LuaContext *owner, int fd)
{
    struct LuaFdWatch *watch = lfdtable_watch(owner, fd);

    if (watch) {
        watch_ready(watch, LWAIT_READ | LWAIT_WRITE);
    }
    return watch != NULL;
}

void lwait_push(lua_State *L, int got)
{
    static const char *const results[] = {NULL, "r", "w", "rw"};

    lua_pushstring(L, results[got]);
}

int lwait_check_want(lua_State *L, int arg)
{
    static const char *const names[] = {"r", "w", "rw", NULL};
    static const int wants[] = {LWAIT_READ, LWAIT_WRITE,
                                LWAIT_READ | LWAIT_WRITE};

    return wants[luaL_checkoption(L, arg, NULL, names)];
}

int lwait_fd(lua_State *L, int fd, int want, int64_t deadline_ns)
{
    LuaTask *task = task_check_can_park(L);
    LuaContext *owner = lcontext_of_task(alua_vm(L), task);
    LuaFdWaiter waiter = {.task = task, .want = want};
    ParkResult why = PARK_WOKEN;

    lfdtable_check(L, owner, fd, true);
    if (!lwait_begin(owner, fd, &waiter)) {
        luaL_error(L, "not enough memory to watch fd %d", fd);
    }
    while (!waiter.got && why == PARK_WOKEN) {
        why = task_park(task, PARK_ON_WORLD, deadline_ns);
    }
    lwait_end(&waiter);
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, task);
    }
    return waiter.got;
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
    int fd = lcheck_fd(L, 1);
    int want = lwait_check_want(L, 2);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 3));

    task_check_can_park(L);
    if (!lcheck_fd_is_open(fd)) {
        return lcheck_fail_fd(L, fd, "wait_fd");
    }
    int got = lwait_fd(L, fd, want, deadline);
    if (!got) {
        return alua_timeout(L);
    }
    lwait_push(L, got);
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
