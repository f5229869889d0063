/*
 * coro/switch_ucontext.c - the portable switch
 *
 * makecontext() is the only portable way to get onto a new stack, but
 * swapcontext() makes a system call for the signal mask.  So it is used once
 * per stack, by coro_prepare(): the new stack parks itself at once in a jump
 * buffer, and every later switch is _setjmp() and _longjmp().
 */
#include "coro/switch.h"

#ifdef AIOCTL_COROUTINE_UCONTEXT

/* The checking longjmp takes a jump to another stack for an error. */
#undef _FORTIFY_SOURCE

#include <setjmp.h>
#include <ucontext.h>

#include "base/check.h"

const char coro_switch_name[] = "ucontext";

/* What a parked stack's pointer points at; lies on that stack. */
typedef struct Parked {
    jmp_buf env;
    void (*volatile fn)(void *); /* to be called first, or NULL */
    void *volatile arg;
} Parked;

typedef struct Boot {
    ucontext_t creator, created;
    void (*entry)(void *);
    void *arg;
    Parked *parked;
} Boot;

static void continue_here(const Parked *self)
{
    if (self->fn) {
        self->fn(self->arg);
    }
}

void coro_switch_call(void **save, void *to, void (*fn)(void *), void *arg)
{
    Parked self, *other = to;
    *save = &self;
    if (_setjmp(self.env) == 0) {
        other->fn = fn;
        other->arg = arg;
        _longjmp(other->env, 1);
    }
    continue_here(&self);
}

void coro_switch(void **save, void *to)
{
    coro_switch_call(save, to, NULL, NULL);
}

static void boot_main(unsigned low_half, unsigned high_half)
{
    Boot *boot = (Boot *)(((uintptr_t)high_half << 16 << 16) | low_half);
    void (*entry)(void *) = boot->entry;
    void *arg = boot->arg;
    Parked self;
    boot->parked = &self;
    if (_setjmp(self.env) == 0) {
        setcontext(&boot->creator);
    }
    continue_here(&self);
    entry(arg);
    CHECK(!"a coroutine's first function returned");
}

void *coro_prepare(char *low, char *high, void (*entry)(void *), void *arg)
{
    Boot boot = {.entry = entry, .arg = arg};
    uintptr_t address = (uintptr_t)&boot;
    int ret = getcontext(&boot.created);
    CHECK(ret == 0);
    boot.created.uc_stack.ss_sp = low;
    boot.created.uc_stack.ss_size = (size_t)(high - low);
    boot.created.uc_link = NULL;
    makecontext(&boot.created, (void (*)(void))boot_main, 2, (unsigned)address,
                (unsigned)(address >> 16 >> 16));
    ret = swapcontext(&boot.creator, &boot.created);
    CHECK(ret == 0);
    return boot.parked;
}

#endif
