/*
 * graph_lock_test.c - readers in all threads, one writer in the main thread
 */
#include "block/aio-wait.h"
#include "block/graph-lock.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "sysemu/iothread.h"
#include "test.h"

static void loop_begin(void)
{
    ASSERT_EQ(qemu_init_main_loop(NULL), 0);
}

static void loop_end(void)
{
    AioContext *ctx = qemu_get_aio_context();

    qemu_set_current_aio_context(NULL);
    aio_context_unref(ctx);
}

typedef struct Reader {
    QemuCoSleep sleep;
    AioContext *move_to;
    int stage; /* atomic */
} Reader;

/* Reads until woken; then, perhaps elsewhere, stops. */
static void coroutine_fn read_until_woken(void *opaque)
{
    Reader *reader = opaque;

    bdrv_graph_co_rdlock();
    qatomic_set(&reader->stage, 1);
    assert_bdrv_graph_readable();
    qemu_co_sleep(&reader->sleep);
    if (reader->move_to) {
        aio_co_reschedule_self(reader->move_to);
    }
    qatomic_set(&reader->stage, 2);
    bdrv_graph_co_rdunlock();
}

static void start(AioContext *ctx, CoroutineEntry *entry, void *opaque)
{
    aio_co_schedule(ctx, qemu_coroutine_create(entry, opaque));
}

static void wait_for_stage(Reader *reader, int stage)
{
    while (qatomic_read(&reader->stage) != stage) {
        aio_poll(qemu_get_aio_context(), false);
        sched_yield();
    }
}

/* A wake-up before the sleep is none: again and again. */
static void wake_until_stage_2(Reader *reader)
{
    while (qatomic_read(&reader->stage) != 2) {
        qemu_co_sleep_wake(&reader->sleep);
        aio_poll(qemu_get_aio_context(), false);
        sched_yield();
    }
}

typedef struct Alarm {
    QEMUTimer ts;
    Reader *reader;
} Alarm;

static void alarm_rings(void *opaque)
{
    Alarm *alarm = opaque;

    qemu_co_sleep_wake(&alarm->reader->sleep);
    timer_mod(&alarm->ts, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + 1);
}

/* The first time in 5 ms: the writer polls by then. */
static void alarm_set(Alarm *alarm, Reader *reader)
{
    alarm->reader = reader;
    aio_timer_init(qemu_get_aio_context(), &alarm->ts, QEMU_CLOCK_REALTIME,
                   SCALE_MS, alarm_rings, alarm);
    timer_mod(&alarm->ts, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + 5);
}

TEST(writer_waits_for_readers_of_every_thread)
{
    Alarm alarm;

    loop_begin();
    IOThread *iothread = iothread_new();
    AioContext *where[] = {qemu_get_aio_context(),
                           iothread_get_aio_context(iothread)};
    for (int i = 0; i < 2; i++) {
        Reader reader = {.stage = 0};

        start(where[i], read_until_woken, &reader);
        wait_for_stage(&reader, 1);
        alarm_set(&alarm, &reader);
        bdrv_graph_wrlock();
        timer_del(&alarm.ts);
        ASSERT_EQ(qatomic_read(&reader.stage), 2);
        assert_bdrv_graph_writable();
        assert_bdrv_graph_readable();
        bdrv_graph_wrunlock();
    }
    iothread_join(iothread);
    loop_end();
}

TEST(readers_wait_for_the_writer)
{
    loop_begin();
    IOThread *iothread = iothread_new();
    Reader readers[2] = {{.stage = 0}, {.stage = 0}};

    bdrv_graph_wrlock();
    start(iothread_get_aio_context(iothread), read_until_woken, &readers[0]);
    start(qemu_get_aio_context(), read_until_woken, &readers[1]);
    for (int i = 0; i < 10; i++) {
        aio_poll(qemu_get_aio_context(), false);
        usleep(500);
    }
    ASSERT_EQ(qatomic_read(&readers[0].stage), 0);
    ASSERT_EQ(readers[1].stage, 0);
    bdrv_graph_wrunlock();
    for (int i = 0; i < 2; i++) {
        wait_for_stage(&readers[i], 1);
        wake_until_stage_2(&readers[i]);
    }
    iothread_join(iothread);
    loop_end();
}

TEST(reader_may_unlock_in_another_context)
{
    loop_begin();
    IOThread *a = iothread_new(), *b = iothread_new();
    Reader reader = {.move_to = iothread_get_aio_context(b)};

    start(iothread_get_aio_context(a), read_until_woken, &reader);
    wait_for_stage(&reader, 1);
    wake_until_stage_2(&reader);
    bdrv_graph_wrlock();
    bdrv_graph_wrunlock();
    iothread_join(a);
    iothread_join(b);
    bdrv_graph_wrlock();
    bdrv_graph_wrunlock();
    loop_end();
}

/* Each context that goes leaves an unbalanced count behind. */
TEST(readers_of_a_context_that_is_gone_are_still_counted)
{
    Alarm alarm;

    loop_begin();
    Reader reader = {.stage = 0};
    IOThread *iothread = iothread_new();
    reader.move_to = qemu_get_aio_context();
    start(iothread_get_aio_context(iothread), read_until_woken, &reader);
    wait_for_stage(&reader, 1);

    /* Has not unlocked yet: it only moves. */
    Reader second = {.move_to = qemu_get_aio_context()};
    start(iothread_get_aio_context(iothread), read_until_woken, &second);
    wait_for_stage(&second, 1);
    wake_until_stage_2(&second); /* -1 here, 2 there */
    wake_until_stage_2(&reader);
    iothread_join(iothread);

    Reader third = {.stage = 0};
    start(qemu_get_aio_context(), read_until_woken, &third);
    wait_for_stage(&third, 1);
    alarm_set(&alarm, &third);
    bdrv_graph_wrlock();
    timer_del(&alarm.ts);
    ASSERT_EQ(third.stage, 2);
    bdrv_graph_wrunlock();
    loop_end();
}

/* ---- nesting ------------------------------------------------------------ */

typedef struct Nest {
    Reader outer;
    int inner; /* atomic */
    QemuCoSleep sleep;
} Nest;

static void coroutine_fn read_inside(void *opaque)
{
    Nest *nest = opaque;

    WITH_GRAPH_RDLOCK_GUARD()
    {
        GRAPH_RDLOCK_GUARD();
        qatomic_inc(&nest->inner);
    }
    qemu_co_sleep_wake(&nest->sleep);
}

/* Reads, and waits for another coroutine that wants to read, too. */
static void coroutine_fn read_and_wait_for_reader(void *opaque)
{
    Nest *nest = opaque;

    GRAPH_RDLOCK_GUARD();
    qatomic_set(&nest->outer.stage, 1);
    qemu_co_sleep(&nest->outer.sleep);
    aio_co_schedule(qemu_get_current_aio_context(),
                    qemu_coroutine_create(read_inside, nest));
    qemu_co_sleep(&nest->sleep);
}

TEST(waiting_writer_does_not_block_readers_that_others_wait_for)
{
    Alarm alarm;

    loop_begin();
    IOThread *iothread = iothread_new();
    AioContext *where[] = {qemu_get_aio_context(),
                           iothread_get_aio_context(iothread)};
    for (int i = 0; i < 2; i++) {
        Nest nest = {.inner = 0};

        start(where[i], read_and_wait_for_reader, &nest);
        wait_for_stage(&nest.outer, 1);
        alarm_set(&alarm, &nest.outer);
        bdrv_graph_wrlock();
        timer_del(&alarm.ts);
        ASSERT_EQ(qatomic_read(&nest.inner), 1);
        bdrv_graph_wrunlock();
    }
    iothread_join(iothread);
    loop_end();
}

/* ---- external handlers -------------------------------------------------- */

TEST(external_handlers_are_disabled_while_somebody_writes)
{
    loop_begin();
    AioContext *ctx = qemu_get_aio_context();
    AioContext *other = aio_context_new(NULL);

    aio_poll(other, false);
    register_aiocontext(ctx);
    register_aiocontext(ctx); /* again: nothing */
    bdrv_graph_wrlock();
    ASSERT(aio_external_disabled(ctx));
    ASSERT(!aio_external_disabled(other));
    register_aiocontext(other);
    ASSERT(aio_external_disabled(other));
    unregister_aiocontext(other);
    ASSERT(!aio_external_disabled(other));
    bdrv_graph_wrunlock();
    ASSERT(!aio_external_disabled(ctx));
    aio_context_unref(other);
    loop_end();
}

/* ---- misuse ------------------------------------------------------------- */

static void write_before_init(void *opaque)
{
    bdrv_graph_wrlock();
}

static void write_twice(void *opaque)
{
    loop_begin();
    bdrv_graph_wrlock();
    bdrv_graph_wrlock();
}

static void unlock_unlocked(void *opaque)
{
    loop_begin();
    bdrv_graph_wrunlock();
}

static void coroutine_fn write_in_coroutine(void *opaque)
{
    bdrv_graph_wrlock();
}

static void coroutine_fn unlock_reading(void *opaque)
{
    bdrv_graph_co_rdunlock();
}

static void run_in_main_loop(void *entry)
{
    loop_begin();
    qemu_coroutine_enter(qemu_coroutine_create((CoroutineEntry *)entry, NULL));
    bdrv_graph_wrlock();
}

static void read_outside(void *opaque)
{
    loop_begin();
    bdrv_graph_co_rdlock();
}

static void not_writable(void *opaque)
{
    loop_begin();
    assert_bdrv_graph_writable();
}

static void not_readable(void *opaque)
{
    assert_bdrv_graph_readable();
}

static void coroutine_fn read_as_main_loop(void *opaque)
{
    bdrv_graph_rdlock_main_loop();
}

TEST(the_main_loop_reads_without_taking_anything)
{
    loop_begin();
    {
        GRAPH_RDLOCK_GUARD_MAINLOOP();
        assert_bdrv_graph_readable();
    }
    bdrv_graph_wrlock(); /* nobody reads any more */
    bdrv_graph_wrunlock();
    loop_end();
    ASSERT_ABORTS(run_in_main_loop, read_as_main_loop,
                  "bdrv_graph_rdlock_main_loop() is for the main thread");
}

TEST(misuse_aborts_naming_the_mistake)
{
    ASSERT_ABORTS(write_before_init, NULL, "is for the main thread");
    ASSERT_ABORTS(write_twice, NULL, "locked for writing twice");
    ASSERT_ABORTS(unlock_unlocked, NULL, "not locked for writing");
    ASSERT_ABORTS(run_in_main_loop, write_in_coroutine,
                  "outside of coroutines");
    ASSERT_ABORTS(run_in_main_loop, unlock_reading,
                  "1 more readers of the graph have unlocked");
    ASSERT_ABORTS(read_outside, NULL, "outside of coroutines of a context");
    ASSERT_ABORTS(not_writable, NULL, "written without its lock");
    ASSERT_ABORTS(not_readable, NULL, "read without its lock");
}

/* ---- four threads ------------------------------------------------------- */

enum { THREADS = 4, PER_THREAD = 4 };

typedef struct Torture {
    AioContext *ctx[THREADS];
    int value[2]; /* plain: equal unless somebody writes */
    int reads;    /* atomic */
    bool stop;    /* atomic */
    int left;     /* atomic */
} Torture;

static void coroutine_fn read_often(void *opaque)
{
    Torture *t = opaque;

    for (unsigned i = 0; !qatomic_read(&t->stop); i++) {
        bdrv_graph_co_rdlock();
        int first = t->value[0];
        if (i % 4 == 0) {
            aio_co_reschedule_self(t->ctx[i / 4 % THREADS]);
        }
        ASSERT_EQ(t->value[1], first);
        bdrv_graph_co_rdunlock();
        qatomic_inc(&t->reads);
        aio_co_schedule(qemu_get_current_aio_context(), qemu_coroutine_self());
        qemu_coroutine_yield();
    }
    qatomic_dec(&t->left);
    aio_wait_kick();
}

TEST(no_reader_of_four_threads_sees_half_a_write)
{
    int writes = test_is_slow() ? 50 : 500;
    IOThread *threads[THREADS];
    Torture t = {.left = THREADS * PER_THREAD};

    loop_begin();
    for (int i = 0; i < THREADS; i++) {
        threads[i] = iothread_new();
        t.ctx[i] = iothread_get_aio_context(threads[i]);
    }
    for (int i = 0; i < THREADS * PER_THREAD; i++) {
        start(t.ctx[i % THREADS], read_often, &t);
    }
    for (int i = 0; i < writes; i++) {
        int reads = qatomic_read(&t.reads);

        bdrv_graph_wrlock();
        t.value[0]++;
        for (int j = 0; j < 100; j++) {
            cpu_relax();
        }
        t.value[1]++;
        bdrv_graph_wrunlock();
        while (qatomic_read(&t.reads) == reads) {
            sched_yield();
        }
    }
    qatomic_set(&t.stop, true);
    AIO_WAIT_WHILE_UNLOCKED(NULL, qatomic_read(&t.left) > 0);
    for (int i = 0; i < THREADS; i++) {
        iothread_join(threads[i]);
    }
    bdrv_graph_wrlock(); /* the counts are balanced */
    bdrv_graph_wrunlock();
    loop_end();
}
