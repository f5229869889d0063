/*
 * busypoll_test.c - adaptive polling before a wait
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "loop/context.h"
#include "qemu/atomic.h"
#include "test.h"

typedef struct Device {
    AioContext *ctx;
    int fd;
    int work;  /* atomic: set by the "hardware" */
    int polls; /* calls of io_poll */
    int reads; /* io_read calls */
    int ready; /* io_poll_ready calls */
    int begins;
    int ends;
    bool nest;
} Device;

static void device_read(void *opaque)
{
    Device *device = opaque;
    uint64_t value;

    device->reads++;
    ASSERT_EQ(read(device->fd, &value, sizeof(value)), sizeof(value));
    qatomic_set(&device->work, 0);
}

static bool device_poll(void *opaque)
{
    Device *device = opaque;

    device->polls++;
    return qatomic_load_acquire(&device->work);
}

static void device_ready(void *opaque)
{
    Device *device = opaque;

    device->ready++;
    if (device->nest) {
        device->nest = false;
        ASSERT(!aio_poll(device->ctx, false)); /* not found once more */
    }
    qatomic_set(&device->work, 0);
}

static void device_begin(void *opaque)
{
    ((Device *)opaque)->begins++;
}

static void device_end(void *opaque)
{
    ((Device *)opaque)->ends++;
}

static void need_two_cpus(void)
{
    cpu_set_t cpus;

    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0 &&
        CPU_COUNT(&cpus) < 2) {
        SKIP("one processor: contexts do not poll");
    }
}

static void device_open(AioContext *ctx, Device *device)
{
    device->ctx = ctx;
    device->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    aio_set_fd_handler(ctx, device->fd, false, device_read, NULL, device_poll,
                       device_ready, device);
    aio_set_fd_poll(ctx, device->fd, device_begin, device_end);
}

static void device_close(Device *device)
{
    aio_set_fd_handler(device->ctx, device->fd, false, NULL, NULL, NULL, NULL,
                       NULL);
    close(device->fd);
}

static void kick(Device *device)
{
    uint64_t one = 1;

    ASSERT_EQ(write(device->fd, &one, sizeof(one)), sizeof(one));
}

static void nothing(void *opaque)
{
}

/* A blocking pass of about @ns in which nothing comes. */
static void idle_pass(AioContext *ctx, int64_t ns)
{
    QEMUTimer *timer =
        aio_timer_new(ctx, QEMU_CLOCK_REALTIME, SCALE_NS, nothing, NULL);

    timer_mod_ns(timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + ns);
    while (timer_pending(timer)) {
        aio_poll(ctx, true);
    }
    timer_free(timer);
}

static int64_t budget(AioContext *ctx)
{
    AioContextStats stats;

    aio_context_get_stats(ctx, &stats);
    return stats.poll_ns;
}

static void everywhere(void (*scenario)(AioContext *ctx))
{
    need_two_cpus();
    for (const char *const *name = aio_fdmon_names(); *name; name++) {
        if (aio_fdmon_probe(*name, NULL)) {
            AioContext *ctx = aio_context_new(NULL);

            ASSERT(aio_context_set_fdmon(ctx, *name, NULL));
            scenario(ctx);
            aio_context_unref(ctx);
        }
    }
}

TEST(budget_grows_from_four_microseconds_and_shrinks_as_told)
{
    AioContext *ctx = aio_context_new(NULL);

    /* The rule itself, without a clock in the way. */
    ctx->poll_max_ns = 100000;
    need_two_cpus();
    busypoll_adjust(ctx, 50000);
    ASSERT_EQ(budget(ctx), 4000);
    busypoll_adjust(ctx, 3000); /* within: keep */
    ASSERT_EQ(budget(ctx), 4000);
    busypoll_adjust(ctx, 50000);
    ASSERT_EQ(budget(ctx), 8000);
    ctx->poll_grow = 10;
    busypoll_adjust(ctx, 50000);
    ASSERT_EQ(budget(ctx), 80000);
    busypoll_adjust(ctx, 90000); /* never beyond the maximum */
    ASSERT_EQ(budget(ctx), 100000);
    ctx->poll_shrink = 4;
    busypoll_adjust(ctx, 200000);
    ASSERT_EQ(budget(ctx), 25000);
    ctx->poll_shrink = 0;
    busypoll_adjust(ctx, 200000);
    ASSERT_EQ(budget(ctx), 0);
    ctx->poll_max_ns = 1000; /* the first step is capped as well */
    busypoll_adjust(ctx, 500);
    ASSERT_EQ(budget(ctx), 1000);
    aio_context_unref(ctx);
}

TEST(time_it_takes_to_wake_up_does_not_count_as_waiting)
{
    AioContext *ctx = aio_context_new(NULL);

    ctx->kicked_ns = 3000; /* in the wait from 1000 to 9000 */
    ASSERT_EQ(busypoll_block_ns(ctx, 1000, 9000), 2000);
    ctx->kicked_ns = 500; /* of an earlier wait */
    ASSERT_EQ(busypoll_block_ns(ctx, 1000, 9000), 8000);
    ctx->kicked_ns = 9500; /* too late to have ended this one */
    ASSERT_EQ(busypoll_block_ns(ctx, 1000, 9000), 8000);
    aio_context_unref(ctx);
}

TEST(nothing_is_polled_unless_asked_for)
{
    AioContext *ctx = aio_context_new(NULL);
    Device device = {0};

    device_open(ctx, &device);
    kick(&device);
    ASSERT(aio_poll(ctx, true));
    idle_pass(ctx, 100000);
    ASSERT_EQ(device.polls, 0);
    ASSERT_EQ(device.begins, 0);
    device_close(&device);
    aio_context_unref(ctx);
}

static void *work_soon(void *opaque)
{
    Device *device = opaque;

    usleep(1000);
    qatomic_store_release(&device->work, 1); /* no kick: polling must see it */
    return NULL;
}

static void work_is_found(AioContext *ctx)
{
    Device device = {0};
    pthread_t thread;

    aio_context_set_poll_params(ctx, 10 * NANOSECONDS_PER_SECOND, 0, 0, NULL);
    device_open(ctx, &device);
    kick(&device);
    ASSERT(aio_poll(ctx, true)); /* from now on it is polled */
    ASSERT_EQ(device.reads, 1);
    ctx->poll_ns = ctx->poll_max_ns;
    pthread_create(&thread, NULL, work_soon, &device);
    while (!device.ready) {
        aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    ASSERT_EQ(device.reads, 1);
    ASSERT_EQ(device.begins, 1);
    ASSERT_EQ(device.ends, 0);
    ASSERT(!aio_poll(ctx, false)); /* a pass that does not poll ends it */
    ASSERT_EQ(device.ends, 1);
    AioContextStats stats;
    aio_context_get_stats(ctx, &stats);
    ASSERT_CMP(stats.poll_hits, >=, 1);
    ASSERT_CMP(stats.poll_ns_total, >, 0);
    device_close(&device);
}

TEST(work_is_found_by_polling_on_every_monitor)
{
    everywhere(work_is_found);
}

static void *kick_soon(void *opaque)
{
    usleep(1000);
    kick(opaque);
    return NULL;
}

static void plain_fd_is_seen(AioContext *ctx)
{
    Device polled = {0}, plain = {.ctx = ctx};
    pthread_t thread;

    aio_context_set_poll_params(ctx, 10 * NANOSECONDS_PER_SECOND, 0, 0, NULL);
    device_open(ctx, &polled);
    plain.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    aio_set_fd_handler(ctx, plain.fd, false, device_read, NULL, NULL, NULL,
                       &plain);
    ASSERT(aio_poll_disabled(ctx));
    kick(&polled);
    ASSERT(aio_poll(ctx, true));
    ctx->poll_ns = ctx->poll_max_ns;
    int64_t start = qemu_clock_get_ns(QEMU_CLOCK_REALTIME);
    pthread_create(&thread, NULL, kick_soon, &plain);
    while (!plain.reads) {
        aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    /* Not only when the budget of ten seconds was used up. */
    ASSERT_CMP(qemu_clock_get_ns(QEMU_CLOCK_REALTIME) - start, <,
               5 * NANOSECONDS_PER_SECOND);
    ASSERT_CMP(polled.polls, >, 0);
    device_close(&polled);
    device_close(&plain);
}

TEST(fd_without_io_poll_is_seen_while_others_are_polled)
{
    everywhere(plain_fd_is_seen);
}

static void *schedule_soon(void *opaque)
{
    Device *device = opaque;

    usleep(1000);
    aio_bh_schedule_oneshot(device->ctx, device_ready, device);
    return NULL;
}

static void bottom_half_is_seen(AioContext *ctx)
{
    Device device = {.ctx = ctx};
    AioContextStats stats;
    pthread_t thread;

    aio_context_set_poll_params(ctx, 10 * NANOSECONDS_PER_SECOND, 0, 0, NULL);
    aio_poll(ctx, false);
    ctx->poll_ns = ctx->poll_max_ns;
    pthread_create(&thread, NULL, schedule_soon, &device);
    while (!device.ready) {
        aio_poll(ctx, true);
    }
    pthread_join(thread, NULL);
    aio_context_get_stats(ctx, &stats);
    ASSERT_EQ(stats.notifies, 0); /* nobody slept: nobody had to be woken */
    ASSERT_EQ(stats.blocked, 0);
}

TEST(work_of_another_thread_is_seen_by_polling_without_a_wake_up)
{
    everywhere(bottom_half_is_seen);
}

/* Idle passes with a budget of @ns, until one has polled and then slept: a
 * thread that is kept from running meanwhile finds its timer due instead. */
static void give_up_polling(AioContext *ctx, int64_t ns)
{
    AioContextStats before, after;

    do {
        aio_context_get_stats(ctx, &before);
        ctx->poll_ns = ns;
        idle_pass(ctx, 3 * SCALE_MS);
        aio_context_get_stats(ctx, &after);
    } while (after.polls == before.polls ||
             after.blocked_ns - before.blocked_ns < SCALE_MS);
}

static void budget_ends(AioContext *ctx)
{
    Device device = {0};

    aio_context_set_poll_params(ctx, 200000, 0, 0, NULL);
    device_open(ctx, &device);
    kick(&device);
    ASSERT(aio_poll(ctx, true));
    give_up_polling(ctx, 200000);
    ASSERT_CMP(device.begins, >=, 1);
    ASSERT_EQ(device.ends, device.begins);
    ASSERT_EQ(budget(ctx), 0);
    kick(&device); /* and the fd has been watched all the time */
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(device.reads, 2);
    device_close(&device);
}

TEST(polling_ends_with_its_budget_and_announces_that)
{
    everywhere(budget_ends);
}

static void end_and_find(void *opaque)
{
    Device *device = opaque;

    device->ends++;
    qatomic_set(&device->work, 1); /* came in just before the end */
}

static void late_work(AioContext *ctx)
{
    Device device = {0};

    aio_context_set_poll_params(ctx, 100000, 0, 0, NULL);
    device_open(ctx, &device);
    aio_set_fd_poll(ctx, device.fd, device_begin, end_and_find);
    kick(&device);
    ASSERT(aio_poll(ctx, true));
    ctx->poll_ns = 100000;
    ASSERT(aio_poll(ctx, true)); /* would sleep for ever otherwise */
    ASSERT_EQ(device.ready, 1);
    device_close(&device);
}

TEST(work_that_came_just_before_the_end_of_polling_is_not_lost)
{
    everywhere(late_work);
}

static void nested_poll(AioContext *ctx)
{
    Device device = {.nest = true};

    aio_context_set_poll_params(ctx, NANOSECONDS_PER_SECOND, 0, 0, NULL);
    device_open(ctx, &device);
    kick(&device);
    ASSERT(aio_poll(ctx, true));
    ctx->poll_ns = ctx->poll_max_ns;
    qatomic_set(&device.work, 1);
    ASSERT(aio_poll(ctx, true));
    ASSERT_EQ(device.ready, 1);
    device_close(&device);
}

TEST(io_poll_ready_may_poll_without_being_called_again)
{
    everywhere(nested_poll);
}

static void callbacks_survive(AioContext *ctx)
{
    Device device = {0};

    aio_context_set_poll_params(ctx, 100000, 0, 0, NULL);
    device_open(ctx, &device);
    aio_set_fd_handler(ctx, device.fd, false, device_read, NULL, device_poll,
                       device_ready, &device); /* again */
    kick(&device);
    ASSERT(aio_poll(ctx, true));
    give_up_polling(ctx, 100000);
    ASSERT_CMP(device.begins, >=, 1);
    ASSERT_EQ(device.ends, device.begins);
    device_close(&device);
}

TEST(begin_and_end_survive_a_change_of_the_handler)
{
    everywhere(callbacks_survive);
}
