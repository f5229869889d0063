/*
 * stress_handler_test.c - handlers come and go: in callbacks, from other
 * threads, while the monitor changes
 */
#include <poll.h>

#include "stress.h"

enum { THREADS = 3 };

/* ---- from other threads ------------------------------------------------- */

typedef struct Visitor {
    TestLoop *loop;
    int fd;
    int rounds;
    int calls;  /* atomic */
    int passed; /* atomic: the loop has got so far */
    unsigned random;
} Visitor;

static void drain(Visitor *v)
{
    uint64_t value;

    (void)!read(v->fd, &value, sizeof(value));
    qatomic_inc(&v->calls);
}

static void visitor_read(void *opaque)
{
    drain(opaque);
}

/* The same: to be changed to. */
static void visitor_read_too(void *opaque)
{
    drain(opaque);
}

static void visitor_pass(void *opaque)
{
    qatomic_inc(&((Visitor *)opaque)->passed);
}

/* From then on the loop is in no callback that began before. */
static void wait_for_loop(Visitor *v)
{
    int before = qatomic_read(&v->passed);

    aio_bh_schedule_oneshot(v->loop->ctx, visitor_pass, v);
    while (qatomic_load_acquire(&v->passed) == before) {
        step_aside();
    }
}

static void visit(Visitor *v)
{
    AioContext *ctx = v->loop->ctx;
    int calls = qatomic_read(&v->calls);
    bool external = random_next(&v->random) % 4 == 0;

    aio_set_fd_handler(ctx, v->fd, external, visitor_read, NULL, NULL, NULL, v);
    if (random_next(&v->random) % 2) {
        aio_set_fd_handler(ctx, v->fd, false, visitor_read_too, NULL, NULL,
                           NULL, v);
    }
    if (random_next(&v->random) % 4) {
        poke(v->fd);
        while (qatomic_load_acquire(&v->calls) == calls) {
            step_aside();
        }
    }
    unset(ctx, v->fd);
}

static void *visitor_main(void *opaque)
{
    Visitor *v = opaque;

    for (int i = 0; i < v->rounds; i++) {
        v->fd = new_event();
        visit(v);
        wait_for_loop(v);
        close(v->fd); /* and the number is somebody else's next */
    }
    return NULL;
}

static void visit_from_afar(TestLoop *loop)
{
    Visitor visitors[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        visitors[i] = (Visitor){
            .loop = loop, .rounds = scaled(2000), .random = 3 + (unsigned)i};
        pthread_create(&threads[i], NULL, visitor_main, &visitors[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

ON_EVERY_MONITOR(handlers_come_and_go_from_other_threads)
{
    TestLoop loop = {0};

    test_loop_start(&loop, monitor);
    visit_from_afar(&loop);
    test_loop_stop(&loop);
}

/* ---- while the monitor changes ------------------------------------------ */

typedef struct Changer {
    AioContext *ctx;
    QEMUTimer timer;
    unsigned turn;
    bool stop;
} Changer;

static void change_monitor(void *opaque)
{
    Changer *c = opaque;
    const char *const *names = aio_fdmon_names();
    unsigned count = 0;

    while (names[count]) {
        count++;
    }
    if (!c->stop) {
        ASSERT(aio_context_set_fdmon(c->ctx, names[c->turn++ % count], NULL));
        timer_mod_ns(&c->timer,
                     qemu_clock_get_ns(QEMU_CLOCK_REALTIME) + 200 * SCALE_US);
    }
}

static void stop_changing(void *opaque)
{
    Changer *c = opaque;

    timer_del(&c->timer);
    c->stop = true;
}

TEST(handlers_come_and_go_while_the_monitor_changes)
{
    TestLoop loop = {0};
    Changer c = {.turn = 0};

    test_loop_start(&loop, "poll");
    c.ctx = loop.ctx;
    aio_timer_init(c.ctx, &c.timer, QEMU_CLOCK_REALTIME, SCALE_NS,
                   change_monitor, &c);
    timer_mod_ns(&c.timer, 0);
    visit_from_afar(&loop);
    aio_bh_schedule_oneshot(c.ctx, stop_changing, &c);
    test_loop_stop(&loop);
    ASSERT_CMP(c.turn, >, 1);
}

/* ---- in callbacks ------------------------------------------------------- */

enum { FDS = 24, FREE = -1 };

typedef struct Crowd Crowd;

typedef struct Member {
    Crowd *crowd;
    int fd;
    bool registered;
    int calls;
} Member;

struct Crowd {
    AioContext *ctx;
    Member members[FDS];
    unsigned random;
    int calls;
    int depth;
};

static bool is_ready(const Member *m)
{
    struct pollfd pfd = {.fd = m->fd, .events = POLLIN};

    return poll(&pfd, 1, 0) == 1;
}

static void member_read(void *opaque);

static void member_register(Member *m)
{
    aio_set_fd_handler(m->crowd->ctx, m->fd, random_next(&m->crowd->random) & 1,
                       member_read, NULL, NULL, NULL, m);
    m->registered = true;
}

static void member_remove(Member *m)
{
    unset(m->crowd->ctx, m->fd);
    m->registered = false;
}

/* Some change to a member that may be the caller, or ready and waiting. */
static void disturb(Crowd *crowd)
{
    Member *m = &crowd->members[random_next(&crowd->random) % FDS];

    switch (random_next(&crowd->random) % 6) {
    case 0:
        poke(m->fd);
        break;
    case 1:
        if (m->registered) {
            member_remove(m);
        }
        break;
    case 2:
        if (m->registered) {
            member_remove(m);
            close(m->fd);
            m->fd = new_event();
        }
        break;
    case 3:
        if (crowd->depth < 3) {
            crowd->depth++;
            aio_poll(crowd->ctx, false);
            crowd->depth--;
        }
        break;
    default:
        member_register(m);
    }
}

static void member_read(void *opaque)
{
    Member *m = opaque;
    uint64_t value;

    ASSERT(m->registered);
    ASSERT(is_ready(m)); /* nobody else reads it */
    m->calls++;
    m->crowd->calls++;
    if (random_next(&m->crowd->random) % 3) {
        ASSERT_EQ(read(m->fd, &value, sizeof(value)), sizeof(value));
    }
    disturb(m->crowd);
}

ON_EVERY_MONITOR(callbacks_change_handlers_at_random)
{
    Crowd crowd = {.ctx = context_on(monitor), .random = 12345};

    for (int i = 0; i < FDS; i++) {
        crowd.members[i] = (Member){.crowd = &crowd, .fd = new_event()};
        member_register(&crowd.members[i]);
    }
    for (int i = 0; i < scaled(20000); i++) {
        disturb(&crowd);
        aio_poll(crowd.ctx, false);
    }
    ASSERT_CMP(crowd.calls, >, scaled(1000));
    /* In the end everybody is heard. */
    for (int i = 0; i < FDS; i++) {
        Member *m = &crowd.members[i];
        int before = m->calls;

        member_register(m);
        poke(m->fd);
        while (m->calls == before || !m->registered) {
            if (!m->registered) {
                member_register(m);
                poke(m->fd);
            }
            aio_poll(crowd.ctx, false);
        }
    }
    for (int i = 0; i < FDS; i++) {
        if (crowd.members[i].registered) {
            member_remove(&crowd.members[i]);
        }
        close(crowd.members[i].fd);
    }
    aio_context_unref(crowd.ctx);
}
