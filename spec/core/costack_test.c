/*
 * costack_test.c - the C stacks of coroutines: cost, guards, faults, pool
 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "qapi/error.h"
#include "qemu/coroutine_int.h"

static void coroutine_fn count_to_three(void *opaque)
{
    int *n = opaque;
    while (*n < 3) {
        ++*n;
        qemu_coroutine_yield();
    }
}

static void coroutine_fn do_nothing(void *opaque)
{
}

/* ---- cost --------------------------------------------------------------- */

static long rss_bytes(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    ASSERT(f && fscanf(f, "%*d %ld", &pages) == 1);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static void coroutine_fn park_once(void *opaque)
{
    qemu_coroutine_yield();
    ++*(int *)opaque;
}

TEST(a_hundred_thousand_live_at_once_in_one_page_each)
{
    static Coroutine *cos[100000];
    int n = test_is_slow() ? 2000 : 100000, ended = 0;
    AioStackStats stats;
    long before = rss_bytes();
    for (int i = 0; i < n; i++) {
        cos[i] = qemu_coroutine_create(park_once, &ended);
        qemu_coroutine_enter(cos[i]);
    }
    long each = (rss_bytes() - before) / n;
    if (!test_is_slow()) {
        ASSERT_CMP(each, <=, 4608);
    }
    aio_co_stack_stats(&stats);
    ASSERT_EQ(stats.in_use, n);
    for (int i = 0; i < n; i++) {
        qemu_coroutine_enter(cos[i]);
    }
    ASSERT_EQ(ended, n);
    aio_co_stack_stats(&stats);
    ASSERT_EQ(stats.in_use, 0);
    ASSERT_CMP(stats.mapped, <, 5000);
}

static int recurse(int depth)
{
    volatile char frame[1024];
    memset((char *)frame, depth, sizeof(frame));
    return depth > 0 ? recurse(depth - 1) + frame[7] : frame[0];
}

static void coroutine_fn go_deep(void *opaque)
{
    recurse(400);
    qemu_coroutine_yield();
}

TEST(a_recycled_stack_gives_back_what_deep_calls_touched)
{
    enum { N = 64 };
    Coroutine *cos[N];
    if (test_is_slow()) {
        SKIP("memory figures mean nothing under a checker");
    }
    for (int i = 0; i < N; i++) {
        cos[i] = qemu_coroutine_create(go_deep, NULL);
    }
    long before = rss_bytes();
    for (int i = 0; i < N; i++) {
        qemu_coroutine_enter(cos[i]);
    }
    long deep = rss_bytes() - before;
    ASSERT_CMP(deep, >, N * 400 * 1024L);
    for (int i = 0; i < N; i++) {
        qemu_coroutine_enter(cos[i]);
    }
    ASSERT_CMP(rss_bytes() - before, <, N * 64 * 1024L);
}

TEST(stacks_come_in_sizes_and_too_large_ones_are_refused)
{
    Error *err = NULL;
    void *base;
    size_t size;
    int n = 3;
    Coroutine *co = aio_co_new(count_to_three, &n, 3u << 20, &error_abort);
    aio_co_stack(co, &base, &size);
    ASSERT_CMP(size, >=, 7u << 20);
    qemu_coroutine_enter(co);
    ASSERT_PTR_EQ(aio_co_new(do_nothing, NULL, (size_t)1 << 40, &err), NULL);
    ASSERT(strstr(error_get_pretty(err), "too large"));
    error_free(err);
    co = aio_co_new(do_nothing, NULL, 0, &error_abort);
    aio_co_discard(co);
    aio_co_stack(qemu_coroutine_self(), &base, &size);
    ASSERT(base && (char *)&n > (char *)base &&
           (char *)&n < (char *)base + size);
}

static void coroutine_fn measure_left(void *opaque)
{
    *(size_t *)opaque = aio_co_stack_left();
}

TEST(stack_left_shrinks_from_about_a_mebibyte)
{
    size_t left;
    qemu_coroutine_enter(qemu_coroutine_create(measure_left, &left));
    ASSERT_CMP(left, >, 900u << 10);
    ASSERT_CMP(left, <, 1u << 20);
}

static int describe_task(const Coroutine *co, void *opaque, char *buf,
                         size_t size)
{
    return snprintf(buf, size, "task '%s' (created at x.lua:3)", co->name);
}

static void coroutine_fn overflow(void *opaque)
{
    recurse(1 << 20);
}

static void overflow_in_thread_of_its_own(void *opaque)
{
    Coroutine *co = qemu_coroutine_create(overflow, NULL);
    aio_co_install_fault_handler();
    aio_co_set_name(co, "glutton", describe_task, NULL);
    qemu_coroutine_enter(co);
}

TEST(an_overflow_is_reported_by_name_and_kills)
{
    if (test_is_slow()) {
        SKIP("checkers handle faults themselves");
    }
    test_dies(__FILE__, __LINE__, overflow_in_thread_of_its_own, NULL, SIGSEGV,
              "task 'glutton' (created at x.lua:3) overflowed its C stack");
}

static void *overflow_main(void *opaque)
{
    qemu_coroutine_enter(opaque);
    return NULL;
}

static void overflow_elsewhere(void *opaque)
{
    pthread_t thread;
    Coroutine *co = qemu_coroutine_create(overflow, NULL);
    aio_co_install_fault_handler();
    pthread_create(&thread, NULL, overflow_main, co);
    pthread_join(thread, NULL);
}

TEST(an_overflow_in_a_later_thread_is_reported)
{
    if (test_is_slow()) {
        SKIP("checkers handle faults themselves");
    }
    test_dies(__FILE__, __LINE__, overflow_elsewhere, NULL, SIGSEGV,
              "coroutine 'unnamed' overflowed its C stack");
}

static void segfault(void *opaque)
{
    aio_co_install_fault_handler();
    *(volatile int *)opaque = 1;
}

TEST(other_faults_still_kill)
{
    if (test_is_slow()) {
        SKIP("checkers handle faults themselves");
    }
    test_dies(__FILE__, __LINE__, segfault, (void *)8, SIGSEGV, "");
}

/* One process per kind of guard, as the choice is made once. */
static void use_guard(const char *no_madv, const char *no_mprotect,
                      const char *expected)
{
    AioStackStats stats;
    int n = 3;
    setenv("AIOCTL_NO_MADV_GUARD", no_madv, 1);
    setenv("AIOCTL_NO_MPROTECT_GUARD", no_mprotect, 1);
    for (int i = 0; i < 100; i++) {
        qemu_coroutine_enter(qemu_coroutine_create(count_to_three, &n));
    }
    aio_co_stack_stats(&stats);
    ASSERT_STR_EQ(stats.guard, expected);
}

TEST(without_madvise_guards_mprotect_is_used)
{
    use_guard("1", "0", "mprotect");
    if (!test_is_slow()) {
        test_dies(__FILE__, __LINE__, overflow_in_thread_of_its_own, NULL,
                  SIGSEGV, "overflowed its C stack");
    }
}

static void coroutine_fn step_on_canary(void *opaque)
{
    void *base;
    size_t size;
    aio_co_stack(qemu_coroutine_self(), &base, &size);
    *(int *)base = 1;
    qemu_coroutine_yield();
}

static void damage_stack(void *opaque)
{
    qemu_coroutine_enter(qemu_coroutine_create(step_on_canary, NULL));
}

TEST(without_any_guard_a_canary_tells)
{
    use_guard("1", "1", "canary");
    ASSERT_ABORTS(damage_stack, NULL, "overflowed its C stack");
}

/* ---- the pool ----------------------------------------------------------- */

/* Coroutines at a time; how many ended ones a thread keeps for itself. */
enum { CHURN = 600, CACHED = 256 };

static void *churn(void *opaque)
{
    int rounds = test_is_slow() ? 30 : 300;
    for (int r = 0; r < rounds; r++) {
        Coroutine *cos[CHURN];
        int ended = 0;
        for (int i = 0; i < CHURN; i++) {
            cos[i] = qemu_coroutine_create(park_once, &ended);
            qemu_coroutine_enter(cos[i]);
        }
        for (int i = 0; i < CHURN; i++) {
            qemu_coroutine_enter(cos[i]);
        }
        ASSERT_EQ(ended, CHURN);
    }
    return NULL;
}

TEST(threads_share_the_pool_and_leave_nothing_behind)
{
    pthread_t threads[4];
    AioStackStats stats;
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, churn, NULL);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    aio_co_stack_stats(&stats);
    ASSERT_EQ(stats.in_use, 0);
    ASSERT_CMP(stats.mapped, <=, 4 * (CHURN + CACHED));
}

TEST(a_smaller_pool_keeps_fewer)
{
    AioStackStats stats;
    churn(NULL);
    aio_co_stack_stats(&stats);
    ASSERT_CMP(stats.mapped, >=, CHURN);
    qemu_coroutine_dec_pool_size(2048);
    aio_co_stack_stats(&stats);
    ASSERT_CMP(stats.mapped, <=, CACHED);
    qemu_coroutine_inc_pool_size(2048);
    churn(NULL);
    aio_co_stack_stats(&stats);
    ASSERT_CMP(stats.mapped, >=, CHURN);
}
