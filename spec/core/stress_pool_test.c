/*
 * stress_pool_test.c - thread pools that are resized, starved of threads and
 * cancelled from while they work
 */
#include <errno.h>
#include <sys/resource.h>

#include "block/block.h"
#include "block/thread-pool.h"
#include "engine/thread_pool_int.h"
#include "loop/context.h"
#include "qemu/coroutine.h"
#include "stress.h"

enum { WORKS = 200 };

typedef struct Work {
    struct Pit *pit;
    BlockAIOCB *acb; /* while busy */
    bool cancelled;
    int runs; /* atomic */
    int submits, calls, cancels;
} Work;

typedef struct Pit {
    AioContext *ctx;
    ThreadPool *pool;
    Work works[WORKS];
    unsigned random;
    int to_do, in_flight;
} Pit;

static int work_run(void *opaque)
{
    Work *w = opaque;

    if (qatomic_fetch_inc(&w->runs) % 64 == 0) {
        usleep(100);
    }
    return 7;
}

static void submit(Pit *pit, Work *w);

static void work_done(void *opaque, int ret)
{
    Work *w = opaque;
    Pit *pit = w->pit;

    ASSERT(w->acb);
    ASSERT(ret == 7 || (ret == -ECANCELED && w->cancelled));
    w->acb = NULL;
    w->calls++;
    w->cancels += ret == -ECANCELED;
    pit->in_flight--;
    if (pit->to_do > 0 && random_next(&pit->random) % 2) {
        submit(pit, w);
    }
}

static void submit(Pit *pit, Work *w)
{
    pit->to_do--;
    pit->in_flight++;
    w->submits++;
    w->cancelled = false;
    w->acb = thread_pool_submit_aio(pit->pool, work_run, w, work_done, w);
}

static void resize(Pit *pit)
{
    int max = 1 + (int)(random_next(&pit->random) % 24);
    int min = (int)(random_next(&pit->random) % (unsigned)(max + 1));

    aio_context_set_thread_pool_params(pit->ctx, min, max, NULL);
}

static void act(Pit *pit)
{
    Work *w = &pit->works[random_next(&pit->random) % WORKS];

    if (!w->acb) {
        submit(pit, w);
    } else if (random_next(&pit->random) % 2) {
        w->cancelled = true;
        bdrv_aio_cancel_async(w->acb);
        ASSERT(w->acb);
    } else if (random_next(&pit->random) % 16 == 0) {
        resize(pit);
    } else {
        aio_poll(pit->ctx, false);
    }
}

static void check_works(const Pit *pit)
{
    for (int i = 0; i < WORKS; i++) {
        const Work *w = &pit->works[i];

        ASSERT_EQ(w->calls, w->submits);
        ASSERT_EQ(w->runs, w->submits - w->cancels);
    }
}

TEST(work_is_done_once_or_cancelled_while_the_pool_is_resized)
{
    Pit *pit = calloc(1, sizeof(*pit));

    pit->ctx = aio_context_new(NULL);
    pit->pool = aio_get_thread_pool(pit->ctx);
    pit->random = 99;
    pit->to_do = scaled(100000);
    for (int i = 0; i < WORKS; i++) {
        pit->works[i].pit = pit;
    }
    while (pit->to_do > 0) {
        act(pit);
    }
    while (pit->in_flight > 0) {
        aio_poll(pit->ctx, true);
    }
    check_works(pit);
    aio_context_unref(pit->ctx);
    free(pit);
}

/* ---- sizes set from another thread -------------------------------------- */

typedef struct Sizer {
    AioContext *ctx;
    bool stop; /* atomic */
} Sizer;

static void *sizer_main(void *opaque)
{
    Sizer *sizer = opaque;
    unsigned random = 31;

    while (!qatomic_read(&sizer->stop)) {
        int max = 1 + (int)(random_next(&random) % 16);

        aio_context_set_thread_pool_params(sizer->ctx, max / 2, max, NULL);
        aio_context_set_poll_params(sizer->ctx, max * 1000, 2, 2, NULL);
        aio_context_set_aio_params(sizer->ctx, max, NULL);
        usleep(50);
    }
    return NULL;
}

static int answer(void *opaque)
{
    return 42;
}

typedef struct Asker {
    AioContext *ctx;
    int rounds, ended;
} Asker;

static void coroutine_fn ask(void *opaque)
{
    Asker *asker = opaque;

    for (int i = 0; i < asker->rounds; i++) {
        ThreadPool *pool = aio_get_thread_pool(asker->ctx);

        ASSERT_EQ(thread_pool_submit_co(pool, answer, NULL), 42);
    }
    asker->ended++;
}

TEST(settings_may_be_changed_by_another_thread)
{
    Asker asker = {.ctx = aio_context_new(NULL), .rounds = scaled(3000)};
    Sizer sizer = {.ctx = asker.ctx};
    pthread_t thread;

    pthread_create(&thread, NULL, sizer_main, &sizer);
    for (int i = 0; i < 4; i++) {
        aio_co_enter(asker.ctx, qemu_coroutine_create(ask, &asker));
    }
    while (asker.ended < 4) {
        aio_poll(asker.ctx, true);
    }
    qatomic_set(&sizer.stop, true);
    pthread_join(thread, NULL);
    aio_context_unref(asker.ctx);
}

/* ---- no threads to be had ----------------------------------------------- */

typedef struct Tally {
    int done, failed;
} Tally;

static void tally(void *opaque, int ret)
{
    Tally *t = opaque;

    ASSERT(ret == 42 || ret == -EAGAIN);
    t->done++;
    t->failed += ret != 42;
}

static rlim_t mapped_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    ASSERT(f && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    return (rlim_t)pages * (rlim_t)getpagesize();
}

/* No address space for one more thread's stack. */
static void limit_threads(bool on)
{
    static struct rlimit before;
    struct rlimit limit;

    if (on) {
        getrlimit(RLIMIT_AS, &before);
        limit = before;
        limit.rlim_cur = mapped_bytes() + (1 << 20);
        ASSERT_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    } else {
        ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
    }
}

TEST(every_submission_is_answered_also_without_threads)
{
    AioContext *ctx = aio_context_new(NULL);
    ThreadPool *pool = aio_get_thread_pool(ctx);
    Tally t = {0};

    if (test_is_slow()) {
        SKIP("checkers need the address space");
    }
    limit_threads(true);
    for (int i = 0; i < 100; i++) {
        thread_pool_submit_aio(pool, answer, NULL, tally, &t);
    }
    while (t.done < 100) {
        aio_poll(ctx, true);
    }
    limit_threads(false);
    ASSERT_EQ(t.failed, 100); /* there was nobody to do it */
    thread_pool_submit_aio(pool, answer, NULL, tally, &t);
    while (t.done < 101) {
        aio_poll(ctx, true);
    }
    ASSERT_EQ(t.failed, 100);
    aio_context_unref(ctx);
}

TEST(one_thread_does_the_work_of_those_that_cannot_be_started)
{
    AioContext *ctx = aio_context_new(NULL);
    ThreadPool *pool = aio_get_thread_pool(ctx);
    Tally t = {0};

    if (test_is_slow()) {
        SKIP("checkers need the address space");
    }
    aio_context_set_thread_pool_params(ctx, 1, 16, NULL);
    limit_threads(true);
    for (int i = 0; i < 1000; i++) {
        thread_pool_submit_aio(pool, answer, NULL, tally, &t);
    }
    while (t.done < 1000) {
        aio_poll(ctx, true);
    }
    limit_threads(false);
    ASSERT_EQ(t.failed, 0);
    aio_context_unref(ctx);
}
