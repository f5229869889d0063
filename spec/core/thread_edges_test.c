/*
 * thread_edges_test.c - threads that end in other ways or cannot be had, locks
 * with several who want them
 */
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/check.h"
#include "qemu/atomic.h"
#include "qemu/event_notifier.h"
#include "qemu/lockable.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"
#include "qapi/error.h"
#include "sysemu/iothread.h"
#include "test.h"

enum { THREADS = 4 };

static void start(QemuThread threads[THREADS], void *(*fn)(void *), void *arg)
{
    for (int i = 0; i < THREADS; i++) {
        qemu_thread_create(&threads[i], "edge", fn, arg, QEMU_THREAD_JOINABLE);
    }
}

static void join(QemuThread threads[THREADS])
{
    for (int i = 0; i < THREADS; i++) {
        qemu_thread_join(&threads[i]);
    }
}

/* ---- ends --------------------------------------------------------------- */

static void leave(void *value)
{
    qemu_thread_exit(value);
}

static void *exit_early(void *opaque)
{
    leave(opaque);
    return NULL;
}

TEST(a_thread_that_exits_early_returns_that_value)
{
    QemuThread thread;
    int value;

    qemu_thread_create(&thread, NULL, exit_early, &value, QEMU_THREAD_JOINABLE);
    ASSERT_PTR_EQ(qemu_thread_join(&thread), &value);
}

static void *post(void *opaque)
{
    ASSERT_CMP(qemu_get_thread_id(), !=, getpid());
    qemu_sem_post(opaque);
    return NULL;
}

TEST(a_detached_thread_runs_to_its_end)
{
    QemuThread thread;
    QemuSemaphore sem;

    qemu_sem_init(&sem, 0);
    qemu_thread_create(&thread, "alone", post, &sem, QEMU_THREAD_DETACHED);
    qemu_sem_wait(&sem);
    qemu_sem_destroy(&sem);
}

/* ---- no threads --------------------------------------------------------- */

static void *nothing(void *opaque)
{
    return NULL;
}

/* No address space for another stack. */
static void refuse_threads(void)
{
    struct rlimit limit;
    unsigned long pages = 0;

    if (test_is_slow()) {
        SKIP("memory checkers need more address space than this test leaves");
    }
    FILE *file = fopen("/proc/self/statm", "r");
    ASSERT(file && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    ASSERT_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (1 << 20);
    ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
}

static void create_or_die(void *opaque)
{
    qemu_thread_create(opaque, "last", nothing, NULL, QEMU_THREAD_JOINABLE);
}

TEST(a_thread_that_cannot_be_created_is_an_errno_or_named)
{
    QemuThread thread;

    refuse_threads();
    ASSERT_EQ(
        aio_thread_create(&thread, "last", nothing, NULL, QEMU_THREAD_JOINABLE),
        -EAGAIN);
    ASSERT_ABORTS(create_or_die, &thread, "cannot create thread 'last'");
}

TEST(an_iothread_without_a_thread_is_an_error_with_its_remedy)
{
    Error *err = NULL;

    refuse_threads();
    ASSERT_PTR_EQ(iothread_create("disk", &err), NULL);
    ASSERT(strstr(error_get_pretty(err), "'disk'"));
    ASSERT(strstr(error_get_pretty(err), "ulimit -u"));
    error_free(err);
    ASSERT_PTR_EQ(iothread_by_id("disk"), NULL);
}

static void use_up_descriptors(void)
{
    struct rlimit limit;

    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 0;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void restore_descriptors(void)
{
    struct rlimit limit;

    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST(without_descriptors_notifiers_and_iothreads_are_refused)
{
    EventNotifier notifier;
    Error *err = NULL;

    use_up_descriptors();
    ASSERT_EQ(event_notifier_init(&notifier, false), -EMFILE);
    ASSERT_PTR_EQ(iothread_create(NULL, &err), NULL);
    ASSERT(strstr(error_get_pretty(err), "Too many open files"));
    error_free(err);
    restore_descriptors();
    ASSERT_EQ(event_notifier_init(&notifier, true), 0);
    ASSERT(event_notifier_test_and_clear(&notifier));
    event_notifier_cleanup(&notifier);
    ASSERT_CMP(event_notifier_set(&notifier), <, 0);
    ASSERT(!event_notifier_test_and_clear(&notifier));
    event_notifier_cleanup(&notifier);
}

TEST(without_descriptors_there_is_no_main_loop_until_there_are_some)
{
    Error *err = NULL;

    use_up_descriptors();
    ASSERT_CMP(qemu_init_main_loop(&err), <, 0);
    ASSERT(strstr(error_get_pretty(err), "Too many open files"));
    error_free(err);
    ASSERT_PTR_EQ(qemu_get_aio_context(), NULL);
    restore_descriptors();
    ASSERT_EQ(qemu_init_main_loop(NULL), 0);
    AioContext *ctx = qemu_get_aio_context();
    qemu_set_current_aio_context(NULL);
    aio_context_unref(ctx);
}

/* ---- wanted by several -------------------------------------------------- */

typedef struct Contest {
    QemuSpin spin;
    QemuMutex mutex;
    QemuCond cond;
    int count, waiting;
    bool go;
} Contest;

static void *count_under_spin(void *opaque)
{
    Contest *c = opaque;

    for (int i = 0; i < 2000; i++) {
        QEMU_LOCK_GUARD(&c->spin);
        int before = c->count;
        if (i % 64 == 0) {
            sched_yield(); /* so that others find it held */
        }
        c->count = before + 1;
    }
    return NULL;
}

TEST(a_spin_lock_excludes_four_threads)
{
    QemuThread threads[THREADS];
    Contest c = {.count = 0};

    qemu_spin_init(&c.spin);
    qemu_spin_lock(&c.spin);
    ASSERT(qemu_spin_trylock(&c.spin));
    start(threads, count_under_spin, &c);
    usleep(1000);
    ASSERT_EQ(c.count, 0);
    qemu_spin_unlock(&c.spin);
    join(threads);
    ASSERT_EQ(c.count, THREADS * 2000);
    qemu_spin_destroy(&c.spin);
}

static void *wait_for_go(void *opaque)
{
    Contest *c = opaque;
    QEMU_LOCK_GUARD(&c->mutex);

    c->waiting++;
    while (!c->go) {
        qemu_cond_wait(&c->cond, &c->mutex);
    }
    c->count++;
    return NULL;
}

TEST(a_broadcast_wakes_all_who_wait)
{
    QemuThread threads[THREADS];
    Contest c = {.go = false};
    int waiting = 0;

    qemu_mutex_init(&c.mutex);
    qemu_cond_init(&c.cond);
    start(threads, wait_for_go, &c);
    while (waiting < THREADS) {
        WITH_QEMU_LOCK_GUARD(&c.mutex)
        {
            waiting = c.waiting;
        }
        sched_yield();
    }
    WITH_QEMU_LOCK_GUARD(&c.mutex)
    {
        c.go = true;
        qemu_cond_broadcast(&c.cond);
    }
    join(threads);
    ASSERT_EQ(c.count, THREADS);
    qemu_cond_destroy(&c.cond);
    qemu_mutex_destroy(&c.mutex);
}

static void signal_nothing(void *opaque)
{
    QemuCond cond;

    qemu_cond_init(&cond);
    qemu_cond_destroy(&cond);
    qemu_cond_signal(&cond);
}

static void unlock_free_spin(void *opaque)
{
    QemuSpin spin;

    qemu_spin_init(&spin);
    qemu_spin_unlock(&spin);
}

static void allocate_too_much(void *opaque)
{
    volatile size_t size = SIZE_MAX / 4;

    check_malloc(size);
}

TEST(misuse_aborts_with_a_reason)
{
    ASSERT_ABORTS(signal_nothing, NULL, "cond->initialized");
    ASSERT_ABORTS(unlock_free_spin, NULL, "a spin lock is unlocked");
}

TEST(lack_of_memory_aborts_with_a_reason)
{
    if (test_is_slow()) {
        SKIP("memory checkers take too large a size for a mistake");
    }
    ASSERT_ABORTS(allocate_too_much, NULL, "out of memory");
}
