/*
 * visitor_test.c - a context is destroyed by what another thread has just
 * queued, before that thread has finished queueing it
 *
 * aio_notify(), which queueing ends with, takes its time here.
 */
#include "everywhere.h"
#include "qemu/timer.h"

void __real_aio_notify(AioContext *ctx);
void __wrap_aio_notify(AioContext *ctx);

/* atomic: by threads other than the home */
static int begun, ended;

void __wrap_aio_notify(AioContext *ctx)
{
    if (aio_context_in_home_thread(ctx)) {
        __real_aio_notify(ctx);
        return;
    }
    qatomic_inc(&begun);
    usleep(5000);
    __real_aio_notify(ctx);
    qatomic_inc(&ended);
}

typedef struct Visit {
    AioContext *ctx;
    void (*queue)(struct Visit *v);
    QEMUTimer timer;
    int fd;
    bool fired;
} Visit;

static void *visitor_main(void *opaque)
{
    Visit *v = opaque;

    v->queue(v);
    return NULL;
}

static void fire(void *opaque)
{
    Visit *v = opaque;

    v->fired = true;
}

static void allow_external(Visit *v)
{
    aio_enable_external(v->ctx);
}

/* Until what is queued has run, and @queue is on its way out. */
static void visit(Visit *v)
{
    pthread_t thread;
    int before = begun;

    if (v->queue == allow_external) {
        poke(v->fd);
        aio_set_fd_handler(v->ctx, v->fd, true, fire, NULL, NULL, NULL, v);
        aio_disable_external(v->ctx);
    }
    aio_poll(v->ctx, false);
    ASSERT_EQ(pthread_create(&thread, NULL, visitor_main, v), 0);
    while (!v->fired || qatomic_read(&begun) == before) {
        aio_poll(v->ctx, false);
    }
    unset(v->ctx, v->fd);
    aio_context_unref(v->ctx);
    ASSERT_EQ(qatomic_read(&ended), before + 1);
    pthread_join(thread, NULL);
}

static void on_monitors(void (*queue)(Visit *v))
{
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        Visit v = {
            .ctx = aio_context_new(NULL), .queue = queue, .fd = new_event()};

        ASSERT(aio_context_set_fdmon(v.ctx, *name, NULL));
        aio_timer_init(v.ctx, &v.timer, QEMU_CLOCK_REALTIME, SCALE_NS, fire,
                       &v);
        if (aio_fdmon_probe(*name, NULL)) {
            visit(&v);
        } else {
            aio_context_unref(v.ctx);
        }
        close(v.fd);
    }
}

static void queue_bh(Visit *v)
{
    aio_bh_schedule_oneshot(v->ctx, fire, v);
}

TEST(a_context_outlives_the_scheduling_of_a_bottom_half)
{
    on_monitors(queue_bh);
}

static void queue_timer(Visit *v)
{
    timer_mod_ns(&v->timer, 0);
}

TEST(a_context_outlives_the_arming_of_a_timer)
{
    on_monitors(queue_timer);
}

static void queue_timer_sooner(Visit *v)
{
    timer_mod_anticipate_ns(&v->timer, 0);
}

TEST(a_context_outlives_the_arming_of_a_timer_for_an_earlier_time)
{
    on_monitors(queue_timer_sooner);
}

static void queue_handler(Visit *v)
{
    poke(v->fd);
    aio_set_fd_handler(v->ctx, v->fd, false, fire, NULL, NULL, NULL, v);
}

TEST(a_context_outlives_the_setting_of_a_handler)
{
    on_monitors(queue_handler);
}

TEST(a_context_outlives_the_enabling_of_its_external_handlers)
{
    on_monitors(allow_external);
}

/* ---- homes that come and go --------------------------------------------- */

static bool asked_enough; /* atomic */

static void *ask(void *opaque)
{
    AioContext *ctx = opaque;

    while (!qatomic_read(&asked_enough)) {
        (void)aio_context_in_home_thread(ctx);
    }
    return NULL;
}

static void *poll_once(void *opaque)
{
    aio_poll(opaque, false);
    return NULL;
}

TEST(any_thread_may_ask_for_the_home_while_it_passes_on)
{
    AioContext *ctx = aio_context_new(NULL);
    int homes = test_is_slow() ? 200 : 2000;
    pthread_t asker;

    ASSERT_EQ(pthread_create(&asker, NULL, ask, ctx), 0);
    for (int i = 0; i < homes; i++) {
        pthread_t home;

        ASSERT_EQ(pthread_create(&home, NULL, poll_once, ctx), 0);
        pthread_join(home, NULL);
    }
    qatomic_set(&asked_enough, true);
    pthread_join(asker, NULL);
    aio_context_unref(ctx);
}
