/*
 * slice.c - how long slices take, and how long they had to wait
 *
 * The lag of a timer (and of a task that sleeps) counts from its deadline, that
 * of another task from its wake-up, and that of any other callback from the
 * moment in which the loop looked for what is ready.
 *
 * All of it is opt-in, because it reads the clock twice per slice.
 */
#include "slice.h"

#include <stdlib.h>

#include "aioctl/context.h"
#include "base/clock.h"
#include "task_private.h"

bool slice_set_timing(LuaContext *c, bool on)
{
    if (on == c->timed) {
        return true;
    }
    if (!c->timing) {
        c->timing = calloc(1, sizeof(*c->timing));
        if (!c->timing) {
            return false;
        }
    }
    c->timed = on;
    c->vm->priv->watch += on ? 1 : -1;
    aio_context_set_timed(c->ctx, on);
    return true;
}

void slice_free_timing(LuaContext *c)
{
    slice_set_timing(c, false);
    if (c->timing) {
        hist_free(&c->timing->lag);
        hist_free(&c->timing->callback);
        free(c->timing);
        c->timing = NULL;
    }
}

static void record(LuaTiming *timing, Hist *hist, int64_t ns)
{
    timing->lost += !hist_record(hist, ns > 0 ? ns : 0, 1);
}

int64_t slice_begin_callback(LuaVM *vm, LuaHandle *h)
{
    LuaContext *owner = h->owner;
    int64_t due = vm->priv->due_ns;

    vm->priv->due_ns = 0;
    if (vm->priv->watch & WATCH_GUARD) {
        slow_mark(vm, true);
    }
    if (!owner->timed) {
        return 0;
    }
    int64_t now = clock_monotonic_ns();

    due = due ? due : aio_context_looked_ns(owner->ctx);
    if (due) { /* not so in what runs inside of the wait */
        record(owner->timing, &owner->timing->lag, now - due);
    }
    return now;
}

void slice_end_callback(LuaContext *owner, const LuaHandle *h, int64_t began)
{
    LuaVM *vm = owner->vm;

    if (vm->priv->watch & WATCH_GUARD) {
        slow_check(vm, h, NULL);
        slow_mark(vm, vm->priv->inner != NULL);
    }
    if (began && owner->timed) {
        record(owner->timing, &owner->timing->callback,
               clock_monotonic_ns() - began);
    }
}

void slice_begin_task(LuaTask *t)
{
    LuaContext *home = t->vm->home;

    if (t->vm->priv->watch & WATCH_GUARD) {
        slow_mark(t->vm, true);
    }
    t->began_ns = 0;
    if (home && home->timed) {
        t->began_ns = clock_monotonic_ns();
        if (t->ready_ns) {
            record(home->timing, &home->timing->lag, t->began_ns - t->ready_ns);
        }
    }
    t->ready_ns = 0;
}

void slice_end_task(LuaTask *t)
{
    LuaContext *home = t->vm->home;

    if (t->vm->priv->watch & WATCH_GUARD) {
        slow_check(t->vm, NULL, t);
        slow_mark(t->vm, t->outer_inner != NULL);
    }
    if (t->began_ns && home && home->timed) {
        record(home->timing, &home->timing->callback,
               clock_monotonic_ns() - t->began_ns);
    }
}
