/*
 * signals.c - INT, TERM, PIPE, USR1 and the clock of --timeout
 *
 * The first INT or TERM asks the program to unwind (vm_interrupt()), a second
 * one kills by its default action.  When all is closed the
 * process dies of the same signal: a shell or a parent sees why it ended.
 *
 * PIPE keeps its default until aio is loaded.  Then one comes when any socket
 * or pipe loses its reader, which is an ordinary error (EPIPE) there; only a
 * dead standard output still ends the program.
 *
 * Every disposition set here is a handler, never "ignore", and no signal is
 * ever blocked: a child starts with defaults.  A signal that was ignored when
 * we started (nohup) stays so.
 */
#include "host/host.h"
#include "vm.h"
#include "base/clock.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define SAME_REQUEST_NS (20 * CLOCK_NS_PER_MS)

static LuaVM *volatile signals_vm; /* for handlers; NULL once it is closed */
static volatile sig_atomic_t deadly;
static volatile int64_t deadly_since; /* only handlers use it */
static volatile sig_atomic_t timed_out;
static timer_t timeout_timer;

/* Sets a handler unless the signal is ignored. */
static void handle(int sig, void (*handler)(int), int flags)
{
    struct sigaction old, action = {.sa_handler = handler};

    sigemptyset(&action.sa_mask);
    action.sa_flags = flags;
    if (sigaction(sig, &action, &old) == 0 && old.sa_handler == SIG_IGN) {
        sigaction(sig, &old, NULL);
    }
}

/*
 * Not SA_RESTART: a blocking system call of the script should end, too.  Tools
 * that forward a signal (timeout, a shell's group) deliver it twice at once:
 * that is one request.
 */
static void on_deadly(int sig)
{
    int64_t now = clock_monotonic_ns();

    if (deadly != 0 || signals_vm == NULL) {
        if (now - deadly_since > SAME_REQUEST_NS) {
            signal(sig, SIG_DFL);
            raise(sig);
        }
        return;
    }
    deadly_since = now;
    deadly = sig;
    vm_interrupt(signals_vm);
}

static void on_usr1(int sig)
{
    dump_request();
}

static void on_pipe(int sig)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR)) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE); /* delivered when this handler returns */
    }
}

/* First expiry: unwind.  Second: the program does not listen. */
static void on_timeout(int sig)
{
    if (timed_out) {
        _exit(HOST_EXIT_TIMEOUT);
    }
    timed_out = 1;
    if (signals_vm != NULL) {
        vm_interrupt(signals_vm);
    }
}

void signals_install(Host *host)
{
    signals_vm = host->vm;
    handle(SIGINT, on_deadly, 0);
    handle(SIGTERM, on_deadly, 0);
    handle(SIGUSR1, on_usr1, SA_RESTART);
}

void signals_release(void)
{
    signals_vm = NULL;
}

void signals_guard_pipe(void)
{
    handle(SIGPIPE, on_pipe, SA_RESTART);
}

bool signals_start_timeout(int64_t ns)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGALRM};
    struct itimerspec when = {
        .it_value = clock_timespec(ns),
        .it_interval = {.tv_sec = HOST_TIMEOUT_GRACE_SEC},
    };

    handle(SIGALRM, on_timeout, SA_RESTART);
    return timer_create(CLOCK_MONOTONIC, &event, &timeout_timer) == 0 &&
           timer_settime(timeout_timer, 0, &when, NULL) == 0;
}

int signals_deadly(void)
{
    return deadly;
}

bool signals_timed_out(void)
{
    return timed_out;
}

void signals_forgive(void)
{
    int sig = deadly;

    if (sig != 0) {
        deadly = 0;
        handle(sig, on_deadly, 0);
    }
}

void signals_die(int sig)
{
    sigset_t set;

    signal(sig, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, sig);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(sig);
    _exit(128 + sig); /* not reached: the default action of both is to die */
}
