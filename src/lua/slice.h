/*
 * slice.h - stretches in which Lua holds the loop, and who watches them
 *
 * A slice is one callback, or a task from where it is resumed to where it parks
 * or ends.  Usually nobody watches, and a slice costs two branches.  Watched
 * slices are timed (ctx:set{timing=true}) or guarded (--slow).
 */
#ifndef SLICE_H
#define SLICE_H

#include "hist.h"
#include "vm_private.h"

/* What priv->watch counts: contexts that are timed, and a guard. */
enum { WATCH_GUARD = 1 << 30 };

/* Of one context.  Nanoseconds. */
typedef struct LuaTiming {
    Hist lag;      /* how long what was ready waited for its slice */
    Hist callback; /* how long slices took */
    uint64_t lost; /* not counted: there was no memory */
} LuaTiming;

/* ctx:set{timing=@on}.  False: no memory.  What was counted stays. */
bool slice_set_timing(LuaContext *c, bool on);
void slice_free_timing(LuaContext *c);

/* The next callback should have run at @due_ns. */
static inline void slice_due(LuaVM *vm, int64_t due_ns)
{
    if (unlikely(vm->priv->watch)) {
        vm->priv->due_ns = due_ns;
    }
}

/* A callback of @h begins; returns when, for slice_end_callback(). */
int64_t slice_begin_callback(LuaVM *vm, LuaHandle *h);
/* @h: may be NULL, when it is not known whether it still exists. */
void slice_end_callback(LuaContext *owner, const LuaHandle *h, int64_t began);
void slice_begin_task(LuaTask *t);
void slice_end_task(LuaTask *t);

/* ---- slow.c: the guard --------------------------------------------------- */

/* Around slices, in the VM's thread; @inside: another slice goes on. */
void slow_mark(LuaVM *vm, bool inside);
/* Before the mark that ends a slice: of a callback, or else of a task. */
void slow_check(LuaVM *vm, const LuaHandle *h, LuaTask *t);

#endif
