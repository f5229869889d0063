/*
 * costack_limits_test.c - the system has no memory for one more C stack
 *
 * mmap(), mprotect() and madvise() are ours: --wrap.
 */
#include <errno.h>
#include <sys/mman.h>

#include "qapi/error.h"
#include "qemu/coroutine_int.h"
#include "test.h"

enum { SLAB_MIN = 32 << 20 };

static size_t mmap_max = SIZE_MAX; /* larger mappings fail */
static bool no_mprotect, no_madv_guard;

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd,
                  off_t offset);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
                  off_t offset);
int __real_mprotect(void *addr, size_t len, int prot);
int __wrap_mprotect(void *addr, size_t len, int prot);
int __real_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice);

void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd,
                  off_t offset)
{
    if (len > mmap_max) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mmap(addr, len, prot, flags, fd, offset);
}

int __wrap_mprotect(void *addr, size_t len, int prot)
{
    if (no_mprotect) {
        errno = ENOMEM; /* vm.max_map_count is reached */
        return -1;
    }
    return __real_mprotect(addr, len, prot);
}

int __wrap_madvise(void *addr, size_t len, int advice)
{
    if (no_madv_guard && advice == 102) {
        errno = EINVAL;
        return -1;
    }
    return __real_madvise(addr, len, advice);
}

static void coroutine_fn count(void *opaque)
{
    ++*(int *)opaque;
    qemu_coroutine_yield();
    ++*(int *)opaque;
}

TEST(no_address_space_is_an_error_that_names_the_remedies)
{
    Error *err = NULL;
    int n = 0;

    mmap_max = 0;
    ASSERT_PTR_EQ(aio_co_new(count, &n, 1 << 20, &err), NULL);
    ASSERT(strstr(error_get_pretty(err), "1024 KiB"));
    ASSERT(strstr(error_get_pretty(err), "ulimit -v"));
    ASSERT(strstr(error_get_pretty(err), "vm.overcommit_memory"));
    ASSERT(strstr(error_get_pretty(err), "vm.max_map_count"));
    error_free(err);
    ASSERT_PTR_EQ(aio_co_new(count, &n, 1 << 20, NULL), NULL);

    mmap_max = SIZE_MAX; /* and nothing is broken */
    Coroutine *co = aio_co_new(count, &n, 1 << 20, &error_abort);
    qemu_coroutine_enter(co);
    mmap_max = 0; /* those there are go on, and are used again */
    qemu_coroutine_enter(co);
    co = aio_co_new(count, &n, 1 << 20, &error_abort);
    qemu_coroutine_enter(co);
    qemu_coroutine_enter(co);
    ASSERT_EQ(n, 4);
}

TEST(little_address_space_is_taken_in_smaller_pieces)
{
    Coroutine *cos[3];
    int n = 0;

    mmap_max = 1 << 20; /* one stack at a time */
    for (int i = 0; i < 3; i++) {
        cos[i] = aio_co_new(count, &n, 1 << 20, &error_abort);
        qemu_coroutine_enter(cos[i]);
    }
    for (int i = 0; i < 3; i++) {
        qemu_coroutine_enter(cos[i]);
    }
    ASSERT_EQ(n, 6);
}

static void create_without_memory(void *opaque)
{
    mmap_max = 0;
    qemu_coroutine_create(count, opaque);
}

TEST(the_call_that_has_no_error_to_set_aborts_with_the_same_advice)
{
    ASSERT_ABORTS(create_without_memory, NULL,
                  "no address space for a C stack");
    ASSERT_ABORTS(create_without_memory, NULL, "vm.max_map_count");
}

TEST(no_mappings_left_for_a_guard_means_a_canary_and_no_failure)
{
    AioStackStats stats;
    int n = 0;

    no_madv_guard = no_mprotect = true;
    Coroutine *co = aio_co_new(count, &n, 1 << 20, &error_abort);
    qemu_coroutine_enter(co);
    qemu_coroutine_enter(co);
    ASSERT_EQ(n, 2);
    ASSERT(co->canary);
    no_mprotect = false; /* there is room again */
    co = aio_co_new(count, &n, 1 << 20, &error_abort);
    Coroutine *fresh = aio_co_new(count, &n, 1 << 20, &error_abort);
    ASSERT(!fresh->canary);
    qemu_coroutine_enter(fresh);
    qemu_coroutine_enter(fresh);
    aio_co_stack_stats(&stats);
    ASSERT_STR_EQ(stats.guard, "mprotect");
    aio_co_discard(co);
}
