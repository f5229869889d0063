/*
 * coro/switch_asm.c - first frames for the switches in assembly
 *
 * coro_prepare() builds what coro_switch() finds on a parked stack, with
 * coro_start as the return address.  The layout must match the .S files.  The
 * new stack inherits the creator's floating-point control words.
 */
#include "coro/switch.h"

#ifndef AIOCTL_COROUTINE_UCONTEXT

#include "base/check.h"

#if defined(__x86_64__)

const char coro_switch_name[] = "asm-x86_64";

typedef struct SwitchFrame {
    uint16_t x87_control;
    uint16_t unused;
    uint32_t mxcsr;
    uintptr_t r15, r14, r13, r12, rbx, rbp;
    void (*return_address)(void);
} SwitchFrame;

static void fill_frame(SwitchFrame *frame, void (*entry)(void *), void *arg)
{
    __asm__ volatile("fnstcw %0" : "=m"(frame->x87_control));
    __asm__ volatile("stmxcsr %0" : "=m"(frame->mxcsr));
    frame->rbx = (uintptr_t)entry;
    frame->r12 = (uintptr_t)arg;
    frame->return_address = coro_start;
}

#elif defined(__aarch64__)

const char coro_switch_name[] = "asm-aarch64";

typedef struct SwitchFrame {
    uintptr_t x19_to_x28[10];
    uintptr_t x29;
    void (*x30)(void);
    uint64_t d8_to_d15[8];
    uint64_t fpcr;
    uint64_t padding;
} SwitchFrame;

static void fill_frame(SwitchFrame *frame, void (*entry)(void *), void *arg)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(frame->fpcr));
    frame->x19_to_x28[0] = (uintptr_t)entry;
    frame->x19_to_x28[1] = (uintptr_t)arg;
    frame->x30 = coro_start;
}

#endif

void *coro_prepare(char *low, char *high, void (*entry)(void *), void *arg)
{
    /* After the frame is popped the stack pointer is 0 mod 16, as the ABIs
     * want it before a call. */
    char *top = (char *)((uintptr_t)high & ~(uintptr_t)15);
    SwitchFrame *frame = (SwitchFrame *)(top - sizeof(*frame));
    CHECK((char *)frame > low);
    memset(frame, 0, sizeof(*frame));
    fill_frame(frame, entry, arg);
    return frame;
}

#endif
