/*
 * lpoll.c - ctx:poll(): one iteration of a loop, asked for by a script
 *
 * Callbacks (and stock Lua code outside of aio.run) are on the loop's own stack
 * and call aio_poll() in place; nesting is the core's business.  A task must
 * not poll on its own C stack, it would run callbacks there.  So it parks:
 *
 * - home context: the VM's loop is running iterations anyway.  The task sleeps
 *   in vm->pollers until one that began after it parked has ended.
 * - any other context: a bottom half in the home context polls it, on the
 *   loop's stack.
 */
#include "lpoll.h"

#include "aioctl/context.h"
#include "block/aio.h"
#include "lcontext.h"
#include "lwait.h"
#include "task.h"
#include "vm_private.h"

/* A task inside home:poll(), on that task's C stack. */
struct LuaPoller {
    LuaTask *task;
    int skip; /* iterations that were under way already */
    bool done;
    bool progress;
    struct LuaPoller *prev, *next;
};

static void poller_link(LuaVM *vm, struct LuaPoller *p)
{
    p->prev = NULL;
    p->next = vm->pollers;
    if (p->next) {
        p->next->prev = p;
    }
    vm->pollers = p;
}

static void poller_unlink(LuaVM *vm, struct LuaPoller *p)
{
    *(p->prev ? &p->prev->next : &vm->pollers) = p->next;
    if (p->next) {
        p->next->prev = p->prev;
    }
}

void lcontext_polled(LuaVM *vm, bool progress)
{
    for (struct LuaPoller *p = vm->pollers; p; p = p->next) {
        if (p->skip > 0) {
            p->skip--;
        } else if (!p->done) {
            p->done = true;
            p->progress = progress;
            task_wake(p->task);
        }
    }
}

static bool poll_home(lua_State *L, LuaContext *home, LuaTask *task,
                      bool blocking)
{
    /* A blocking poll that nothing can end is a deadlock, and reported. */
    ParkKind kind = blocking ? PARK_ON_TASKS : PARK_ON_WORLD;
    struct LuaPoller poller = {
        .task = task,
        .skip = aio_context_is_dispatching(home->ctx),
    };
    ParkResult why = PARK_WOKEN;

    if (!blocking) {
        aio_notify(home->ctx); /* the next iteration does not sleep */
    }
    poller_link(home->vm, &poller);
    while (!poller.done && why == PARK_WOKEN) {
        why = task_park(task, kind, -1);
    }
    poller_unlink(home->vm, &poller);
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, task);
    }
    return poller.progress;
}

/* A task inside poll() of another context, on that task's C stack. */
typedef struct OtherPoll {
    LuaTask *task;
    LuaContext *c;
    bool blocking;
    bool done;
    bool progress;
} OtherPoll;

static void poll_other_bh(void *opaque)
{
    OtherPoll *poll = opaque;

    if (poll->c->ctx) { /* not closed meanwhile */
        poll->progress = aio_poll(poll->c->ctx, poll->blocking);
    }
    poll->done = true;
    task_wake(poll->task);
}

static bool poll_other(lua_State *L, LuaContext *c, LuaTask *task,
                       bool blocking)
{
    OtherPoll poll = {.task = task, .c = c, .blocking = blocking};

    aio_bh_schedule_oneshot(c->vm->home->ctx, poll_other_bh, &poll);
    while (!poll.done) { /* the bottom half needs our stack: no way out */
        task_park_uncancellable(task, PARK_ON_WORLD);
    }
    task_check_can_park(L); /* raises the cancel that came meanwhile */
    return poll.progress;
}

bool lpoll_iteration(lua_State *L, LuaContext *c, bool blocking)
{
    LuaTask *task;

    if (c == c->vm->home && vm_in_drivers_callback(c->vm)) {
        luaL_error(L, "ctx:poll() cannot be called by a callback of GLib: "
                      "aio.spawn() a task for it");
    }
    if (!c->vm->current) {
        lwait_settle(c->vm); /* it may sleep */
        return aio_poll(c->ctx, blocking);
    }
    task = task_check_can_park(L);
    if (c == c->vm->home) {
        return poll_home(L, c, task, blocking);
    }
    return poll_other(L, c, task, blocking);
}
