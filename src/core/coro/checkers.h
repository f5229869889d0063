/*
 * coro/checkers.h - telling ASan, TSan and valgrind about our stacks
 *
 * Everything here is empty in ordinary builds, except the requests to valgrind,
 * which are made on cold paths only.  Order at a switch: checker_leave() right
 * before, checker_arrive() first thing on the other stack.
 */
#ifndef AIOCTL_CORO_CHECKERS_H
#define AIOCTL_CORO_CHECKERS_H

#include "coro/thread.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CORO_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define CORO_TSAN
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define CORO_ASAN
#endif
#ifdef __SANITIZE_THREAD__
#define CORO_TSAN
#endif

#ifdef CORO_ASAN
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef CORO_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define CORO_VALGRIND
#endif
#endif

/* Memory checkers forbid looking at words nobody wrote. */
#if defined(CORO_ASAN) || defined(CORO_TSAN)
#define CORO_CHECKED true
#else
#define CORO_CHECKED false
#endif

/* The leak checker looks for pointers this far below the top of a stack. */
#define CHECKER_ROOT_BYTES (256u << 10)

/* The lowest bytes may be a canary, which is looked at. */
#define CHECKER_KEEP_BYTES 64

static inline bool checker_on_valgrind(void)
{
#ifdef CORO_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/* On the old stack, last thing. */
static inline void checker_leave(Coroutine *from, Coroutine *to)
{
#ifdef CORO_ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack_base,
                                   to->stack_size);
#endif
#ifdef CORO_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* On the new stack, first thing; @self is the one that continues. */
static inline void checker_arrive(Coroutine *self)
{
#ifdef CORO_ASAN
    if (!self->arrived) {
        __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
    }
    self->arrived = false;
#endif
}

/* Last thing in a function that was called on @self's stack before @self
 * itself goes on: it has arrived already. */
static inline void checker_arrived(Coroutine *self)
{
#ifdef CORO_ASAN
    self->arrived = true;
#endif
}

/* The thread's own stack takes part in switches, too. */
static inline void checker_adopt_thread(Coroutine *leader)
{
#ifdef CORO_ASAN
    coroutine_measure_leader(leader);
#endif
#ifdef CORO_TSAN
    leader->fiber = __tsan_get_current_fiber();
#endif
}

static inline void checker_add_stack(Coroutine *co)
{
#ifdef CORO_ASAN
    size_t n = MIN(co->stack_size, (size_t)CHECKER_ROOT_BYTES);
    __lsan_register_root_region(co->stack_base + co->stack_size - n, n);
#endif
#ifdef CORO_TSAN
    co->fiber = __tsan_create_fiber(0);
#endif
#ifdef CORO_VALGRIND
    if (RUNNING_ON_VALGRIND) {
        co->valgrind_id = VALGRIND_STACK_REGISTER(
            co->stack_base, co->stack_base + co->stack_size);
    }
#endif
}

static inline void checker_remove_stack(Coroutine *co)
{
#ifdef CORO_ASAN
    size_t n = MIN(co->stack_size, (size_t)CHECKER_ROOT_BYTES);
    __lsan_unregister_root_region(co->stack_base + co->stack_size - n, n);
#endif
#ifdef CORO_TSAN
    __tsan_destroy_fiber(co->fiber);
#endif
#ifdef CORO_VALGRIND
    if (RUNNING_ON_VALGRIND) {
        VALGRIND_STACK_DEREGISTER(co->valgrind_id);
        /* The slot's next user finds fresh memory. */
        (void)VALGRIND_MAKE_MEM_DEFINED(co->stack_base, co->stack_size);
    }
#endif
}

/* What the last user left below @co->sp means nothing to the next one. */
static inline void checker_recycle_stack(Coroutine *co)
{
#ifdef CORO_VALGRIND
    char *base = co->stack_base + CHECKER_KEEP_BYTES;
    (void)VALGRIND_MAKE_MEM_UNDEFINED(base, (char *)co->sp - base);
#endif
}

#endif
