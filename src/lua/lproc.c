/*
 * lproc.c - class aio.process.core: a child that runs, until it is reaped
 *
 * scripts/aio/proc.lua makes the pipes and calls core.spawn() (lprocspawn.c).
 * A pidfd tells when the child has ended.
 *
 * While the child runs its object is an armed handle, hence anchored: somebody
 * always reaps.  It is unref'd from the start: a child does not keep the
 * program running, a task that waits for one does.  A program that ends leaves
 * its children running.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/aio.h"
#include "lcontext.h"
#include "lproc.h"
#include "open.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static LuaProc *proc_check(lua_State *L)
{
    return alua_check(L, 1, &proc_class);
}

/* ---- the end of a child ------------------------------------------------- */

static void proc_unwatch(LuaProc *p)
{
    if (p->pidfd >= 0) {
        aio_set_fd_handler(p->handle.owner->ctx, p->pidfd, false, NULL, NULL,
                           NULL, NULL, NULL);
        close(p->pidfd);
        p->pidfd = -1;
    }
}

/* False: it still runs. */
static bool proc_reap(LuaProc *p)
{
    siginfo_t info = {0};
    int ret;

    do {
        ret =
            waitid((idtype_t)P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG);
    } while (ret < 0 && errno == EINTR); /* as often as signals come */
    if (ret == 0 && info.si_pid == 0) {
        return false;
    }
    p->reaped = true;
    p->code = -1; /* ECHILD: SIGCHLD is ignored, nobody knows */
    if (ret == 0 && info.si_code == CLD_EXITED) {
        p->code = info.si_status;
    } else if (ret == 0) {
        p->signal = info.si_status;
        p->core = info.si_code == CLD_DUMPED;
    }
    return true;
}

static int proc_ended(lua_State *L) /* the protected half of proc_ready() */
{
    LuaProc *p = lua_touserdata(L, 1);

    proc_unwatch(p);
    for (ProcWaiter *w = p->waiters; w; w = w->next) {
        task_wake(w->task);
    }
    handle_disarm(L, &p->handle);
    return 0;
}

static void proc_ready(void *opaque)
{
    LuaProc *p = opaque;

    if (proc_reap(p)) {
        alua_enter(&p->handle, proc_ended, p);
    }
}

/* The context closes: the child goes on. */
static void proc_release(LuaHandle *h)
{
    LuaProc *p = (LuaProc *)h;

    if (p->pidfd >= 0) {
        proc_reap(p);
        proc_unwatch(p);
    }
}

/* ---- making ------------------------------------------------------------- */

enum { UV_CONTEXT = 1 };

LuaProc *proc_push(lua_State *L)
{
    LuaVM *vm = alua_vm(L);
    LuaProc *p = alua_new(L, &proc_class, sizeof(*p), 1);

    p->pidfd = -1;
    lcontext_push(L, vm->home);
    lua_setiuservalue(L, -2, UV_CONTEXT);
    handle_open(L, &p->handle, vm->home, "process", 0);
    p->handle.release = proc_release;
    p->handle.unrefd = true;
    return p;
}

void proc_started(LuaProc *p, pid_t pid, int pidfd)
{
    p->pid = pid;
    p->pidfd = pidfd;
    aio_set_fd_handler(p->handle.owner->ctx, pidfd, false, proc_ready, NULL,
                       NULL, NULL, p);
}

/* ---- methods ------------------------------------------------------------ */

static void push_signal_name(lua_State *L, int signo)
{
    const char *name = sigabbrev_np(signo);

    if (name) {
        lua_pushfstring(L, "SIG%s", name);
    } else {
        lua_pushfstring(L, "SIG%d", signo);
    }
}

/* {code=} or {signal=, core=} */
static int push_status(lua_State *L, const LuaProc *p)
{
    lua_createtable(L, 0, 2);
    if (p->code >= 0) {
        lua_pushinteger(L, p->code);
        lua_setfield(L, -2, "code");
    }
    if (p->signal) {
        push_signal_name(L, p->signal);
        lua_setfield(L, -2, "signal");
        lua_pushboolean(L, p->core);
        lua_setfield(L, -2, "core");
    }
    return 1;
}

static void waiter_link(LuaProc *p, ProcWaiter *w)
{
    w->prev = NULL;
    w->next = p->waiters;
    if (w->next) {
        w->next->prev = w;
    }
    p->waiters = w;
}

static void waiter_unlink(LuaProc *p, ProcWaiter *w)
{
    *(w->prev ? &w->prev->next : &p->waiters) = w->next;
    if (w->next) {
        w->next->prev = w->prev;
    }
}

/* process:wait([sec]) -> {code=} or {signal=, core=} */
static int proc_wait(lua_State *L)
{
    LuaProc *p = proc_check(L);
    int64_t deadline = task_deadline(alua_opt_timeout(L, 2));
    ParkResult why = PARK_WOKEN;
    ProcWaiter w;

    if (!p->reaped) {
        w.task = task_check_can_park(L);
        waiter_link(p, &w);
        while (!p->reaped && why == PARK_WOKEN) {
            why = task_park(w.task, PARK_ON_WORLD, deadline);
        }
        waiter_unlink(p, &w);
    }
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, w.task);
    }
    return p->reaped ? push_status(L, p) : alua_timeout(L);
}

static int check_signal(lua_State *L, int arg)
{
    if (lua_type(L, arg) == LUA_TNUMBER) {
        lua_Integer n = luaL_checkinteger(L, arg);
        luaL_argcheck(L, n >= 0 && n < _NSIG, arg, "no signal has this number");
        return (int)n;
    }
    const char *name = luaL_optstring(L, arg, "TERM");
    const char *plain = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
    for (int n = 1; n < _NSIG; n++) {
        const char *known = sigabbrev_np(n);
        if (known && strcasecmp(known, plain) == 0) {
            return n;
        }
    }
    luaL_argerror(L, arg, lua_pushfstring(L, "unknown signal '%s'", name));
    return 0;
}

/* process:kill([signal [, whole_group]]) -> true */
static int proc_kill(lua_State *L)
{
    LuaProc *p = proc_check(L);
    int signo = check_signal(L, 2);
    bool whole = lua_toboolean(L, 3);
    int ret = -1;

    luaL_argcheck(L, !whole || p->group, 3,
                  "the process was not started with group or session");
    errno = ESRCH; /* reaped: the number may be another's */
    if (p->pidfd >= 0 && whole) {
        ret = kill(-p->pid, signo);
    } else if (p->pidfd >= 0) {
        ret = (int)syscall(SYS_pidfd_send_signal, p->pidfd, signo, NULL, 0);
    }
    if (ret < 0) {
        int err = errno;
        lua_pushfstring(L, "process %d", (int)p->pid);
        return alua_fail(L, err, lua_tostring(L, -1), "kill");
    }
    lua_pushboolean(L, true);
    return 1;
}

/* process:pid() -> integer */
static int proc_pid(lua_State *L)
{
    lua_pushinteger(L, proc_check(L)->pid);
    return 1;
}

/* process:is_running() -> boolean */
static int proc_is_running(lua_State *L)
{
    lua_pushboolean(L, !proc_check(L)->reaped);
    return 1;
}

static int proc_gc(lua_State *L)
{
    LuaProc *p = lua_touserdata(L, 1);

    if (p->handle.owner) {
        handle_close(L, &p->handle);
    }
    return 0;
}

static int core_environ(lua_State *L)
{
    lua_newtable(L);
    for (lua_Integer i = 0; environ[i]; i++) {
        lua_pushstring(L, environ[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static const luaL_Reg proc_methods[] = {
    {"wait", proc_wait}, {"kill", proc_kill},
    {"pid", proc_pid},   {"is_running", proc_is_running},
    {"ref", handle_ref}, {"unref", handle_unref},
    {NULL, NULL},
};

static const luaL_Reg proc_metamethods[] = {
    {"__gc", proc_gc},
    {NULL, NULL},
};

const AluaClass proc_class = {
    .name = "aio.process.core",
    .methods = proc_methods,
    .metamethods = proc_metamethods,
    .is_handle = true,
};

static const luaL_Reg core_functions[] = {
    {"spawn", proc_spawn},
    {"environ", core_environ},
    {NULL, NULL},
};

/* require "aio.proc.core" */
static int open_core(lua_State *L)
{
    alua_class(L, &proc_class);
    lua_newtable(L);
    alua_setfuncs(L, core_functions);
    return 1;
}

void lproc_open(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, open_core);
    lua_setfield(L, -2, "aio.proc.core");
    lua_pop(L, 1);
}
