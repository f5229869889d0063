/*
 * sched_peer.c - other ways to leave a stack, and the price of a call
 *
 * call: an indirect call of an empty function, the unit of what a processor
 * can do.  swapcontext: libc's coroutines, with two system calls per round.
 * longjmp: the portable trick, a sigsetjmp() and a siglongjmp() per switch, on
 * stacks that makecontext() made; here without any bookkeeping.
 */
#include "harness.h"

#include <setjmp.h>
#include <stdlib.h>
#include <ucontext.h>

enum { STACK_SIZE = 64 * 1024 };

/* ---- call --------------------------------------------------------------- */

static void nothing(void *opaque)
{
}

static void (*volatile called)(void *) = nothing;

static uint64_t run_call(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        called(NULL);
    }
    return n;
}

/* ---- swapcontext -------------------------------------------------------- */

static ucontext_t main_context, co_context;
static void *stack;

static void make_stack(void (*entry)(void))
{
    stack = malloc(STACK_SIZE);
    bench_require(stack && getcontext(&co_context) == 0, "a stack");
    co_context.uc_stack.ss_sp = stack;
    co_context.uc_stack.ss_size = STACK_SIZE;
    makecontext(&co_context, entry, 0);
}

static void swap_forever(void)
{
    for (;;) {
        swapcontext(&co_context, &main_context);
    }
}

static void open_swap(void)
{
    make_stack(swap_forever);
}

static void close_stack(void)
{
    free(stack);
}

static uint64_t run_swap(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        swapcontext(&main_context, &co_context);
    }
    return n;
}

/* ---- longjmp ------------------------------------------------------------ */

static sigjmp_buf main_jump, co_jump;

static void jump_forever(void)
{
    for (;;) {
        if (!sigsetjmp(co_jump, 0)) {
            siglongjmp(main_jump, 1);
        }
    }
}

static void open_jump(void)
{
    make_stack(jump_forever);
    if (!sigsetjmp(main_jump, 0)) {
        setcontext(&co_context);
    } /* else it has come back */
}

static __attribute__((noinline)) void jump_there_and_back(void)
{
    if (!sigsetjmp(main_jump, 0)) {
        siglongjmp(co_jump, 1);
    }
}

static uint64_t run_jump(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        jump_there_and_back();
    }
    return n;
}

const BenchCase bench_cases[] = {
    {"call", run_call, NULL, NULL},
    {"swapcontext", run_swap, open_swap, close_stack},
    {"longjmp", run_jump, open_jump, close_stack},
    {NULL, NULL, NULL, NULL},
};
