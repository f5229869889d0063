/*
 * lsignal.c - aio.wait_signal and aio.on_signal
 *
 * Signals arrive as bits in the VM's slot (sigtable.h) and an event notifier of
 * the home context; from there on everything happens in the loop.  A signal
 * goes to every task that waits for it and to every on_signal function (each in
 * a task of its own).  One that finds nobody is remembered, once, for the next
 * wait.
 *
 * Between two waits the process must not die of the signal it just waited for:
 * a signal stays caught once it was waited for.  Not so INT, QUIT and TERM:
 * their defaults are how users end a program, and return when nobody waits.
 */
#include "lsignal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "block/aio.h"
#include "lcheck.h"
#include "lcontext.h"
#include "open.h"
#include "qemu/event_notifier.h"
#include "sigtable.h"
#include "suggest.h"
#include "task_private.h"

enum { UV_CALLBACK = 1, UV_CONTEXT };

/* A task inside wait_signal(), on its C stack. */
typedef struct SignalWaiter {
    LuaTask *task;
    uint64_t wanted;
    int got; /* not 0: woken */
    struct SignalWaiter *prev, *next;
} SignalWaiter;

typedef struct LuaSignal {
    LuaHandle handle;
    int signo;
    uint64_t round; /* the last dispatch that reached it */
    struct LuaSignal *prev, *next;
} LuaSignal;

/* Signals of one VM; made at the first use. */
struct LuaSignals {
    LuaVM *vm;
    SigSlot *slot;
    EventNotifier notifier;
    uint64_t kept;       /* caught until the VM closes */
    uint64_t remembered; /* came while nobody waited */
    uint64_t round;
    SignalWaiter *waiters;
    LuaSignal *handlers;
};

static const AluaClass signal_class;

static uint64_t bit(int signo)
{
    return UINT64_C(1) << (signo - 1);
}

/* ---- delivery ----------------------------------------------------------- */

static int signal_run(lua_State *L) /* protected: a task for the function */
{
    LuaSignal *self = lua_touserdata(L, 1);

    alua_pushanchored(L, &self->handle.object);
    lua_getiuservalue(L, -1, UV_CALLBACK);
    lua_pushstring(L, sigabbrev_np(self->signo));
    task_spawn(L, self->handle.object.vm, 1);
    lua_getfield(L, -1, "name"); /* no script calls us: say who did */
    lua_insert(L, -2);
    lua_pushfstring(L, "%s, on_signal at %s", self->handle.name,
                    self->handle.origin);
    lua_call(L, 2, 0);
    return 0;
}

/* The next handler of @signo that this round has not reached.  Searched from
 * the start each time: a finalizer may close any handler meanwhile. */
static LuaSignal *next_handler(struct LuaSignals *s, int signo)
{
    LuaSignal *h = s->handlers;

    while (h && (h->signo != signo || h->round == s->round)) {
        h = h->next;
    }
    return h;
}

static void deliver(struct LuaSignals *s, int signo)
{
    bool found = false;
    LuaSignal *h;

    for (SignalWaiter *w = s->waiters; w; w = w->next) {
        if (w->wanted & bit(signo)) {
            found = true;
            if (!w->got) {
                w->got = signo;
                task_wake(w->task);
            }
        }
    }
    s->round++;
    while ((h = next_handler(s, signo))) {
        found = true;
        h->round = s->round;
        alua_enter(&h->handle, signal_run, h);
    }
    if (!found) {
        s->remembered |= bit(signo);
    }
}

static void on_notify(EventNotifier *notifier)
{
    struct LuaSignals *s = container_of(notifier, struct LuaSignals, notifier);
    uint64_t came;

    event_notifier_test_and_clear(notifier);
    came = sigtable_take(s->slot);
    for (int signo = 1; came; signo++, came >>= 1) {
        if (came & 1) {
            deliver(s, signo);
        }
    }
}

/* ---- set-up ---------------------------------------------------------------
 */

/* The VM's signals; raises when no descriptor or slot is left. */
static struct LuaSignals *signals_get(lua_State *L, LuaVM *vm)
{
    struct LuaSignals *s = vm->signals;
    LuaContext *home = vm_need_home(L, vm);
    int ret;

    if (s) {
        return s;
    }
    s = calloc(1, sizeof(*s));
    if (!s) {
        luaL_error(L, "not enough memory");
    }
    s->vm = vm;
    ret = event_notifier_init(&s->notifier, false);
    if (ret < 0) {
        free(s);
        luaL_error(L, "signals: no event notifier: %s", strerror(-ret));
    }
    s->slot = sigtable_listen(event_notifier_get_fd(&s->notifier));
    if (!s->slot) {
        event_notifier_cleanup(&s->notifier);
        free(s);
        luaL_error(L, "signals: too many threads listen for signals");
    }
    aio_set_event_notifier(home->ctx, &s->notifier, false, on_notify, NULL,
                           NULL);
    vm->signals = s;
    return s;
}

void lsignal_close(LuaVM *vm)
{
    struct LuaSignals *s = vm->signals;

    if (!s) {
        return;
    }
    sigtable_unlisten(s->slot);
    aio_set_event_notifier(vm->home->ctx, &s->notifier, false, NULL, NULL,
                           NULL);
    event_notifier_cleanup(&s->notifier);
    free(s);
    vm->signals = NULL;
}

/* The signal named by the string at @arg; raises when there is none. */
static int check_signal(lua_State *L, int arg)
{
    const char *name = luaL_checkstring(L, arg);
    const char *why;
    int signo = sigtable_number(name, &why);

    if (signo == 0 && why) {
        luaL_argerror(L, arg, lua_pushfstring(L, "signal %s %s", name, why));
    }
    if (signo == 0) {
        const char *bare = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
        Suggestion s;
        const char *close = suggest_among(&s, bare, sigtable_names());
        const char *hint =
            close ? lua_pushfstring(L, " (did you mean '%s'?)", close) : "";

        luaL_argerror(L, arg,
                      lua_pushfstring(L, "unknown signal '%s'%s", name, hint));
    }
    return signo;
}

static void catch_signal(lua_State *L, struct LuaSignals *s, int signo)
{
    int ret = sigtable_catch(s->slot, signo);

    if (ret < 0) {
        luaL_error(L, "signal %s cannot be caught: %s", sigabbrev_np(signo),
                   strerror(-ret));
    }
}

/* ---- wait_signal -------------------------------------------------------- */

static bool ends_programs(int signo)
{
    return signo == SIGINT || signo == SIGTERM || signo == SIGQUIT;
}

/* Catch all of @wanted for a wait; raises with nothing changed. */
static void waiter_catch(lua_State *L, struct LuaSignals *s, uint64_t wanted)
{
    for (int signo = 1; wanted >> (signo - 1); signo++) {
        if (!(wanted & bit(signo))) {
            continue;
        }
        if (ends_programs(signo)) {
            catch_signal(L, s, signo);
        } else if (!(s->kept & bit(signo))) {
            catch_signal(L, s, signo);
            s->kept |= bit(signo);
        }
    }
}

static void waiter_release(struct LuaSignals *s, uint64_t wanted)
{
    for (int signo = 1; wanted >> (signo - 1); signo++) {
        if (wanted & bit(signo) && ends_programs(signo)) {
            sigtable_release(s->slot, signo);
        }
    }
}

/* A remembered signal of @wanted, forgotten by that; or 0. */
static int take_remembered(struct LuaSignals *s, uint64_t wanted)
{
    uint64_t come = s->remembered & wanted;
    int signo = come ? __builtin_ctzll(come) + 1 : 0;

    if (signo) {
        s->remembered &= ~bit(signo);
    }
    return signo;
}

static ParkResult waiter_wait(struct LuaSignals *s, SignalWaiter *w,
                              int64_t deadline)
{
    ParkResult why = PARK_WOKEN;

    w->next = s->waiters;
    if (w->next) {
        w->next->prev = w;
    }
    s->waiters = w;
    while (!w->got && why == PARK_WOKEN) {
        why = task_park(w->task, PARK_ON_WORLD, deadline);
    }
    *(w->prev ? &w->prev->next : &s->waiters) = w->next;
    if (w->next) {
        w->next->prev = w->prev;
    }
    return why;
}

/**
 * aio.wait_signal(name: string, ...: string|number|{timeout: number}) ->
 *     string!
 *
 * `aio.wait_signal(name, ... [, sec])`: the short name (`"USR1"`) of the
 * signal that came, of one or more (`"INT"` or `"SIGINT"`). Parks. Raises for
 * unknown names and for what cannot be caught.
 */
static int wait_signal(lua_State *L)
{
    LuaVM *vm = alua_vm(L);
    int names = lua_gettop(L);
    SignalWaiter waiter = {0};
    struct LuaSignals *s;
    int64_t deadline = -1;
    ParkResult why = PARK_WOKEN;

    if (names > 1 && lua_type(L, names) == LUA_TNUMBER) {
        deadline = task_deadline(alua_opt_seconds(L, names));
        names--;
    }
    luaL_checkstring(L, 1);
    for (int arg = 1; arg <= names; arg++) {
        waiter.wanted |= bit(check_signal(L, arg));
    }
    waiter.task = task_check_can_park(L);
    s = signals_get(L, vm);
    waiter_catch(L, s, waiter.wanted);
    waiter.got = take_remembered(s, waiter.wanted);
    if (!waiter.got) {
        why = waiter_wait(s, &waiter, deadline);
    }
    waiter_release(s, waiter.wanted);
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, waiter.task);
    }
    if (!waiter.got) {
        return alua_timeout(L);
    }
    lua_pushstring(L, sigabbrev_np(waiter.got));
    return 1;
}

/* ---- on_signal ---------------------------------------------------------- */

static void signal_release(LuaHandle *h)
{
    LuaSignal *self = (LuaSignal *)h;
    struct LuaSignals *s = h->object.vm->signals;

    *(self->prev ? &self->prev->next : &s->handlers) = self->next;
    if (self->next) {
        self->next->prev = self->prev;
    }
    sigtable_release(s->slot, self->signo);
}

static void signal_link(struct LuaSignals *s, LuaSignal *self)
{
    LuaSignal **last = &s->handlers;

    while (*last) { /* called in the order of their creation */
        self->prev = *last;
        last = &(*last)->next;
    }
    *last = self;
}

/**
 * class SignalHandler (signal)
 *
 * A function that is called when a signal comes.
 */

/**
 * aio.on_signal(name: string, fn: fun(name: string)) -> SignalHandler
 *
 * Each time, `fn(name)` runs in a task of its own. Signals that come in one
 * turn of the loop count once.
 */
static int on_signal(lua_State *L)
{
    LuaVM *vm = alua_vm(L);
    int signo = check_signal(L, 1);
    struct LuaSignals *s;
    LuaSignal *self;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    s = signals_get(L, vm);
    self = alua_new(L, &signal_class, sizeof(*self), 2);
    lua_pushvalue(L, 2);
    lua_setiuservalue(L, -2, UV_CALLBACK);
    lcontext_push(L, vm->home);
    lua_setiuservalue(L, -2, UV_CONTEXT);
    self->signo = signo;
    lua_pushfstring(L, "SIG%s", sigabbrev_np(signo));
    handle_open(L, &self->handle, vm->home, "signal handler", 4);
    lua_pop(L, 1);
    catch_signal(L, s, signo);
    signal_link(s, self);
    self->handle.release = signal_release;
    handle_arm(L, &self->handle, 3);
    return 1;
}

/**
 * signal:close()
 * signal:cancel()
 *
 * End it: the signal is no longer handled.
 */
static int signal_close(lua_State *L)
{
    LuaSignal *self = alua_check(L, 1, &signal_class);

    handle_close(L, &self->handle);
    return 0;
}

static int signal_tostring(lua_State *L)
{
    return lcheck_tostring(L, alua_check(L, 1, &signal_class));
}

static const luaL_Reg signal_methods[] = {
    {"close", signal_close},
    {"cancel", signal_close},
    {"ref", handle_ref},
    {"unref", handle_unref},
    {NULL, NULL},
};

static const luaL_Reg signal_metamethods[] = {
    {"__close", signal_close},
    {"__gc", signal_close},
    {"__tostring", signal_tostring},
    {NULL, NULL},
};

static const AluaClass signal_class = {
    .name = "aio.signal",
    .methods = signal_methods,
    .metamethods = signal_metamethods,
    .is_handle = true,
};

static const luaL_Reg signal_functions[] = {
    {"wait_signal", wait_signal},
    {"on_signal", on_signal},
    {NULL, NULL},
};

void lsignal_open(lua_State *L)
{
    alua_class(L, &signal_class);
    alua_setfuncs(L, signal_functions);
}
