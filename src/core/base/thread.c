/*
 * base/thread.c - threads
 *
 * A thread starts with every signal blocked, so that signals go to threads
 * that expect them; the name is set by the thread itself, before its function.
 */
#include "qemu/thread.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/check.h"

typedef struct ThreadStart {
    void *(*run)(void *);
    void *arg;
    char name[16]; /* as much as the kernel keeps */
} ThreadStart;

static void *thread_main(void *opaque)
{
    ThreadStart start = *(ThreadStart *)opaque;
    free(opaque);
    if (start.name[0]) {
        prctl(PR_SET_NAME, start.name);
    }
    return start.run(start.arg);
}

/* pthread_create() with the detach state @mode; returns a positive errno. */
static int create_with_mode(pthread_t *thread, ThreadStart *start, int mode)
{
    pthread_attr_t attr;
    int err = pthread_attr_init(&attr);
    if (err) {
        return err;
    }
    if (mode == QEMU_THREAD_DETACHED) {
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    }
    err = pthread_create(thread, &attr, thread_main, start);
    pthread_attr_destroy(&attr);
    return err;
}

int aio_thread_create(QemuThread *thread, const char *name,
                      void *(*start_routine)(void *), void *arg, int mode)
{
    sigset_t all, old;
    ThreadStart *start = check_calloc(1, sizeof(*start));
    start->run = start_routine;
    start->arg = arg;
    if (name) {
        snprintf(start->name, sizeof(start->name), "%s", name);
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = create_with_mode(&thread->thread, start, mode);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (err) {
        free(start);
    }
    return -err;
}

void qemu_thread_create(QemuThread *thread, const char *name,
                        void *(*start_routine)(void *), void *arg, int mode)
{
    int ret = aio_thread_create(thread, name, start_routine, arg, mode);
    CHECKF(ret == 0, "cannot create thread '%s': %s", name ? name : "",
           strerror(-ret));
}

void *qemu_thread_join(QemuThread *thread)
{
    void *result;
    int err = pthread_join(thread->thread, &result);
    CHECKF(err == 0, "joining a thread: %s", strerror(err));
    return result;
}

void qemu_thread_get_self(QemuThread *thread)
{
    thread->thread = pthread_self();
}

bool qemu_thread_is_self(QemuThread *thread)
{
    return pthread_equal(pthread_self(), thread->thread);
}

void qemu_thread_exit(void *retval)
{
    pthread_exit(retval);
}

int qemu_get_thread_id(void)
{
    return (int)syscall(SYS_gettid);
}
