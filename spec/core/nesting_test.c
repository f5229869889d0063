/*
 * nesting_test.c - aio_poll() inside every kind of callback of aio_poll()
 *
 * Each callback, when it runs for the first time, queues work of every kind and
 * polls, blocking, until all of it has run.
 */
#include "aioctl/request.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"
#include "polling.h"

typedef struct Nest {
    AioContext *ctx;
    int fd;     /* of the nested handler */
    int outer;  /* of the handler that nests */
    int nested; /* callbacks that nested */
    int depth;  /* of them on the stack now */
    bool bh, timer, co, read;
    bool poll_answer;
    int begins, ends; /* of busy polling */
} Nest;

static void nested_read(void *opaque)
{
    Nest *nest = opaque;
    uint64_t value;

    ASSERT_EQ(read(nest->fd, &value, sizeof(value)), sizeof(value));
    nest->read = true;
}

static void coroutine_fn nested_co(void *opaque)
{
    *(bool *)opaque = true;
}

/* The body of every callback here. */
static void nest_once(Nest *nest)
{
    AioContext *ctx = nest->ctx;
    QEMUTimer timer;

    if (nest->nested++ > 0) {
        return;
    }
    nest->depth++;
    ASSERT_EQ(nest->depth, 1);
    aio_bh_schedule_oneshot(ctx, set_flag, &nest->bh);
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, set_flag,
                   &nest->timer);
    timer_mod_ns(&timer, qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + SCALE_MS);
    aio_co_schedule(ctx, qemu_coroutine_create(nested_co, &nest->co));
    poke(nest->fd);
    while (!nest->bh || !nest->timer || !nest->co || !nest->read) {
        aio_poll(ctx, true);
    }
    nest->depth--;
}

static void nest_fn(void *opaque)
{
    nest_once(opaque);
}

static void coroutine_fn nest_co(void *opaque)
{
    nest_once(opaque);
}

static void nest_begin(Nest *nest, AioContext *ctx)
{
    *nest = (Nest){.ctx = ctx, .fd = new_event(), .outer = new_event()};
    aio_set_fd_handler(ctx, nest->fd, false, nested_read, NULL, NULL, NULL,
                       nest);
}

static void nest_close(Nest *nest)
{
    unset(nest->ctx, nest->fd);
    unset(nest->ctx, nest->outer);
    close(nest->fd);
    close(nest->outer);
}

static void nest_end(Nest *nest)
{
    ASSERT_EQ(nest->depth, 0);
    ASSERT_CMP(nest->nested, >=, 1);
    ASSERT(nest->bh && nest->timer && nest->co && nest->read);
    nest_close(nest);
    ASSERT(!aio_poll(nest->ctx, false));
    ASSERT_EQ(nest->ctx->walking, 0);
    ASSERT_EQ(nest->ctx->deleted_count, 0);
}

EVERYWHERE(bottom_halves_may_poll)
{
    Nest nest;
    QEMUBH *bh;

    nest_begin(&nest, ctx);
    aio_bh_schedule_oneshot(ctx, nest_fn, &nest);
    ASSERT(aio_poll(ctx, true));
    nest_end(&nest);

    nest_begin(&nest, ctx);
    bh = aio_bh_new(ctx, nest_fn, &nest);
    qemu_bh_schedule_idle(bh);
    while (!nest.nested) {
        aio_poll(ctx, true);
    }
    qemu_bh_delete(bh);
    aio_poll(ctx, false);
    nest_end(&nest);
}

static void read_and_nest(void *opaque)
{
    Nest *nest = opaque;
    uint64_t value;

    ASSERT_EQ(read(nest->outer, &value, sizeof(value)), sizeof(value));
    nest_once(nest);
}

EVERYWHERE(read_handlers_may_poll)
{
    Nest nest;

    nest_begin(&nest, ctx);
    aio_set_fd_handler(ctx, nest.outer, false, read_and_nest, NULL, NULL, NULL,
                       &nest);
    poke(nest.outer);
    while (!nest.nested) {
        ASSERT(aio_poll(ctx, true));
    }
    ASSERT_EQ(nest.nested, 1);
    nest_end(&nest);
}

/* Stays ready: nested polls call it again, which ends there. */
EVERYWHERE(write_handlers_may_poll)
{
    Nest nest;

    nest_begin(&nest, ctx);
    aio_set_fd_handler(ctx, nest.outer, false, NULL, nest_fn, NULL, NULL,
                       &nest);
    ASSERT(aio_poll(ctx, true));
    nest_end(&nest);
}

EVERYWHERE(timers_may_poll)
{
    Nest nest;
    QEMUTimer timer;

    nest_begin(&nest, ctx);
    aio_timer_init(ctx, &timer, QEMU_CLOCK_REALTIME, SCALE_NS, nest_fn, &nest);
    timer_mod_ns(&timer, 0);
    ASSERT(aio_poll(ctx, true));
    nest_end(&nest);
}

static void schedule_coroutine(AioContext *ctx, Coroutine *co)
{
#ifdef __SANITIZE_THREAD__
    /* TSan takes coroutines for threads: that one locks the context, and the
     * next one within it locks it again, is a mistake to it. */
    aio_co_ready(ctx, co);
#else
    aio_co_schedule(ctx, co);
#endif
}

EVERYWHERE(coroutines_may_poll)
{
    Nest nest;

    nest_begin(&nest, ctx);
    schedule_coroutine(ctx, qemu_coroutine_create(nest_co, &nest));
    ASSERT(aio_poll(ctx, true));
    nest_end(&nest);
}

static void request_done(AioRequest *req)
{
    nest_once(req->opaque);
}

EVERYWHERE(completions_of_file_requests_may_poll)
{
    for (const char *const *name = aio_engine_names(); *name; name++) {
        const AioEngine *engine;
        AioRequest req;
        Nest nest;
        char byte = 'x';

        if (!aio_engine_probe(*name, NULL)) {
            continue;
        }
        nest_begin(&nest, ctx);
        engine = aio_engine_get(ctx, *name, false, NULL, NULL);
        ASSERT(engine);
        req = (AioRequest){.op = AIO_OP_READ,
                           .fd = open("/dev/zero", O_RDONLY | O_CLOEXEC),
                           .buf_index = -1,
                           .base = &byte,
                           .len = 1,
                           .done = request_done,
                           .opaque = &nest};
        aio_request_submit(ctx, engine, &req);
        while (!nest.nested) {
            aio_poll(ctx, true);
        }
        ASSERT_EQ(byte, 0);
        close(req.fd);
        nest_end(&nest);
    }
}

/* ---- callbacks of busy polling ------------------------------------------ */

/* Not called while a callback of the same handler runs. */
static bool answer(void *opaque)
{
    ASSERT_EQ(((Nest *)opaque)->depth, 0);
    return ((Nest *)opaque)->poll_answer;
}

static void read_outer(void *opaque)
{
    Nest *nest = opaque;
    uint64_t value;

    ASSERT_EQ(read(nest->outer, &value, sizeof(value)), sizeof(value));
}

static void ready_ignored(void *opaque)
{
    ((Nest *)opaque)->poll_answer = false;
}

/* The handler of nest->outer takes part in polling of 50 us. */
static void nest_begin_polling(Nest *nest, AioContext *ctx, AioPollFn *io_poll,
                               IOHandler *io_poll_ready)
{
    nest_begin(nest, ctx);
    aio_set_fd_handler(ctx, nest->outer, false, read_outer, NULL, io_poll,
                       io_poll_ready, nest);
    poke(nest->outer);
    while (!aio_poll(ctx, true)) {
    }
    aio_context_set_poll_params(ctx, 50 * SCALE_US, 0, 0, NULL);
    ASSERT(busypoll_allowed(ctx));
    ctx->poll_ns = ctx->poll_max_ns;
}

static void poll_until(AioContext *ctx, const int *count)
{
    while (*count == 0) {
        polling_pass(ctx, 50 * SCALE_US);
    }
}

static bool poll_and_nest(void *opaque)
{
    ASSERT_EQ(((Nest *)opaque)->depth, 0);
    nest_once(opaque);
    return false;
}

EVERYWHERE(io_poll_may_poll)
{
    Nest nest;

    nest_begin_polling(&nest, ctx, poll_and_nest, ready_ignored);
    poll_until(ctx, &nest.nested);
    nest_end(&nest);
    aio_context_set_poll_params(ctx, 0, 0, 0, NULL);
}

static void ready_and_nest(void *opaque)
{
    ready_ignored(opaque);
    nest_once(opaque);
}

EVERYWHERE(io_poll_ready_may_poll)
{
    Nest nest;

    nest_begin_polling(&nest, ctx, answer, ready_and_nest);
    nest.poll_answer = true;
    poll_until(ctx, &nest.nested);
    ASSERT_EQ(nest.nested, 1);
    nest_end(&nest);
}

static bool answer_no(void *opaque)
{
    return false;
}

static void begin(void *opaque)
{
    ((Nest *)opaque)->begins++;
}

static void end(void *opaque)
{
    ((Nest *)opaque)->ends++;
}

static void begin_and_nest(void *opaque)
{
    begin(opaque);
    nest_once(opaque);
}

static void end_and_nest(void *opaque)
{
    end(opaque);
    nest_once(opaque);
}

/* A pass that does not poll ends what has begun; nothing ends twice. */
static void expect_pairs(Nest *nest)
{
    aio_poll(nest->ctx, false);
    ASSERT_CMP(nest->begins, >=, 1);
    ASSERT_EQ(nest->begins, nest->ends);
}

EVERYWHERE(io_poll_begin_may_poll)
{
    Nest nest;

    nest_begin_polling(&nest, ctx, answer_no, ready_ignored);
    aio_set_fd_poll(ctx, nest.outer, begin_and_nest, end);
    poll_until(ctx, &nest.nested);
    expect_pairs(&nest);
    nest_end(&nest);
}

EVERYWHERE(io_poll_end_may_poll)
{
    Nest nest;

    nest_begin_polling(&nest, ctx, answer_no, ready_ignored);
    aio_set_fd_poll(ctx, nest.outer, begin, end_and_nest);
    poll_until(ctx, &nest.nested);
    expect_pairs(&nest);
    nest_end(&nest);
}

static void begin_and_poll_once(void *opaque)
{
    Nest *nest = opaque;

    begin(opaque);
    aio_poll(nest->ctx, false); /* ends what we are beginning */
}

EVERYWHERE(begin_and_end_stay_pairs_when_a_nested_poll_ends_the_beginning)
{
    Nest first, second;

    nest_begin_polling(&second, ctx, answer_no, ready_ignored);
    nest_begin_polling(&first, ctx, answer_no, ready_ignored);
    aio_poll(ctx, false); /* does not poll: what had begun has ended */
    aio_set_fd_poll(ctx, second.outer, begin_and_poll_once, end);
    aio_set_fd_poll(ctx, first.outer, begin, end);
    aio_bh_schedule_oneshot(ctx, nest_fn, &first);
    aio_bh_schedule_oneshot(ctx, nest_fn, &second);
    poll_until(ctx, &second.begins);
    aio_poll(ctx, false);
    ASSERT_CMP(second.begins, >=, 1);
    ASSERT_EQ(second.begins, second.ends);
    ASSERT_EQ(first.begins, first.ends);
    nest_end(&first);
    nest_end(&second);
}

/* Begins anew, finds work, and leaves polling begun. */
static void end_and_find_work(void *opaque)
{
    Nest *nest = opaque;

    end(opaque);
    if (nest->nested++ == 0) {
        nest->poll_answer = true;
        nest->ctx->poll_ns = 50 * SCALE_US;
        ASSERT(aio_poll(nest->ctx, true));
        ASSERT(nest->ctx->poll_started);
    }
}

EVERYWHERE(loop_does_not_sleep_on_what_io_poll_end_has_begun_anew)
{
    Nest nest;

    nest_begin_polling(&nest, ctx, answer, ready_ignored);
    aio_poll(ctx, false);
    aio_set_fd_poll(ctx, nest.outer, begin, end_and_find_work);
    ctx->poll_ns = 50 * SCALE_US;
    aio_poll(ctx, true); /* or for ever */
    ASSERT_EQ(nest.begins, 2);
    expect_pairs(&nest);
    nest_close(&nest);
}

/* Uses the budget up and ends polling: its own last look is left out. */
static bool overstay(void *opaque)
{
    Nest *nest = opaque;

    if (nest->nested++ == 0) {
        usleep(1000);
        aio_poll(nest->ctx, false);
        ASSERT(!nest->ctx->poll_started);
        nest->poll_answer = true; /* comes just now, and no fd tells */
        return false;
    }
    return nest->poll_answer;
}

static void overstay_ready(void *opaque)
{
    ready_ignored(opaque);
    ((Nest *)opaque)->read = true;
}

EVERYWHERE(work_is_found_that_came_while_io_poll_ended_polling)
{
    Nest nest;

    nest_begin_polling(&nest, ctx, overstay, overstay_ready);
    while (!nest.read) {
        ctx->poll_ns = 50 * SCALE_US;
        aio_poll(ctx, true); /* or for ever */
    }
    nest_close(&nest);
}
