/*
 * coro/fault.c - says which coroutine overflowed its stack
 *
 * The handler runs on an alternate stack: on the overflowed one there is no
 * room.  It looks at the faulting address, reports when that lies in the guard
 * of the running coroutine, puts the previous handler back and returns; the
 * instruction faults again and goes where it would have gone without us.
 *
 * Async-signal-safe: no locks, no allocation, one write(2).
 */
#include <signal.h>
#include <sys/mman.h>

#include "base/check.h"
#include "coro/stack.h"
#include "coro/thread.h"

#define FAULT_STACK_BYTES (64u << 10)

static struct sigaction previous;
static int installed; /* atomic */

static void report_overflow(const Coroutine *co)
{
    char who[256] = "", text[384];
    int n = 0;
    if (co->describe) {
        n = co->describe(co, co->describe_opaque, who, sizeof(who));
    }
    if (n <= 0) {
        snprintf(who, sizeof(who), "coroutine '%s'",
                 co->name ? co->name : "unnamed");
    }
    who[sizeof(who) - 1] = '\0';
    n = snprintf(text, sizeof(text),
                 "aioctl: %s overflowed its C stack (%zu KiB)\n", who,
                 co->stack_size >> 10);
    if (write(STDERR_FILENO, text, (size_t)n) < 0) {
        /* Nowhere to report to. */
    }
}

static void on_fault(int sig, siginfo_t *info, void *ucontext)
{
    Coroutine *co = qemu_coroutine_self();
    if (co->slab && info->si_code > 0 &&
        stack_guard_contains(co->stack_base, info->si_addr)) {
        report_overflow(co);
    }
    sigaction(SIGSEGV, &previous, NULL);
    /* A fault repeats itself; a signal that was sent must be sent again. */
    if (info->si_code <= 0) {
        raise(sig);
    }
}

void coroutine_fault_add_thread(CoroutineThread *thread)
{
    stack_t old, alt = {.ss_size = FAULT_STACK_BYTES};
    if (!qatomic_read(&installed) || thread->fault_stack) {
        return;
    }
    if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE)) {
        return; /* somebody else's will do */
    }
    alt.ss_sp = mmap(NULL, FAULT_STACK_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (alt.ss_sp == MAP_FAILED) {
        return; /* no report then, but nothing worse */
    }
    if (sigaltstack(&alt, NULL) < 0) {
        munmap(alt.ss_sp, FAULT_STACK_BYTES);
        return;
    }
    thread->fault_stack = alt.ss_sp;
}

void coroutine_fault_remove_thread(CoroutineThread *thread)
{
    stack_t off = {.ss_flags = SS_DISABLE};
    if (thread->fault_stack) {
        sigaltstack(&off, NULL);
        munmap(thread->fault_stack, FAULT_STACK_BYTES);
        thread->fault_stack = NULL;
    }
}

void aio_co_install_fault_handler(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (qatomic_xchg(&installed, 1)) {
        return;
    }
    action.sa_sigaction = on_fault;
    sigemptyset(&action.sa_mask);
    int ret = sigaction(SIGSEGV, &action, &previous);
    CHECK(ret == 0);
    coroutine_fault_add_thread(coroutine_thread());
}
