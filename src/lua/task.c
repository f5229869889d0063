/*
 * task.c - parking, waking and cancelling tasks
 *
 * A parked task waits for exactly one make_ready(): by task_wake(), its timer
 * or a cancel request, whichever is first; what comes second before it runs
 * only improves the reason (a wake wins, a request stays pending).
 *
 * A request to cancel is a fired scope.  It is delivered once, by the task
 * itself at a park: task_park() reports it, task_throw_cancel() raises it on
 * the lua_State of the caller, never from outside.
 */
#include <stdlib.h>

#include "task_private.h"

/* ---- cancel requests ---------------------------------------------------- */

static bool is_suspended(const Scope *s)
{
    return s->L && lua_status(s->L) == LUA_YIELD;
}

/* The scope whose request may be delivered now: the outermost one that no
 * shield hides. */
static Scope *pending_scope(LuaTask *t)
{
    Scope *found = NULL;

    for (Scope *s = t->scope; s; s = s->outer) {
        if (is_suspended(s)) {
            continue;
        }
        if (s->kind == SCOPE_SHIELD) {
            break;
        }
        found = s->fired ? s : found;
    }
    return found;
}

bool task_has_pending(LuaTask *t)
{
    return unlikely(t->fired) && pending_scope(t);
}

static void report(LuaTask *t, Scope *s)
{
    s->fired = false;
    t->fired--;
    t->throwing = s;
}

void task_unreport(LuaTask *t)
{
    t->throwing->fired = true;
    t->fired++;
    t->throwing = NULL;
}

void task_fire(Scope *scope)
{
    LuaTask *t = scope->task;

    if (scope->fired) {
        return;
    }
    scope->fired = true;
    t->fired++;
    if (t->state == TASK_PARKED && !t->queued && !t->deaf && pending_scope(t)) {
        t->reason = PARK_CANCELLED;
        task_make_ready(t);
    }
}

void task_request_cancel(LuaTask *t)
{
    task_fire(&t->root);
}

void scope_push(lua_State *L, int index, LuaTask *t, ScopeKind kind)
{
    Scope *s = lua_touserdata(L, index);

    if (L != t->L) {
        lua_pushthread(L);
        lua_setiuservalue(L, index, UV_SCOPE_THREAD);
        s->L = L;
    }
    s->kind = kind;
    s->task = t;
    s->outer = t->scope;
    s->open = true;
    t->scope = s;
}

/* Scopes of user coroutines that were closed out of order may lie between. */
void scope_pop(Scope *s)
{
    LuaTask *t = s->task;

    if (!s->open) {
        return;
    }
    s->open = false;
    for (Scope **link = &t->scope; *link; link = &(*link)->outer) {
        if (*link == s) {
            *link = s->outer;
            break;
        }
    }
    if (s->fired) { /* undelivered: gone with its scope */
        s->fired = false;
        t->fired--;
    }
    if (t->throwing == s) {
        t->throwing = NULL;
    }
    if (s->timer) {
        timer_del(s->timer);
        s->timer = NULL;
        t->vm->active--;
    }
}

void scope_pop_all(LuaTask *t)
{
    while (t->scope != &t->root) {
        Scope *s = t->scope;

        scope_pop(s);
        if (s->kind == SCOPE_GROUP) {
            group_detach(s);
        }
        alua_unanchor(t->L, &s->object);
    }
}

_Noreturn void task_throw_cancel(lua_State *L, LuaTask *t)
{
    Scope *s = t->throwing;

    CHECK(s != NULL);
    t->throwing = NULL;
    s->threw = true;
    luaL_checkstack(L, 3, NULL);
    if (s->kind == SCOPE_ROOT) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_cancelled);
    } else {
        alua_pushanchored(L, &s->object);
    }
    lua_error(L);
    abort();
}

_Noreturn void task_throw_pending(lua_State *L, LuaTask *t)
{
    report(t, pending_scope(t));
    task_throw_cancel(L, t);
}

/* ---- park and wake ------------------------------------------------------ */

int64_t task_deadline(int64_t timeout_ns)
{
    if (timeout_ns < 0) {
        return -1;
    }
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    return timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

uint64_t task_id(const LuaTask *t)
{
    return t->id;
}

AioContext *task_context(const LuaTask *t)
{
    return t->vm->home->ctx;
}

AioChain *task_chain(const LuaTask *t)
{
    return t->link ? &t->link->chain : NULL;
}

void task_wake(LuaTask *t)
{
    if (t->state != TASK_PARKED) {
        t->woken = true;
    } else if (t->queued) {
        t->reason = PARK_WOKEN; /* wins over a time-out of the same moment */
    } else {
        t->reason = PARK_WOKEN;
        task_make_ready(t);
    }
}

void task_late(void *opaque)
{
    LuaTask *t = opaque;

    if (t->state == TASK_PARKED && !t->queued) {
        t->reason = PARK_TIMEOUT;
        task_make_ready(t);
        t->ready_ns = t->ready_ns ? t->due_ns : 0;
    }
}

static void park_switch(LuaTask *t)
{
    t->state = TASK_PARKED;
    task_flow_leave(t);
    qemu_coroutine_yield();
    task_flow_enter(t);
}

/* A wait that the world can end; the VM counts it. */
static void park_counted(LuaTask *t, int64_t deadline_ns)
{
    LuaVM *vm = t->vm;
    bool timed = deadline_ns >= 0 && deadline_ns != INT64_MAX;

    t->countable = true;
    t->counted = !t->unrefd;
    vm->active += t->counted;
    if (timed) {
        t->due_ns = deadline_ns;
        timer_mod_ns(&t->timer, deadline_ns);
    }
    park_switch(t);
    if (timed && timer_pending(&t->timer)) {
        timer_del(&t->timer);
    }
    vm->active -= t->counted;
    t->counted = t->countable = false;
}

static inline ParkResult park(LuaTask *t, ParkKind kind, int64_t deadline_ns)
{
    DCHECK(t->vm->current == t);
    if (t->woken) {
        t->woken = false;
        return PARK_WOKEN;
    }
    if (unlikely(t->fired) && !t->deaf) {
        Scope *s = pending_scope(t);

        if (s) {
            report(t, s);
            return PARK_CANCELLED;
        }
    }
    if (kind == PARK_ON_WORLD ||
        (deadline_ns >= 0 && deadline_ns != INT64_MAX)) {
        park_counted(t, deadline_ns);
    } else {
        park_switch(t);
    }
    if (unlikely(t->reason == PARK_CANCELLED)) {
        Scope *s = pending_scope(t);

        if (!s) {
            return PARK_WOKEN; /* the scope was closed by somebody else */
        }
        report(t, s);
    }
    return t->reason;
}

ParkResult task_park(LuaTask *t, ParkKind kind, int64_t deadline_ns)
{
    return park(t, kind, deadline_ns);
}

void task_park_uncancellable(LuaTask *t, ParkKind kind)
{
    t->deaf = true;
    park(t, kind, -1);
    t->deaf = false;
}

void task_yield(lua_State *L, LuaTask *t)
{
    t->reason = PARK_WOKEN;
    task_make_ready(t);
    park_switch(t);
    if (task_has_pending(t)) {
        task_throw_pending(L, t);
    }
}

/* Why parking is refused, in the order of what helps the user most. */
static void refuse_park(lua_State *L, LuaVM *vm)
{
    vm_check_thread(L, vm);
    if (vm->callback) {
        char what[160];

        handle_describe(vm->callback, what, sizeof(what));
        luaL_error(L,
                   "cannot park in a callback (%s): start a task with "
                   "aio.spawn()",
                   what);
    }
    if (!vm->current) {
        luaL_error(L, "cannot park outside of a task: use aio.run() or "
                      "aio.spawn()");
    }
    if (lua_gc(L, LUA_GCCOUNT, 0) < 0) {
        luaL_error(L, "cannot park in a finalizer (__gc)");
    }
    luaL_error(L, "cannot park: the calling Lua thread is not the one that "
                  "the task is running");
}

static inline bool may_park(lua_State *L, const LuaTask *t)
{
    return t && L == t->vm->priv->inner && !t->vm->callback &&
           lua_gc(L, LUA_GCCOUNT, 0) >= 0;
}

bool task_may_park(lua_State *L)
{
    return may_park(L, task_on_this_stack());
}

LuaTask *task_check_can_park(lua_State *L)
{
    LuaTask *t = task_on_this_stack();

    if (unlikely(!may_park(L, t))) {
        refuse_park(L, alua_vm(L));
    }
    if (task_has_pending(t)) {
        task_throw_pending(L, t);
    }
    t->woken = false; /* a wake meant for an earlier wait */
    return t;
}
