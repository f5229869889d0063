/*
 * coroutine_test.c - what coroutines promise
 */
#include "test.h"

#include <fenv.h>
#include <pthread.h>

#include "qemu/coroutine_int.h"

static char trace[256];

static void note(const char *word)
{
    strncat(trace, word, sizeof(trace) - strlen(trace) - 1);
}

static void coroutine_fn count_to_three(void *opaque)
{
    int *n = opaque;
    while (*n < 3) {
        ++*n;
        qemu_coroutine_yield();
    }
}

TEST(a_coroutine_starts_when_entered_and_goes_on_after_each_yield)
{
    int n = 0;
    Coroutine *co = qemu_coroutine_create(count_to_three, &n);
    ASSERT_EQ(n, 0);
    for (int i = 1; i <= 3; i++) {
        qemu_coroutine_enter(co);
        ASSERT_EQ(n, i);
    }
    qemu_coroutine_enter(co); /* ends */
    ASSERT_EQ(n, 3);
}

static void coroutine_fn check_self(void *opaque)
{
    Coroutine **co = opaque;
    ASSERT(qemu_in_coroutine());
    ASSERT_PTR_EQ(qemu_coroutine_self(), *co);
    ASSERT(qemu_coroutine_entered(*co));
    qemu_coroutine_yield();
    ASSERT_PTR_EQ(qemu_coroutine_self(), *co);
}

TEST(self_entered_and_in_coroutine_tell_where_we_are)
{
    Coroutine *leader = qemu_coroutine_self(), *co;
    ASSERT(leader != NULL);
    ASSERT(!qemu_in_coroutine());
    co = qemu_coroutine_create(check_self, &co);
    ASSERT(!qemu_coroutine_entered(co));
    qemu_coroutine_enter(co);
    ASSERT(!qemu_coroutine_entered(co));
    ASSERT(!qemu_in_coroutine());
    ASSERT_PTR_EQ(qemu_coroutine_self(), leader);
    qemu_coroutine_enter(co);
}

static void coroutine_fn do_nothing(void *opaque)
{
    qemu_coroutine_enter_if_inactive(opaque);
    note("x");
}

TEST(enter_if_inactive_skips_the_callers)
{
    Coroutine *co;
    co = qemu_coroutine_create(do_nothing, NULL);
    /* Its argument is itself: known only now. */
    co->entry_arg = co;
    qemu_coroutine_enter_if_inactive(co);
    ASSERT_STR_EQ(trace, "x");
}

static void coroutine_fn nest(void *opaque)
{
    int *depth = opaque;
    if (--*depth > 0) {
        qemu_coroutine_enter(qemu_coroutine_create(nest, depth));
    }
}

TEST(coroutines_nest_a_thousand_deep)
{
    int depth = 1000;
    qemu_coroutine_enter(qemu_coroutine_create(nest, &depth));
    ASSERT_EQ(depth, 0);
}

static void coroutine_fn note_context(void *opaque)
{
    Coroutine *self = qemu_coroutine_self();
    ASSERT_PTR_EQ(qemu_coroutine_get_aio_context(self), opaque);
    qemu_coroutine_yield();
    ASSERT_PTR_EQ(qemu_coroutine_get_aio_context(self),
                  coroutine_thread_context());
}

TEST(the_context_is_that_of_the_last_enter)
{
    static char one, two;
    AioContext *ctx = (AioContext *)&one;
    Coroutine *co = qemu_coroutine_create(note_context, ctx);
    qemu_aio_coroutine_enter(ctx, co);
    ASSERT_PTR_EQ(qemu_coroutine_get_aio_context(co), ctx);
    coroutine_set_thread_context((AioContext *)&two);
    qemu_coroutine_enter(co);
    coroutine_set_thread_context(NULL);
}

/* ---- aborts ------------------------------------------------------------- */

static void coroutine_fn enter_argument(void *opaque)
{
    qemu_coroutine_enter(*(Coroutine **)opaque);
}

static void reenter(void *opaque)
{
    Coroutine *co = qemu_coroutine_create(enter_argument, &co);
    aio_co_set_name(co, "ouroboros", NULL, NULL);
    qemu_coroutine_enter(co);
}

static void enter_scheduled(void *opaque)
{
    Coroutine *co = qemu_coroutine_create(check_self, &co);
    co->scheduled = "somewhere";
    qemu_coroutine_enter(co);
}

static void yield_outside(void *opaque)
{
    qemu_coroutine_yield();
}

static void coroutine_fn keep_lock(void *opaque)
{
    qemu_coroutine_self()->locks_held++;
}

static void end_with_lock(void *opaque)
{
    qemu_coroutine_enter(qemu_coroutine_create(keep_lock, NULL));
}

static void discard_entered(void *opaque)
{
    int n = 0;
    Coroutine *co = qemu_coroutine_create(count_to_three, &n);
    qemu_coroutine_enter(co);
    aio_co_discard(co);
}

TEST(misuse_aborts_and_names_the_coroutine)
{
    ASSERT_ABORTS(reenter, NULL, "'ouroboros' re-entered recursively");
    ASSERT_ABORTS(enter_scheduled, NULL, "already scheduled in 'somewhere'");
    ASSERT_ABORTS(yield_outside, NULL, "yields to nobody");
    ASSERT_ABORTS(end_with_lock, NULL, "ended holding 1 locks");
    ASSERT_ABORTS(discard_entered, NULL, "discarded after it was entered");
}

/* ---- wake-ups ---------------------------------------------------------- */

/* What aio_co_enter() does to a coroutine of the same context. */
static void wake_later(Coroutine *co)
{
    QSIMPLEQ_INSERT_TAIL(&qemu_coroutine_self()->co_queue_wakeup, co,
                         co_queue_next);
}

typedef struct Link {
    Coroutine *co;
    struct Link *next;
    int entered;
} Link;

static void coroutine_fn chain(void *opaque)
{
    Link *link = opaque;
    link->entered++;
    if (link->next) {
        wake_later(link->next->co);
    }
    qemu_coroutine_yield();
}

static void *run_chain(void *opaque)
{
    static Link links[25000];
    int n = test_is_slow() ? 2000 : 25000;
    for (int i = 0; i < n; i++) {
        links[i].co = qemu_coroutine_create(chain, &links[i]);
        links[i].next = i + 1 < n ? &links[i + 1] : NULL;
    }
    qemu_coroutine_enter(links[0].co);
    for (int i = 0; i < n; i++) {
        ASSERT_EQ(links[i].entered, 1);
        qemu_coroutine_enter(links[i].co);
    }
    return NULL;
}

TEST(a_chain_of_25000_wakeups_does_not_deepen_the_stack)
{
    pthread_attr_t attr;
    pthread_t thread;
    /* A hundred bytes per link would overflow this. */
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, test_is_slow() ? 192 << 10 : 128 << 10);
    ASSERT_EQ(pthread_create(&thread, &attr, run_chain, NULL), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
}

static Coroutine *node[8];

static void coroutine_fn tree(void *opaque)
{
    int i = (int)(intptr_t)opaque;
    char word[2] = {(char)('0' + i), 0};
    note(word);
    for (int child = 2 * i; child <= 2 * i + 1 && child < 8; child++) {
        wake_later(node[child]);
    }
    if (i % 2) {
        qemu_coroutine_yield();
    }
}

TEST(woken_coroutines_run_depth_first)
{
    for (int i = 1; i < 8; i++) {
        node[i] = qemu_coroutine_create(tree, (void *)(intptr_t)i);
    }
    qemu_coroutine_enter(node[1]);
    ASSERT_STR_EQ(trace, "1245367");
    for (int i = 1; i < 8; i += 2) {
        qemu_coroutine_enter(node[i]);
    }
}

/* ---- registers and threads ---------------------------------------------- */

static void coroutine_fn round_up(void *opaque)
{
    fesetround(FE_UPWARD);
    qemu_coroutine_yield();
    ASSERT_EQ(fegetround(), FE_UPWARD);
}

TEST(each_coroutine_has_its_own_rounding_mode)
{
    Coroutine *co = qemu_coroutine_create(round_up, NULL);
    AioStackStats stats;
    aio_co_stack_stats(&stats);
    if (strcmp(stats.switcher, "ucontext") == 0) {
        SKIP("the C library's longjmp does not keep it");
    }
    qemu_coroutine_enter(co);
    ASSERT_EQ(fegetround(), FE_TONEAREST);
    fesetround(FE_DOWNWARD);
    qemu_coroutine_enter(co);
    ASSERT_EQ(fegetround(), FE_DOWNWARD);
}

static void coroutine_fn migrate(void *opaque)
{
    int *seen = opaque;
    for (int i = 0; i < 4; i++) {
        seen[i] = qemu_get_thread_id();
        ASSERT(qemu_in_coroutine());
        qemu_coroutine_yield();
    }
}

static void *enter_in_thread(void *co)
{
    ASSERT(!qemu_in_coroutine());
    qemu_coroutine_enter(co);
    ASSERT(!qemu_in_coroutine());
    return NULL;
}

TEST(a_coroutine_migrates_between_threads)
{
    int seen[4];
    pthread_t thread;
    Coroutine *co = qemu_coroutine_create(migrate, seen);
    for (int i = 0; i < 4; i++) {
        if (i % 2) {
            qemu_coroutine_enter(co);
            ASSERT_EQ(seen[i], qemu_get_thread_id());
        } else {
            pthread_create(&thread, NULL, enter_in_thread, co);
            pthread_join(thread, NULL);
            ASSERT_CMP(seen[i], !=, qemu_get_thread_id());
        }
    }
    pthread_create(&thread, NULL, enter_in_thread, co); /* ends there */
    pthread_join(thread, NULL);
}
