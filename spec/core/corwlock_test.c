/*
 * corwlock_test.c - readers and writers among coroutines
 */
#include "block/aio.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "sysemu/iothread.h"
#include "test.h"

/* Coroutines that do what a script says, one letter per entry:
 * r read, w write, u unlock, U upgrade, D downgrade. */
typedef struct Actor {
    CoRwlock *lock;
    const char *script;
    char letter;
    char *log;
    Coroutine *co;
} Actor;

static void coroutine_fn act(Actor *actor, char what)
{
    switch (what) {
    case 'r':
        qemu_co_rwlock_rdlock(actor->lock);
        break;
    case 'w':
        qemu_co_rwlock_wrlock(actor->lock);
        break;
    case 'u':
        qemu_co_rwlock_unlock(actor->lock);
        break;
    case 'U':
        qemu_co_rwlock_upgrade(actor->lock);
        break;
    case 'D':
        qemu_co_rwlock_downgrade(actor->lock);
        break;
    }
}

static void coroutine_fn play(void *opaque)
{
    Actor *actor = opaque;

    for (const char *p = actor->script; *p; p++) {
        act(actor, *p);
        size_t used = strlen(actor->log);
        actor->log[used] = actor->letter;
        actor->log[used + 1] = *p;
        if (p[1]) {
            qemu_coroutine_yield();
        }
    }
}

typedef struct Stage {
    CoRwlock lock;
    char log[64];
    Actor actors[4];
} Stage;

/* Each actor takes its first step, in order. */
static void stage_open(Stage *stage, const char *const *scripts)
{
    memset(stage, 0, sizeof(*stage));
    qemu_co_rwlock_init(&stage->lock);
    for (int i = 0; scripts[i]; i++) {
        Actor *actor = &stage->actors[i];

        *actor = (Actor){&stage->lock, scripts[i], 'a' + i, stage->log, NULL};
        actor->co = qemu_coroutine_create(play, actor);
        qemu_coroutine_enter(actor->co);
    }
}

static void step(Stage *stage, int actor)
{
    qemu_coroutine_enter(stage->actors[actor].co);
}

TEST(readers_share_and_a_writer_excludes)
{
    Stage stage;

    stage_open(&stage, (const char *[]){"ru", "ru", "wu", NULL});
    ASSERT_STR_EQ(stage.log, "arbr");
    step(&stage, 0);
    ASSERT_STR_EQ(stage.log, "arbrau");
    step(&stage, 1);
    ASSERT_STR_EQ(stage.log, "arbraubucw");
    step(&stage, 2);
    ASSERT_STR_EQ(stage.log, "arbraubucwcu");
}

TEST(reader_behind_a_waiting_writer_waits_behind_it)
{
    Stage stage;

    stage_open(&stage, (const char *[]){"ru", "wu", "ru", "ru", NULL});
    ASSERT_STR_EQ(stage.log, "ar");
    step(&stage, 0);
    ASSERT_STR_EQ(stage.log, "araubw");
    step(&stage, 1); /* both readers at once */
    ASSERT_STR_EQ(stage.log, "araubwbucrdr");
    step(&stage, 2);
    step(&stage, 3);
    ASSERT_STR_EQ(stage.log, "araubwbucrdrcudu");
}

TEST(sole_reader_becomes_writer_at_once)
{
    Stage stage;

    stage_open(&stage, (const char *[]){"rUu", "ru", NULL});
    step(&stage, 1);
    step(&stage, 0);
    ASSERT_STR_EQ(stage.log, "arbrbuaU");
    step(&stage, 0);
    ASSERT_STR_EQ(stage.log, "arbrbuaUau");
}

TEST(upgrade_waits_behind_those_who_came_first)
{
    Stage stage;

    stage_open(&stage, (const char *[]){"rUu", "wu", NULL});
    step(&stage, 0); /* lets the writer in, and queues after it */
    ASSERT_STR_EQ(stage.log, "arbw");
    step(&stage, 1);
    ASSERT_STR_EQ(stage.log, "arbwbuaU");
    step(&stage, 0);
    ASSERT_STR_EQ(stage.log, "arbwbuaUau");
}

TEST(upgrade_waits_for_other_readers)
{
    Stage stage;

    stage_open(&stage, (const char *[]){"rUu", "ru", NULL});
    step(&stage, 0);
    ASSERT_STR_EQ(stage.log, "arbr");
    step(&stage, 1);
    ASSERT_STR_EQ(stage.log, "arbrbuaU");
    step(&stage, 0);
}

TEST(downgrade_lets_readers_in_but_no_writer)
{
    Stage stage;

    stage_open(&stage, (const char *[]){"wDu", "ru", "wu", "ru", NULL});
    ASSERT_STR_EQ(stage.log, "aw");
    step(&stage, 0);
    ASSERT_STR_EQ(stage.log, "awaDbr");
    step(&stage, 0);
    step(&stage, 1);
    ASSERT_STR_EQ(stage.log, "awaDbraubucw");
    step(&stage, 2);
    step(&stage, 3);
    ASSERT_STR_EQ(stage.log, "awaDbraubucwcudrdu");
}

static void open_stage_and_leave(void *script)
{
    Stage stage;

    stage_open(&stage, (const char *[]){script, NULL});
    for (size_t i = 1; i < strlen(script); i++) {
        step(&stage, 0);
    }
}

static void lock_outside(void *opaque)
{
    CoRwlock lock;

    qemu_co_rwlock_init(&lock);
    qemu_co_rwlock_rdlock(&lock);
}

TEST(misuse_aborts_naming_the_mistake)
{
    ASSERT_ABORTS(open_stage_and_leave, "u", "does not hold");
    ASSERT_ABORTS(open_stage_and_leave, "rD", "not locked for writing");
    ASSERT_ABORTS(open_stage_and_leave, "wU", "not locked for reading");
    ASSERT_ABORTS(open_stage_and_leave, "r", "ended holding 1 lock");
    ASSERT_ABORTS(lock_outside, NULL, "outside of coroutines");
}

/* ---- four threads ------------------------------------------------------- */

enum { THREADS = 4, PER_THREAD = 6 };

typedef struct Torture {
    CoRwlock lock;
    uint64_t value[2]; /* plain; always equal when unlocked */
    uint64_t writes;   /* atomic */
    int readers;       /* atomic: inside */
    int rounds;
    int left; /* atomic */
    QemuSemaphore done;
} Torture;

static void coroutine_fn take_turns(void)
{
    aio_co_schedule(qemu_get_current_aio_context(), qemu_coroutine_self());
    qemu_coroutine_yield();
}

static void coroutine_fn write_inside(Torture *t)
{
    ASSERT_EQ(qatomic_read(&t->readers), 0);
    t->value[0]++;
    take_turns();
    ASSERT_EQ(qatomic_read(&t->readers), 0);
    t->value[1]++;
    qatomic_inc(&t->writes);
}

static void coroutine_fn read_inside(Torture *t)
{
    qatomic_inc(&t->readers);
    uint64_t first = t->value[0];
    take_turns();
    ASSERT_EQ(t->value[1], first);
    qatomic_dec(&t->readers);
}

static void coroutine_fn torture(void *opaque)
{
    Torture *t = opaque;

    for (int i = 0; i < t->rounds; i++) {
        if (i % 4 == 0) {
            qemu_co_rwlock_wrlock(&t->lock);
            write_inside(t);
            if (i % 8 == 0) {
                qemu_co_rwlock_downgrade(&t->lock);
                read_inside(t);
            }
        } else {
            qemu_co_rwlock_rdlock(&t->lock);
            read_inside(t);
            if (i % 4 == 1) {
                qemu_co_rwlock_upgrade(&t->lock);
                write_inside(t);
            }
        }
        qemu_co_rwlock_unlock(&t->lock);
    }
    if (qatomic_fetch_dec(&t->left) == 1) {
        qemu_sem_post(&t->done);
    }
}

TEST(no_reader_sees_half_a_write_of_four_threads)
{
    IOThread *threads[THREADS];
    Torture t = {.rounds = test_is_slow() ? 80 : 800,
                 .left = THREADS * PER_THREAD};

    qemu_co_rwlock_init(&t.lock);
    qemu_sem_init(&t.done, 0);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = iothread_new();
    }
    for (int i = 0; i < THREADS * PER_THREAD; i++) {
        aio_co_schedule(iothread_get_aio_context(threads[i % THREADS]),
                        qemu_coroutine_create(torture, &t));
    }
    qemu_sem_wait(&t.done);
    for (int i = 0; i < THREADS; i++) {
        iothread_join(threads[i]);
    }
    ASSERT_EQ(t.writes, (uint64_t)t.rounds / 2 * THREADS * PER_THREAD);
    ASSERT_EQ(t.value[0], t.writes);
    ASSERT_EQ(t.value[1], t.writes);
    qemu_sem_destroy(&t.done);
}
