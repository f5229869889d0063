/*
 * iothread_test.c - threads that run a context
 */
#include <sched.h>
#include <stdlib.h>

#include "aioctl/context.h"
#include "aioctl/iothread.h"
#include "aioctl/request.h"
#include "qemu/atomic.h"
#include "qemu/coroutine.h"
#include "test.h"

static const char *const monitors[] = {"poll", "epoll", "io_uring"};
enum { MONITORS = 3 };

typedef struct Seen {
    AioContext *ctx;
    int thread_id;
    bool in_iothread;
    int calls;
    QemuSemaphore sem;
} Seen;

static void look(void *opaque)
{
    Seen *seen = opaque;

    seen->ctx = qemu_get_current_aio_context();
    seen->thread_id = qemu_get_thread_id();
    seen->in_iothread = qemu_in_iothread();
    seen->calls++;
    qemu_sem_post(&seen->sem);
}

TEST(bottom_halves_of_its_context_run_in_the_thread)
{
    IOThread *iothread = iothread_create("worker", NULL);
    AioContext *ctx = iothread_get_aio_context(iothread);
    Seen seen = {.calls = 0};

    qemu_sem_init(&seen.sem, 0);
    aio_bh_schedule_oneshot(ctx, look, &seen);
    qemu_sem_wait(&seen.sem);
    ASSERT_PTR_EQ(seen.ctx, ctx);
    ASSERT_EQ(seen.thread_id, aio_iothread_thread_id(iothread));
    ASSERT(seen.thread_id != qemu_get_thread_id());
    ASSERT(seen.in_iothread);
    ASSERT(!qemu_in_iothread());
    iothread_destroy(iothread);
    qemu_sem_destroy(&seen.sem);
}

TEST(names_are_unique_and_can_be_looked_up)
{
    Error *err = NULL;
    IOThread *a = iothread_create("a", NULL);
    IOThread *n = iothread_new();
    char *id = iothread_get_id(a), *auto_id = iothread_get_id(n);

    ASSERT_STR_EQ(id, "a");
    ASSERT_STR_EQ(auto_id, "iothread0");
    ASSERT_PTR_EQ(iothread_by_id("a"), a);
    ASSERT_PTR_EQ(iothread_by_id("iothread0"), n);
    ASSERT_PTR_EQ(iothread_by_id("b"), NULL);
    ASSERT_PTR_EQ(iothread_create("a", &err), NULL);
    ASSERT_STR_EQ(error_get_pretty(err),
                  "iothread: there is one called 'a' already");
    error_free(err);
    iothread_destroy(a);
    ASSERT_PTR_EQ(iothread_by_id("a"), NULL);
    iothread_destroy(iothread_create("a", NULL));
    iothread_join(n);
    free(id);
    free(auto_id);
}

static void schedule_three(void *opaque)
{
    Seen *seen = opaque;

    if (++seen->calls < 3) {
        aio_bh_schedule_oneshot(seen->ctx, schedule_three, seen);
    }
}

TEST(what_was_scheduled_before_the_stop_has_run)
{
    IOThread *iothread = iothread_new();
    AioContext *ctx = iothread_get_aio_context(iothread);
    Seen chain = {.ctx = ctx}, many = {.calls = 0};

    qemu_sem_init(&many.sem, 0);
    aio_context_ref(ctx);
    for (int i = 0; i < 1000; i++) {
        aio_bh_schedule_oneshot(ctx, look, &many);
    }
    aio_bh_schedule_oneshot(ctx, schedule_three, &chain);
    iothread_stop(iothread);
    ASSERT_EQ(many.calls, 1000);
    ASSERT_EQ(chain.calls, 3);
    iothread_stop(iothread); /* again: nothing */
    ASSERT_PTR_EQ(iothread_get_aio_context(iothread), ctx);
    iothread_destroy(iothread);

    /* The context has no home now; we may be it. */
    aio_bh_schedule_oneshot(ctx, look, &many);
    ASSERT(aio_poll(ctx, false));
    ASSERT_EQ(many.calls, 1001);
    aio_context_unref(ctx);
    qemu_sem_destroy(&many.sem);
}

static void stop_me(void *opaque)
{
    iothread_stop(opaque);
}

static void stop_from_inside(void *opaque)
{
    IOThread *iothread = iothread_create("me", NULL);

    aio_bh_schedule_oneshot(iothread_get_aio_context(iothread), stop_me,
                            iothread);
    for (;;) {
        pause();
    }
}

TEST(stopping_oneself_aborts)
{
    ASSERT_ABORTS(stop_from_inside, NULL, "IOThread 'me' stops itself");
}

/* ---- parameters --------------------------------------------------------- */

static void note_begin(AioContext *ctx, void *opaque)
{
    Seen *seen = opaque;

    seen->ctx = ctx;
    seen->thread_id = qemu_get_thread_id();
    seen->calls = 1;
}

static void note_end(AioContext *ctx, void *opaque)
{
    Seen *seen = opaque;

    ASSERT_EQ(seen->calls, 1);
    ASSERT_PTR_EQ(seen->ctx, ctx);
    ASSERT_EQ(seen->thread_id, qemu_get_thread_id());
    seen->calls = 2;
}

typedef struct Settings {
    AioContextParams params;
    const char *fdmon;
    int cpu;
    cpu_set_t cpus;
    QemuSemaphore sem;
} Settings;

static void read_settings(void *opaque)
{
    Settings *settings = opaque;
    AioContext *ctx = qemu_get_current_aio_context();

    aio_context_get_params(ctx, &settings->params);
    settings->fdmon = aio_context_fdmon(ctx);
    settings->cpu = sched_getcpu();
    sched_getaffinity(0, sizeof(settings->cpus), &settings->cpus);
    qemu_sem_post(&settings->sem);
}

static void settings_of(IOThread *iothread, Settings *settings)
{
    qemu_sem_init(&settings->sem, 0);
    aio_bh_schedule_oneshot(iothread_get_aio_context(iothread), read_settings,
                            settings);
    qemu_sem_wait(&settings->sem);
    qemu_sem_destroy(&settings->sem);
}

static int some_cpu(void)
{
    cpu_set_t cpus;
    int last = 0;

    ASSERT_EQ(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        last = CPU_ISSET(i, &cpus) ? i : last;
    }
    return last;
}

TEST(parameters_reach_the_thread)
{
    int cpu = some_cpu();
    Seen seen = {.calls = 0};
    AioIOThreadParams params;
    Settings settings;

    aio_iothread_params_init(&params);
    IOThread *iothread = aio_iothread_new(&params, NULL);
    settings_of(iothread, &settings);
    ASSERT_EQ(settings.params.poll_max_ns, 32768);
    iothread_destroy(iothread);

    params = (AioIOThreadParams){
        .poll_max_ns = 5000,
        .poll_grow = 3,
        .poll_shrink = 4,
        .fdmon = "poll",
        .cpus = &cpu,
        .cpu_count = 1,
        .begin = note_begin,
        .end = note_end,
        .opaque = &seen,
    };
    iothread = aio_iothread_new(&params, NULL);
    ASSERT_EQ(seen.calls, 1);
    settings_of(iothread, &settings);
    ASSERT_EQ(settings.params.poll_max_ns, 5000);
    ASSERT_EQ(settings.params.poll_grow, 3);
    ASSERT_EQ(settings.params.poll_shrink, 4);
    ASSERT_STR_EQ(settings.fdmon, "poll");
    ASSERT_EQ(settings.cpu, cpu);
    ASSERT_EQ(CPU_COUNT(&settings.cpus), 1);
    iothread_destroy(iothread);
    ASSERT_EQ(seen.calls, 2);
}

static void refused(const AioIOThreadParams *params, const char *message)
{
    Error *err = NULL;

    ASSERT_PTR_EQ(aio_iothread_new(params, &err), NULL);
    if (!strstr(error_get_pretty(err), message)) {
        FAIL("\"%s\" is not in \"%s\"", message, error_get_pretty(err));
    }
    error_free(err);
}

TEST(bad_parameters_are_refused_naming_value_and_range)
{
    int cpus[] = {-1, CPU_SETSIZE - 1};

    refused(&(AioIOThreadParams){.poll_max_ns = -7}, "poll_max_ns is -7");
    refused(&(AioIOThreadParams){.fdmon = "kqueue"}, "kqueue");
    refused(&(AioIOThreadParams){.cpus = cpus, .cpu_count = 1},
            "processor -1, must be from 0 to");
    refused(&(AioIOThreadParams){.cpus = cpus + 1, .cpu_count = 1},
            "cannot run on processor");
    ASSERT_PTR_EQ(iothread_by_id("iothread0"), NULL);
}

/* ---- storms ------------------------------------------------------------- */

static void count(void *opaque)
{
    int *calls = opaque;

    (*calls)++;
}

TEST(thousand_threads_come_and_go)
{
    int rounds = test_is_slow() ? 100 : 1000, calls = 0;
    int fds = test_count_fds();

    for (int i = 0; i < rounds; i++) {
        IOThread *iothread = iothread_new();

        if (i % 2) {
            aio_bh_schedule_oneshot(iothread_get_aio_context(iothread), count,
                                    &calls);
        }
        iothread_join(iothread);
    }
    ASSERT_EQ(calls, rounds / 2);
    ASSERT_EQ(test_count_fds(), fds);
}

/* Threads that make and drop threads, all at the same time. */
static void *come_and_go(void *opaque)
{
    int rounds = test_is_slow() ? 20 : 100, calls = 0;

    for (int i = 0; i < rounds; i++) {
        AioIOThreadParams params;

        aio_iothread_params_init(&params);
        params.fdmon = monitors[i % MONITORS];
        IOThread *iothread = aio_iothread_new(&params, NULL);
        ASSERT(iothread);
        aio_bh_schedule_oneshot(iothread_get_aio_context(iothread), count,
                                &calls);
        iothread_join(iothread);
    }
    ASSERT_EQ(calls, rounds);
    return NULL;
}

TEST(threads_come_and_go_in_four_threads_on_every_monitor)
{
    QemuThread threads[4];

    for (int i = 0; i < 4; i++) {
        qemu_thread_create(&threads[i], "storm", come_and_go, NULL,
                           QEMU_THREAD_JOINABLE);
    }
    for (int i = 0; i < 4; i++) {
        qemu_thread_join(&threads[i]);
    }
}

/* ---- everything at once ------------------------------------------------- */

typedef struct Mix {
    IOThread *threads[MONITORS];
    AioContext *ctx[MONITORS];
    int rounds;
    int left; /* atomic */
    QemuSemaphore done;
} Mix;

/* A coroutine that wanders from thread to thread and sleeps a little. */
static void coroutine_fn wander(void *opaque)
{
    Mix *mix = opaque;

    for (int i = 0; i < mix->rounds; i++) {
        aio_co_reschedule_self(mix->ctx[i % MONITORS]);
        ASSERT_PTR_EQ(qemu_get_current_aio_context(), mix->ctx[i % MONITORS]);
        if (i % 8 == 0) {
            qemu_co_sleep_ns(QEMU_CLOCK_REALTIME, 1000);
        }
    }
    if (qatomic_fetch_dec(&mix->left) == 1) {
        qemu_sem_post(&mix->done);
    }
}

TEST(coroutines_wander_between_threads_on_every_monitor)
{
    enum { WANDERERS = 20 };
    Mix mix = {.rounds = test_is_slow() ? 60 : 600, .left = WANDERERS};
    AioIOThreadParams params;

    qemu_sem_init(&mix.done, 0);
    aio_iothread_params_init(&params);
    for (int i = 0; i < MONITORS; i++) {
        params.fdmon = monitors[i];
        mix.threads[i] = aio_iothread_new(&params, NULL);
        mix.ctx[i] = iothread_get_aio_context(mix.threads[i]);
    }
    for (int i = 0; i < WANDERERS; i++) {
        aio_co_schedule(mix.ctx[i % MONITORS],
                        qemu_coroutine_create(wander, &mix));
    }
    qemu_sem_wait(&mix.done);
    for (int i = 0; i < MONITORS; i++) {
        iothread_destroy(mix.threads[i]);
    }
    qemu_sem_destroy(&mix.done);
}

/* ---- file engines in the thread ----------------------------------------- */

typedef struct Job {
    const char *engine;
    AioRequest req;
    int64_t ret;
    QemuSemaphore done;
} Job;

static void job_done(AioRequest *req)
{
    Job *job = req->opaque;

    job->ret = req->ret;
    qemu_sem_post(&job->done);
}

static void job_start(void *opaque)
{
    Job *job = opaque;
    AioContext *ctx = qemu_get_current_aio_context();
    const AioEngine *engine =
        aio_engine_get(ctx, job->engine, true, NULL, NULL);

    aio_request_submit(ctx, engine, &job->req);
}

/* Ring, pool and so on were made in the thread that is gone. */
TEST(context_with_file_engines_outlives_its_thread)
{
    static const char *const engines[] = {"threads", "linux_aio", "io_uring"};
    static char buf[4096];
    FILE *file = tmpfile();

    ASSERT(file);
    for (int i = 0; i < 3 * MONITORS; i++) {
        AioIOThreadParams params;
        Job job = {
            .engine = engines[i / MONITORS],
            .req = {.op = AIO_OP_WRITE,
                    .fd = fileno(file),
                    .base = buf,
                    .len = sizeof(buf),
                    .buf_index = -1,
                    .done = job_done},
        };

        qemu_sem_init(&job.done, 0);
        job.req.opaque = &job;
        aio_iothread_params_init(&params);
        params.fdmon = monitors[i % MONITORS];
        IOThread *iothread = aio_iothread_new(&params, NULL);
        aio_bh_schedule_oneshot(iothread_get_aio_context(iothread), job_start,
                                &job);
        qemu_sem_wait(&job.done);
        ASSERT_EQ(job.ret, sizeof(buf));
        iothread_destroy(iothread);
        qemu_sem_destroy(&job.done);
    }
    fclose(file);
}
