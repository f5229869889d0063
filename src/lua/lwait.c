/*
 * lwait.c - aio.wait_fd: a task waits until a file descriptor is ready
 *
 * All tasks that wait for one descriptor share one LuaFdWatch, which holds the
 * core's handler for it (one handler per descriptor is all there can be).  The
 * waiters live on the C stacks of their tasks.  The rule: readiness only marks
 * and wakes them; each one unlinks itself when it runs.  So no list changes
 * under the callback that walks it.
 *
 * A task that was woken usually reads and waits again.  So the last one leaves
 * the watch as it is, in doubt: a busy loop changes nothing in the kernel.  But
 * nobody tells us when a script closes the descriptor, and its number may soon
 * be another file's.  Before the loop sleeps (or when it has not for a while)
 * lwait_settle() ends what nobody waits for and registers the rest anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "base/counted.h"
#include "lcheck.h"
#include "lcontext.h"
#include "lfdtable.h"
#include "lwait.h"
#include "open.h"
#include "vm_private.h"

struct LuaFdWatch {
    LuaContext *owner;
    int fd;
    int interest; /* what the core's handler watches */
    LuaFdWaiter *head, *tail;
    bool doubted; /* on priv->doubts */
    struct LuaFdWatch *prev_doubt, *next_doubt;
};

/* ---- watches in doubt ---------------------------------------------------- */

static void doubt_begin(struct LuaFdWatch *watch)
{
    LuaVMPrivate *priv = watch->owner->vm->priv;

    if (watch->doubted) {
        return;
    }
    watch->doubted = true;
    watch->prev_doubt = NULL;
    watch->next_doubt = priv->doubts;
    if (watch->next_doubt) {
        watch->next_doubt->prev_doubt = watch;
    }
    priv->doubts = watch;
}

static void doubt_end(struct LuaFdWatch *watch)
{
    LuaVMPrivate *priv = watch->owner->vm->priv;

    if (!watch->doubted) {
        return;
    }
    watch->doubted = false;
    *(watch->prev_doubt ? &watch->prev_doubt->next_doubt : &priv->doubts) =
        watch->next_doubt;
    if (watch->next_doubt) {
        watch->next_doubt->prev_doubt = watch->prev_doubt;
    }
}

/* ---- the loop's handler -------------------------------------------------- */

/* Its number may have become that of a descriptor inside of the loop. */
static bool watch_is_ours(const struct LuaFdWatch *watch)
{
    return aio_fd_handler_opaque(watch->owner->ctx, watch->fd) == watch;
}

static void watch_free(struct LuaFdWatch *watch)
{
    doubt_end(watch);
    if (watch_is_ours(watch)) {
        aio_set_fd_handler(watch->owner->ctx, watch->fd, false, NULL, NULL,
                           NULL, NULL, NULL);
    }
    lfdtable_drop(watch->owner, watch->fd);
    free_counted(watch); /* in no list any more, which the analyzer misses */
}

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
    if (unlikely(!watch->head)) {
        watch_free(watch); /* nobody waits any more */
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

static void watch_register(struct LuaFdWatch *watch)
{
    aio_set_fd_handler(watch->owner->ctx, watch->fd, false,
                       watch->interest & LWAIT_READ ? watch_on_read : NULL,
                       watch->interest & LWAIT_WRITE ? watch_on_write : NULL,
                       NULL, NULL, watch);
}

/* Make the core watch what the waiters want. */
static void watch_update(struct LuaFdWatch *watch)
{
    int interest = 0;

    for (LuaFdWaiter *w = watch->head; w; w = w->next) {
        interest |= w->want;
    }
    if (interest != watch->interest) {
        watch->interest = interest;
        watch_register(watch);
    }
}

static void watch_settle(struct LuaFdWatch *watch)
{
    if (!watch->head) {
        watch_free(watch);
        return;
    }
    doubt_end(watch);
    if (watch_is_ours(watch) && lcheck_fd_is_open(watch->fd)) {
        watch_register(watch);
        return;
    }
    for (LuaFdWaiter *w = watch->head; w; w = w->next) {
        w->gone = true;
    }
    watch_ready(watch, LWAIT_READ | LWAIT_WRITE);
}

void lwait_settle(LuaVM *vm)
{
    while (vm->priv->doubts) { /* each step ends one doubt */
        watch_settle(vm->priv->doubts);
    }
}

void lwait_let_go(struct LuaFdWatch *watch)
{
    if (!watch->head) {
        watch_free(watch);
    }
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
    if (watch->head) {
        watch_update(watch);
    } else if (w->got && !w->gone) {
        doubt_begin(watch);
    } else {
        watch_free(watch);
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
    w->gone = false;
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
    const char *name = lua_tostring(L, arg);

    if (name && name[0] == 'r' && name[1] == '\0') {
        return LWAIT_READ; /* by far the most frequent */
    }
    return wants[luaL_checkoption(L, arg, NULL, names)];
}

/* Fills in @w while it waits; its task may park. */
static void wait_until(lua_State *L, LuaContext *owner, LuaFdWaiter *w, int fd,
                       int64_t deadline_ns)
{
    ParkResult why = PARK_WOKEN;

    if (!lfdtable_watch(owner, fd)) {
        lfdtable_check(L, owner, fd, true);
    }
    if (!lwait_begin(owner, fd, w)) {
        luaL_error(L, "not enough memory to watch fd %d", fd);
    }
    while (!w->got && why == PARK_WOKEN) {
        why = task_park(w->task, PARK_ON_WORLD, deadline_ns);
    }
    lwait_end(w);
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, w->task);
    }
}

int lwait_fd(lua_State *L, int fd, int want, int64_t deadline_ns)
{
    LuaTask *task = task_check_can_park(L);
    LuaFdWaiter waiter = {.task = task, .want = want};

    wait_until(L, lcontext_of_task(alua_vm(L), task), &waiter, fd, deadline_ns);
    return waiter.got;
}

/**
 * aio.wait_fd(fd: aio.Descriptor, want: "r"|"w"|"rw", sec?: aio.Wait) ->
 *     "r"|"w"|"rw"!
 *
 * What it is ready for: readable, writable (an error or hang-up counts as
 * both). Parks. Also from several tasks for one descriptor: all are woken.
 * Between two waits it stays watched as long as the loop is busy: one that was
 * closed and opened anew in between is noticed before the loop sleeps. Raises
 * when it has an `aio.fd` handler.
 */
static int wait_fd(lua_State *L)
{
    int fd = lcheck_fd(L, 1);
    int want = lwait_check_want(L, 2);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 3));
    LuaTask *task = task_check_can_park(L);
    LuaContext *owner = lcontext_of_task(alua_vm(L), task);
    LuaFdWaiter waiter = {.task = task, .want = want};

    /* Of one that is watched already lwait_settle() finds it out. */
    waiter.gone = !lfdtable_watch(owner, fd) && !lcheck_fd_is_open(fd);
    if (!waiter.gone) {
        wait_until(L, owner, &waiter, fd, deadline);
    }
    if (unlikely(waiter.gone)) {
        return lcheck_fail_fd(L, fd, "wait_fd");
    }
    if (!waiter.got) {
        return alua_timeout(L);
    }
    lwait_push(L, waiter.got);
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
