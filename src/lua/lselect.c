/*
 * lselect.c - aio.select: a task waits for the first of several things
 *
 * What can be waited for in a queue (channels, tasks, semaphores, events) is a
 * LuaSource; descriptors, seconds and channels that other threads have, too,
 * are cases of their own.  First each source is tried in order.  If none can
 * serve, the task stands in all their queues at once, and whoever serves it in
 * one takes it out of the others: so a value is taken from one channel only,
 * and from none after a time-out.  With a shared channel among them other
 * threads may serve the task, too: then whoever does takes its claim first
 * (sharedselect.c), and so does the task when it leaves.
 */
#include <errno.h>

#include "lcheck.h"
#include "lcontext.h"
#include "lfdtable.h"
#include "lselect.h"
#include "open.h"
#include "task_private.h"

enum { FEW_CASES = 8 };

typedef struct Select {
    LuaTask *task;
    LuaContext *owner;
    SelectCase *cases;
    int count;
    int64_t deadline;
    const SelectCase *late; /* whose seconds the deadline is; NULL: sec */
    bool has_fds;
    bool limited;       /* the deadline is known */
    SharedClaim *claim; /* &own when there are shared channels */
    SharedClaim own;
} Select;

/* Puts the key of @c below the @n results on top. */
static int with_key(lua_State *L, const SelectCase *c, int n)
{
    lua_pushvalue(L, c->at - 1);
    lua_insert(L, -n - 1);
    return n + 1;
}

/* Channels become shared at any time while tasks wait. */
static void find_shared(Select *s)
{
    s->claim = NULL;
    s->own = (SharedClaim){false};
    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];

        c->chan =
            c->source == &chan_source ? ((LuaChan *)c->object)->shared : NULL;
        if (c->chan) {
            s->claim = &s->own;
        }
    }
}

/* Messages that are not put go back. */
static void unpack_others(Select *s, const SelectCase *chosen)
{
    for (int i = 0; s->claim && i < s->count; i++) {
        if (&s->cases[i] != chosen) {
            select_unpack(&s->cases[i]);
        }
    }
}

static int finish_shared(lua_State *L, Select *s, SelectCase *c)
{
    unpack_others(s, c);
    return with_key(L, c, select_finish_shared(L, c, s->task));
}

static int try_shared(lua_State *L, Select *s, SelectCase *c)
{
    if (!select_pack(L, c)) {
        unpack_others(s, NULL);
        lua_error(L);
    }
    return select_try_shared(c) ? finish_shared(L, s, c) : 0;
}

/* The first case that can be served without waiting: its results, or 0. */
static int try_cases(lua_State *L, Select *s)
{
    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];
        int n = -1, results = 0;

        if (c->chan) {
            results = try_shared(L, s, c);
        } else if (c->source) {
            n = c->source->try(L, c->object, c->at, c->value);
        } else if (c->fd >= 0 && !lcheck_fd_is_open(c->fd)) {
            n = lcheck_fail_fd(L, c->fd, "select");
        }
        if (n >= 0) {
            unpack_others(s, NULL);
            return with_key(L, c, n);
        }
        if (results) {
            return results;
        }
    }
    return 0;
}

static void queue_sources(lua_State *L, Select *s)
{
    Waiter *first = NULL;
    Waiter *last = NULL;

    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];

        if (c->chan) {
            select_queue_shared(c, s->task, s->claim);
        } else if (c->source) {
            Waiter *w = &c->wait.waiter;

            c->wait = (LuaSyncWait){.L = L, .value = c->value};
            w->slot = &c->wait;
            waitq_append(c->source->queue(c->object, c->value), w, s->task);
            w->claim = s->claim;
            first = first ? first : w;
            *(last ? &last->sibling : &first->sibling) = w;
            w->sibling = first;
            last = w;
        }
    }
}

static void unqueue_sources(Select *s)
{
    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];

        if (c->chan) {
            sharedwait_unqueue(c->chan, &c->shared);
        } else if (c->source) {
            waitq_remove(&c->wait.waiter);
        }
    }
}

static void unqueue_fds(Select *s, int count)
{
    for (int i = 0; i < count; i++) {
        if (!s->cases[i].source && s->cases[i].fd >= 0) {
            lwait_end(&s->cases[i].fd_wait);
        }
    }
}

static void queue_fds(lua_State *L, Select *s)
{
    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];

        c->fd_wait.task = s->task;
        if (!c->source && c->fd >= 0 &&
            !lwait_begin(s->owner, c->fd, &c->fd_wait)) {
            unqueue_fds(s, i);
            unpack_others(s, NULL);
            luaL_error(L, "not enough memory to watch fd %d", c->fd);
        }
    }
}

static SelectCase *chosen_source(Select *s)
{
    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];

        if (c->chan ? sharedwait_is_decided(c->chan, &c->shared)
                    : c->source && c->wait.waiter.chosen) {
            return c;
        }
    }
    return NULL;
}

/* A source that has served the task goes before a descriptor, for what it gave
 * would be lost. */
static SelectCase *chosen_case(Select *s)
{
    SelectCase *chosen = chosen_source(s);

    for (int i = 0; i < s->count && !chosen; i++) {
        SelectCase *c = &s->cases[i];

        if (!c->source && c->fd >= 0 && c->fd_wait.got) {
            chosen = c;
        }
    }
    return chosen;
}

/* Is what the case was given taken back, for the task is being cancelled? */
static bool undone(lua_State *L, Select *s, SelectCase *c)
{
    if (!c->wait.given || !task_has_pending(s->task)) {
        return false;
    }
    return !c->source->undo || c->source->undo(L, c->object, c->at, &c->wait);
}

static int finish_source(lua_State *L, Select *s, SelectCase *c)
{
    if (c->chan) {
        return finish_shared(L, s, c);
    }
    unpack_others(s, NULL);
    if (undone(L, s, c)) {
        task_throw_pending(L, s->task);
    }
    return with_key(L, c, c->source->finish(L, c->object, c->at, &c->wait));
}

/* 0: to be tried again, for the channel is a shared one now. */
static int finish(lua_State *L, Select *s, SelectCase *c, ParkResult why)
{
    if (c && c->source) {
        if (why == PARK_CANCELLED) {
            task_unreport(s->task);
        }
        return !c->chan && c->wait.moved ? 0 : finish_source(L, s, c);
    }
    unpack_others(s, NULL);
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, s->task);
    }
    if (c) {
        lwait_push(L, c->fd_wait.got);
        return with_key(L, c, 1);
    }
    return s->late ? with_key(L, s->late, 0) : alua_timeout(L);
}

static int wait_for_one(lua_State *L, Select *s)
{
    ParkResult why = PARK_WOKEN;
    ParkKind kind = s->has_fds ? PARK_ON_WORLD : PARK_ON_TASKS;

    queue_fds(L, s);
    queue_sources(L, s);
    SelectCase *c = chosen_case(s);
    while (!c && why == PARK_WOKEN) {
        why = task_park(s->task, kind, s->deadline);
        c = chosen_case(s); /* also one that came with the end of the wait */
    }
    if (s->claim && !(c && c->source) && !claim_take(s->claim)) {
        c = chosen_source(s); /* served by another thread in this moment */
    }
    unqueue_fds(s, s->count);
    unqueue_sources(s);
    return finish(L, s, c, why);
}

/* ---- the function ------------------------------------------------------- */

static void read_limits(Select *s)
{
    if (s->limited) {
        return;
    }
    s->limited = true;
    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];
        int64_t deadline = task_deadline(c->timeout);

        if (c->timeout >= 0 && (s->deadline < 0 || deadline < s->deadline)) {
            s->deadline = deadline;
            s->late = c;
        }
        if (!c->source && c->fd >= 0) {
            s->has_fds = true;
        }
    }
}

/* Raises for one that has a handler. */
static void check_fds(lua_State *L, const Select *s)
{
    for (int i = 0; i < s->count; i++) {
        if (!s->cases[i].source && s->cases[i].fd >= 0) {
            lfdtable_check(L, s->owner, s->cases[i].fd, true);
        }
    }
}

/* 0: again, for a channel became a shared one meanwhile. */
static int run(lua_State *L, Select *s)
{
    find_shared(s);
    if (s->claim) { /* before anything is packed */
        check_fds(L, s);
    }
    int results = try_cases(L, s);
    if (results) {
        return results;
    }
    if (!s->claim) {
        check_fds(L, s);
    }
    read_limits(s);
    return wait_for_one(L, s);
}

/**
 * alias aio.Case =
 *     Chan|Task|Sem|Event|number|aio.PutCase|aio.FdCase|aio.Descriptor
 *
 * A channel, also one between threads (what `get` returns comes after its
 * key), `{put = chan, value = v}`, a task (`pjoin`), an event, a semaphore
 * (`acquire`), a number of seconds, or a descriptor: an object with one, or
 * `{fd = fd, want = "rw"}`.
 */

/**
 * class aio.PutCase
 *
 * put: Chan
 * value: any - what to put
 */

/**
 * class aio.FdCase
 *
 * fd: aio.Descriptor
 * want?: "r"|"w"|"rw" - `"r"` by default
 */

/**
 * aio.select(cases: table<any, aio.Case>, sec?: aio.Wait) -> any key, any ...
 *
 * The key of the case that could go on first, and what its method returns.
 * Waits for the first of several things and does only that one. If several can
 * go on, the first of the list does; keys that are no list come after it.
 */
static int aio_select(lua_State *L)
{
    SelectCase few[FEW_CASES]; /* filled in by select_read() */
    Select s = {.cases = few, .deadline = -1};

    luaL_checktype(L, 1, LUA_TTABLE);
    s.deadline = task_deadline(alua_opt_timeout(L, 2));
    lua_settop(L, 1);
    s.count = select_count(L);
    luaL_argcheck(L, s.count > 0, 1, "there is nothing to wait for");
    if (s.count > FEW_CASES) {
        s.cases = lua_newuserdatauv(L, sizeof(few[0]) * (size_t)s.count, 0);
    }
    luaL_checkstack(L, s.count * SELECT_SLOTS + LUA_MINSTACK, "too many cases");
    select_read(L, s.cases);
    s.task = task_check_can_park(L);
    s.owner = lcontext_of_task(alua_vm(L), s.task);
    int results;
    do { /* ends: a channel becomes shared once */
        results = run(L, &s);
    } while (!results);
    return results;
}

static const luaL_Reg functions[] = {
    {"select", aio_select},
    {NULL, NULL},
};

void lselect_open(lua_State *L)
{
    select_open_class(L);
    alua_setfuncs(L, functions);
}
