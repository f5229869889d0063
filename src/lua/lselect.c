/*
 * lselect.c - aio.select: a task waits for the first of several things
 *
 * What can be waited for in a queue (channels, tasks, semaphores, events) is a
 * LuaSource; descriptors and seconds are cases of their own.  First each source
 * is tried in order.  If none can serve, the task stands in all their queues at
 * once, and whoever serves it in one takes it out of the others: so a value is
 * taken from one channel only, and from none after a time-out.
 *
 * On the Lua stack each case has three slots: key, source, and what is put.
 */
#include <errno.h>

#include "lcheck.h"
#include "lcontext.h"
#include "lfdtable.h"
#include "lsync.h"
#include "lwait.h"
#include "open.h"
#include "task_private.h"

enum { SLOTS = 3, FEW_CASES = 8 };

typedef struct SelectCase {
    const LuaSource *source; /* NULL: a descriptor, or (fd < 0) seconds */
    void *object;
    int at;    /* where the source is on the stack; its key is below it */
    int value; /* where what is put is; 0: nothing is */
    int fd;
    int64_t timeout;
    LuaSyncWait wait;
    LuaFdWaiter fd_wait;
} SelectCase;

typedef struct Select {
    LuaTask *task;
    LuaContext *owner;
    SelectCase *cases;
    int count;
    int64_t deadline;
    const SelectCase *late; /* whose seconds the deadline is; NULL: sec */
    bool has_fds;
} Select;

/* ---- reading the cases -------------------------------------------------- */

typedef struct SourceClass {
    const AluaClass *cls;
    const LuaSource *source;
} SourceClass;

static const SourceClass source_classes[] = {
    {&chan_class, &chan_source},
    {&task_class, &task_source},
    {&sem_class, &sem_source},
    {&event_class, &event_source},
};

static const LuaSource *source_of(lua_State *L, int at)
{
    for (size_t i = 0; i < sizeof(source_classes) / sizeof(SourceClass); i++) {
        if (alua_test(L, at, source_classes[i].cls)) {
            return source_classes[i].source;
        }
    }
    return NULL;
}

/* Raises: what is wrong is at @arg. */
static void bad_case(lua_State *L, const SelectCase *c, int arg,
                     const char *why)
{
    const char *got = luaL_typename(L, arg);

    luaL_error(L, "case '%s' of select: %s, got %s",
               luaL_tolstring(L, c->at - 1, NULL), why, got);
}

/* {put = chan, value = v} */
static void read_put(lua_State *L, SelectCase *c)
{
    if (!alua_test(L, -1, &chan_class)) {
        bad_case(L, c, -1, "put wants a channel");
    }
    c->source = &chan_source;
    c->value = c->at + 1;
    lua_getfield(L, c->at, "value");
    if (lua_isnil(L, -1)) {
        luaL_error(L, "case '%s' of select: value to put expected, got nil",
                   luaL_tolstring(L, c->at - 1, NULL));
    }
    lua_replace(L, c->value);
    lua_replace(L, c->at);
    c->object = lua_touserdata(L, c->at);
}

/* {fd = descriptor, want = "r"} */
static void read_fd(lua_State *L, SelectCase *c)
{
    c->fd = lcheck_fd(L, lua_gettop(L));
    c->fd_wait.want = LWAIT_READ;
    if (lua_getfield(L, c->at, "want") != LUA_TNIL) {
        c->fd_wait.want = lwait_check_want(L, lua_gettop(L));
    }
    lua_pop(L, 2);
}

static void read_table(lua_State *L, SelectCase *c)
{
    if (lua_getfield(L, c->at, "put") != LUA_TNIL) {
        read_put(L, c);
        return;
    }
    lua_pop(L, 1);
    if (lua_getfield(L, c->at, "fd") == LUA_TNIL) {
        bad_case(L, c, c->at,
                 "{put = chan, value = v} or {fd = fd, want = 'r'} "
                 "expected");
    }
    read_fd(L, c);
}

/* Key and source are the two values on top; leaves SLOTS values. */
static void read_case(lua_State *L, SelectCase *c)
{
    *c = (SelectCase){.at = lua_gettop(L), .fd = -1, .timeout = -1};
    lua_pushnil(L);
    c->source = source_of(L, c->at);
    if (c->source) {
        c->object = lua_touserdata(L, c->at);
    } else if (lua_type(L, c->at) == LUA_TNUMBER) {
        if (!(lua_tonumber(L, c->at) >= 0)) { /* nor NaN */
            luaL_error(L,
                       "case '%s' of select: seconds that are not negative "
                       "expected, got %f",
                       luaL_tolstring(L, c->at - 1, NULL),
                       lua_tonumber(L, c->at));
        }
        c->timeout = alua_opt_seconds(L, c->at);
    } else if (lua_istable(L, c->at) &&
               luaL_getmetafield(L, c->at, "__index") == LUA_TNIL) {
        read_table(L, c);
    } else if (lua_isuserdata(L, c->at) || lua_istable(L, c->at)) {
        lua_settop(L, c->at + 1);
        c->fd = lcheck_fd(L, c->at);
        c->fd_wait.want = LWAIT_READ;
    } else {
        bad_case(L, c, c->at,
                 "channel, task, semaphore, event, descriptor or "
                 "seconds expected");
    }
    lua_settop(L, c->at + 1);
}

/* The list first, in its order: that is the order of precedence. */
static void read_cases(lua_State *L, Select *s)
{
    lua_Integer length = (lua_Integer)lua_rawlen(L, 1);
    SelectCase *c = s->cases;

    for (lua_Integer i = 1; i <= length; i++) {
        lua_pushinteger(L, i);
        lua_rawgeti(L, 1, i);
        read_case(L, c++);
    }
    for (lua_pushnil(L); lua_next(L, 1);) {
        if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 &&
            lua_tointeger(L, -2) <= length) {
            lua_pop(L, 1);
            continue;
        }
        lua_pushvalue(L, -2);
        lua_insert(L, -2); /* step key, key, source */
        read_case(L, c++);
        lua_rotate(L, -SLOTS - 1, -1); /* key, source, value, step key */
        c[-1].at--;
        c[-1].value -= c[-1].value > 0;
    }
}

static int count_cases(lua_State *L)
{
    int count = 0;

    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        count++;
    }
    return count;
}

/* ---- waiting ------------------------------------------------------------ */

/* Puts the key of @c below the @n results on top. */
static int with_key(lua_State *L, const SelectCase *c, int n)
{
    lua_pushvalue(L, c->at - 1);
    lua_insert(L, -n - 1);
    return n + 1;
}

/* The first case that can be served without waiting: its results, or 0. */
static int try_cases(lua_State *L, Select *s)
{
    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];
        int n = -1;

        if (c->source) {
            n = c->source->try(L, c->object, c->at, c->value);
        } else if (c->fd >= 0 && !lcheck_fd_is_open(c->fd)) {
            n = lcheck_fail_fd(L, c->fd, "select");
        }
        if (n >= 0) {
            return with_key(L, c, n);
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

        if (c->source) {
            Waiter *w = &c->wait.waiter;

            c->wait = (LuaSyncWait){.L = L, .value = c->value};
            w->slot = &c->wait;
            waitq_append(c->source->queue(c->object, c->value), w, s->task);
            first = first ? first : w;
            *(last ? &last->sibling : &first->sibling) = w;
            w->sibling = first;
            last = w;
        }
    }
}

static void unqueue(Select *s, int count)
{
    for (int i = 0; i < count; i++) {
        SelectCase *c = &s->cases[i];

        if (c->source) {
            waitq_remove(&c->wait.waiter);
        } else if (c->fd >= 0) {
            lwait_end(&c->fd_wait);
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
            unqueue(s, i);
            luaL_error(L, "not enough memory to watch fd %d", c->fd);
        }
    }
}

static SelectCase *chosen_case(Select *s)
{
    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];

        if (c->source ? c->wait.waiter.chosen : c->fd >= 0 && c->fd_wait.got) {
            return c;
        }
    }
    return NULL;
}

/* Is what the case was given taken back, for the task is being cancelled? */
static bool undone(lua_State *L, Select *s, SelectCase *c)
{
    if (!c->wait.given || !task_has_pending(s->task)) {
        return false;
    }
    return !c->source->undo || c->source->undo(L, c->object, c->at, &c->wait);
}

static int finish(lua_State *L, Select *s, SelectCase *c, ParkResult why)
{
    if (c && c->source) {
        if (why == PARK_CANCELLED) {
            task_unreport(s->task);
        }
        if (undone(L, s, c)) {
            task_throw_pending(L, s->task);
        }
        return with_key(L, c, c->source->finish(L, c->object, c->at, &c->wait));
    }
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
    while (!chosen_case(s) && why == PARK_WOKEN) {
        why = task_park(s->task, kind, s->deadline);
    }
    SelectCase *c =
        chosen_case(s); /* also one that came with the end of the wait */
    unqueue(s, s->count);
    return finish(L, s, c, why);
}

/* ---- the function ------------------------------------------------------- */

static void read_limits(lua_State *L, Select *s)
{
    for (int i = 0; i < s->count; i++) {
        SelectCase *c = &s->cases[i];
        int64_t deadline = task_deadline(c->timeout);

        if (c->timeout >= 0 && (s->deadline < 0 || deadline < s->deadline)) {
            s->deadline = deadline;
            s->late = c;
        }
        if (!c->source && c->fd >= 0) {
            lfdtable_check(L, s->owner, c->fd, true);
            s->has_fds = true;
        }
    }
}

/*
 * aio.select(cases [, sec]) -> key, results
 * Wait until one of @cases can go on, and do only that one.  A case is a
 * channel (get), {put = chan, value = v}, a task (pjoin), a semaphore
 * (acquire), an event (wait), seconds, {fd =, want =} or something with a
 * descriptor (wait_fd).  Returns its key and what its method returns.  If
 * several can, the first of the list does.  nil, "timeout", ETIMEDOUT.
 */
static int aio_select(lua_State *L)
{
    SelectCase few[FEW_CASES] = {{0}};
    Select s = {.cases = few, .deadline = -1};

    luaL_checktype(L, 1, LUA_TTABLE);
    s.deadline = task_deadline(alua_opt_timeout(L, 2));
    lua_settop(L, 1);
    s.count = count_cases(L);
    luaL_argcheck(L, s.count > 0, 1, "there is nothing to wait for");
    if (s.count > FEW_CASES) {
        s.cases = lua_newuserdatauv(L, sizeof(few[0]) * (size_t)s.count, 0);
    }
    luaL_checkstack(L, s.count * SLOTS + LUA_MINSTACK, "too many cases");
    read_cases(L, &s);
    s.task = task_check_can_park(L);
    s.owner = lcontext_of_task(alua_vm(L), s.task);
    int results = try_cases(L, &s);
    if (results) {
        return results;
    }
    read_limits(L, &s);
    return wait_for_one(L, &s);
}

static const luaL_Reg functions[] = {
    {"select", aio_select},
    {NULL, NULL},
};

void lselect_open(lua_State *L)
{
    alua_setfuncs(L, functions);
}
