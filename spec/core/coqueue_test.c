/*
 * coqueue_test.c - coroutines that wait for something, in order
 */
#include "block/aio.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "sysemu/iothread.h"
#include "test.h"

typedef struct Body {
    CoQueue *queue;
    char *log;
    char letter;
    int flags;
    int rounds;
} Body;

static void coroutine_fn wait_rounds(void *opaque)
{
    Body *body = opaque;

    for (int i = 0; i < body->rounds; i++) {
        qemu_co_queue_wait_flags(body->queue, NULL, body->flags);
        body->log[strlen(body->log)] = body->letter;
    }
}

static void start(Body *body)
{
    qemu_coroutine_enter(qemu_coroutine_create(wait_rounds, body));
}

TEST(waiting_coroutines_are_woken_in_order_one_by_one)
{
    CoQueue queue;
    char log[16] = "";
    Body a = {&queue, log, 'a', 0, 1}, b = {&queue, log, 'b', 0, 1};

    qemu_co_queue_init(&queue);
    ASSERT(qemu_co_queue_empty(&queue));
    ASSERT(!qemu_co_enter_next(&queue, NULL));
    start(&a);
    start(&b);
    ASSERT(!qemu_co_queue_empty(&queue));
    ASSERT(qemu_co_enter_next(&queue, NULL));
    ASSERT_STR_EQ(log, "a");
    ASSERT(qemu_co_enter_next(&queue, NULL));
    ASSERT_STR_EQ(log, "ab");
    ASSERT(qemu_co_queue_empty(&queue));
}

TEST(front_flag_queues_before_those_who_wait)
{
    CoQueue queue;
    char log[16] = "";
    Body a = {&queue, log, 'a', 0, 1};
    Body b = {&queue, log, 'b', CO_QUEUE_WAIT_FRONT, 1};

    qemu_co_queue_init(&queue);
    start(&a);
    start(&b);
    qemu_co_enter_all(&queue, NULL);
    ASSERT_STR_EQ(log, "ba");
}

TEST(waking_all_wakes_nobody_twice)
{
    CoQueue queue;
    char log[16] = "";
    Body a = {&queue, log, 'a', 0, 2}, b = {&queue, log, 'b', 0, 2};

    qemu_co_queue_init(&queue);
    start(&a);
    start(&b);
    qemu_co_enter_all(&queue, NULL);
    ASSERT_STR_EQ(log, "ab");
    qemu_co_enter_all(&queue, NULL);
    ASSERT_STR_EQ(log, "abab");
    qemu_co_enter_all(&queue, NULL);
    ASSERT(qemu_co_queue_empty(&queue));
}

static void coroutine_fn wake_from_inside(void *opaque)
{
    Body *body = opaque;

    ASSERT(qemu_co_queue_next(body->queue));
    body->log[strlen(body->log)] = '1';
    qemu_co_queue_restart_all(body->queue);
    ASSERT(!qemu_co_queue_next(body->queue));
    body->log[strlen(body->log)] = '2';
}

TEST(woken_inside_a_coroutine_they_run_when_it_ends)
{
    CoQueue queue;
    char log[16] = "";
    Body a = {&queue, log, 'a', 0, 1}, b = {&queue, log, 'b', 0, 1};
    Body c = {&queue, log, 'c', 0, 1};

    qemu_co_queue_init(&queue);
    start(&a);
    start(&b);
    start(&c);
    qemu_coroutine_enter(qemu_coroutine_create(wake_from_inside, &a));
    ASSERT_STR_EQ(log, "12abc");
}

static void wait_outside(void *opaque)
{
    CoQueue queue;

    qemu_co_queue_init(&queue);
    qemu_co_queue_wait(&queue, NULL);
}

TEST(waiting_outside_of_coroutines_aborts)
{
    ASSERT_ABORTS(wait_outside, NULL, "outside of coroutines");
}

/* ---- a bounded buffer between four threads ------------------------------ */

enum { ROOM = 4, PAIRS = 4 };

typedef struct Channel {
    CoMutex co_mutex;
    QemuMutex mutex;
    bool use_co_mutex;
    CoQueue readers, writers;
    int items[ROOM];
    int used, next;
    int count;
    int64_t sum; /* atomic */
    int left;    /* atomic */
    QemuSemaphore done;
} Channel;

static QemuLockable *lock_of(Channel *ch, QemuLockable *space)
{
    QemuLockable *lock = ch->use_co_mutex ? QEMU_MAKE_LOCKABLE(&ch->co_mutex)
                                          : QEMU_MAKE_LOCKABLE(&ch->mutex);
    *space = *lock;
    return space;
}

static void finished(Channel *ch)
{
    if (qatomic_fetch_dec(&ch->left) == 1) {
        qemu_sem_post(&ch->done);
    }
}

static void coroutine_fn produce(void *opaque)
{
    Channel *ch = opaque;
    QemuLockable space, *lock = lock_of(ch, &space);

    for (int i = 1; i <= ch->count; i++) {
        qemu_lockable_lock(lock);
        while (ch->used == ROOM) {
            qemu_co_queue_wait(&ch->writers, lock);
        }
        ch->items[(ch->next + ch->used++) % ROOM] = i;
        qemu_co_queue_next(&ch->readers);
        qemu_lockable_unlock(lock);
    }
    finished(ch);
}

static void coroutine_fn consume(void *opaque)
{
    Channel *ch = opaque;
    QemuLockable space, *lock = lock_of(ch, &space);

    for (int i = 1; i <= ch->count; i++) {
        qemu_lockable_lock(lock);
        while (ch->used == 0) {
            qemu_co_queue_wait(&ch->readers, lock);
        }
        qatomic_add(&ch->sum, ch->items[ch->next]);
        ch->next = (ch->next + 1) % ROOM;
        ch->used--;
        qemu_co_queue_next(&ch->writers);
        qemu_lockable_unlock(lock);
    }
    finished(ch);
}

static void transfer_between_threads(bool use_co_mutex)
{
    IOThread *threads[4];
    Channel ch = {.use_co_mutex = use_co_mutex,
                  .count = test_is_slow() ? 500 : 5000,
                  .left = 2 * PAIRS};

    qemu_co_mutex_init(&ch.co_mutex);
    qemu_mutex_init(&ch.mutex);
    qemu_co_queue_init(&ch.readers);
    qemu_co_queue_init(&ch.writers);
    qemu_sem_init(&ch.done, 0);
    for (int i = 0; i < 4; i++) {
        threads[i] = iothread_new();
    }
    for (int i = 0; i < 2 * PAIRS; i++) {
        aio_co_schedule(
            iothread_get_aio_context(threads[i % 4]),
            qemu_coroutine_create(i < PAIRS ? produce : consume, &ch));
    }
    qemu_sem_wait(&ch.done);
    for (int i = 0; i < 4; i++) {
        iothread_join(threads[i]);
    }
    ASSERT_EQ(ch.sum, (int64_t)PAIRS * ch.count * (ch.count + 1) / 2);
    qemu_sem_destroy(&ch.done);
    qemu_mutex_destroy(&ch.mutex);
}

TEST(queue_under_a_co_mutex_loses_no_wake_up_between_four_threads)
{
    transfer_between_threads(true);
}

TEST(queue_under_a_thread_mutex_loses_no_wake_up_between_four_threads)
{
    transfer_between_threads(false);
}

/* ---- woken from a thread that runs no coroutines ------------------------ */

typedef struct Flag {
    QemuMutex mutex;
    CoQueue queue;
    bool set;
    int waiting, passed;
    QemuSemaphore sem;
} Flag;

static void coroutine_fn wait_for_flag(void *opaque)
{
    Flag *flag = opaque;

    qemu_mutex_lock(&flag->mutex);
    flag->waiting++;
    qemu_sem_post(&flag->sem);
    while (!flag->set) {
        qemu_co_queue_wait(&flag->queue, &flag->mutex);
    }
    flag->passed++;
    qemu_mutex_unlock(&flag->mutex);
    qemu_sem_post(&flag->sem);
}

TEST(thread_outside_wakes_all_under_a_thread_mutex)
{
    enum { WAITERS = 6 };
    IOThread *threads[2] = {iothread_new(), iothread_new()};
    Flag flag = {.set = false};

    qemu_mutex_init(&flag.mutex);
    qemu_co_queue_init(&flag.queue);
    qemu_sem_init(&flag.sem, 0);
    for (int i = 0; i < WAITERS; i++) {
        aio_co_schedule(iothread_get_aio_context(threads[i % 2]),
                        qemu_coroutine_create(wait_for_flag, &flag));
    }
    for (int i = 0; i < WAITERS; i++) {
        qemu_sem_wait(&flag.sem);
    }
    WITH_QEMU_LOCK_GUARD(&flag.mutex)
    {
        ASSERT_EQ(flag.waiting, WAITERS);
        ASSERT_EQ(flag.passed, 0);
        flag.set = true;
        qemu_co_enter_all(&flag.queue, &flag.mutex);
    }
    for (int i = 0; i < WAITERS; i++) {
        qemu_sem_wait(&flag.sem);
    }
    iothread_join(threads[0]);
    iothread_join(threads[1]);
    ASSERT_EQ(flag.passed, WAITERS);
    qemu_sem_destroy(&flag.sem);
    qemu_mutex_destroy(&flag.mutex);
}
