/*
 * sigtable.c - which signals the process catches, and for whom
 *
 * The handler touches only atomics and write(2).  Slots are static, so that it
 * can never meet one that is being freed: an empty slot has descriptor -1.
 */
#include "sigtable.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { SLOTS = 64, SIGNALS = 32 }; /* real-time signals have no names */

struct SigSlot {
    atomic_bool taken;
    atomic_int fd; /* -1: nobody listens */
    _Atomic uint64_t wanted;
    _Atomic uint64_t pending;
    int uses[SIGNALS]; /* under lock */
};

static SigSlot slots[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int listeners[SIGNALS]; /* slots that want it; under lock */
static struct sigaction previous[SIGNALS];

static uint64_t bit(int signo)
{
    return UINT64_C(1) << (signo - 1);
}

static void on_signal(int signo)
{
    static const uint64_t one = 1;
    int saved = errno;

    for (int i = 0; i < SLOTS; i++) {
        SigSlot *slot = &slots[i];

        if (atomic_load(&slot->taken) &&
            atomic_load(&slot->wanted) & bit(signo)) {
            int fd = atomic_load(&slot->fd);

            atomic_fetch_or(&slot->pending, bit(signo));
            /* EAGAIN: it is readable already. */
            if (fd >= 0 && write(fd, &one, sizeof(one)) < 0) {
                continue;
            }
        }
    }
    errno = saved;
}

SigSlot *sigtable_listen(int fd)
{
    for (int i = 0; i < SLOTS; i++) {
        bool expected = false;

        if (atomic_compare_exchange_strong(&slots[i].taken, &expected, true)) {
            atomic_store(&slots[i].pending, 0);
            atomic_store(&slots[i].fd, fd);
            return &slots[i];
        }
    }
    return NULL;
}

static int install(int signo)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    if (sigaction(signo, &action, &previous[signo]) < 0) {
        return -errno;
    }
    return 0;
}

int sigtable_catch(SigSlot *slot, int signo)
{
    int ret = 0;

    pthread_mutex_lock(&lock);
    if (slot->uses[signo] == 0) {
        atomic_fetch_or(&slot->wanted, bit(signo));
        if (listeners[signo] == 0) {
            ret = install(signo);
        }
        listeners[signo] += ret == 0;
    }
    if (ret == 0) {
        slot->uses[signo]++;
    } else {
        atomic_fetch_and(&slot->wanted, ~bit(signo));
    }
    pthread_mutex_unlock(&lock);
    return ret;
}

/* With the lock held. */
static void release_last(SigSlot *slot, int signo)
{
    slot->uses[signo] = 0;
    if (--listeners[signo] == 0) {
        sigaction(signo, &previous[signo], NULL);
    }
    atomic_fetch_and(&slot->wanted, ~bit(signo));
    atomic_fetch_and(&slot->pending, ~bit(signo));
}

void sigtable_release(SigSlot *slot, int signo)
{
    pthread_mutex_lock(&lock);
    if (slot->uses[signo] == 1) {
        release_last(slot, signo);
    } else if (slot->uses[signo] > 1) {
        slot->uses[signo]--;
    }
    pthread_mutex_unlock(&lock);
}

void sigtable_unlisten(SigSlot *slot)
{
    pthread_mutex_lock(&lock);
    for (int signo = 1; signo < SIGNALS; signo++) {
        if (slot->uses[signo] > 0) {
            release_last(slot, signo);
        }
    }
    pthread_mutex_unlock(&lock);
    atomic_store(&slot->fd, -1);
    atomic_store(&slot->taken, false);
}

uint64_t sigtable_take(SigSlot *slot)
{
    return atomic_exchange(&slot->pending, 0);
}

static const char *names[SIGNALS]; /* one is unused: NULL at the end */

static void fill_names(void)
{
    int n = 0;

    for (int signo = 1; signo < SIGNALS; signo++) {
        if (sigabbrev_np(signo)) {
            names[n++] = sigabbrev_np(signo);
        }
    }
}

const char *const *sigtable_names(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fill_names);
    return names;
}

static const char *why_not(int signo)
{
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
        return "cannot be caught";
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
        return "means that the program itself is broken and cannot be handled "
               "by a script";
    default:
        return NULL;
    }
}

int sigtable_number(const char *name, const char **why)
{
    if (strncasecmp(name, "SIG", 3) == 0) {
        name += 3;
    }
    for (int signo = 1; signo < SIGNALS; signo++) {
        const char *known = sigabbrev_np(signo);

        if (known && strcasecmp(known, name) == 0) {
            *why = why_not(signo);
            return *why ? 0 : signo;
        }
    }
    *why = NULL;
    return 0;
}
