/*
 * coro/switch_aarch64.S - the switch for AArch64 (AAPCS64)
 *
 * A parked stack holds, from its pointer upwards: x19-x28, x29, x30, d8-d15,
 * FPCR, one word of padding (176 bytes); SwitchFrame in switch_asm.c builds the
 * same.  br instead of ret: see switch_x86_64.S.
 */
#include "coro/switch.h"

#if defined(__aarch64__) && !defined(AIOCTL_COROUTINE_UCONTEXT)

.macro SAVE a, b, offset
    stp \a, \b, [sp, #\offset]
    .cfi_rel_offset \a, \offset
    .cfi_rel_offset \b, \offset + 8
.endm

.macro RESTORE a, b, offset
    ldp \a, \b, [sp, #\offset]
    .cfi_restore \a
    .cfi_restore \b
.endm

/* Parks the running stack at *x0 and stands on the one parked at x1. */
.macro LEAVE
    sub sp, sp, #176
    .cfi_def_cfa_offset 176
    SAVE x19, x20, 0
    SAVE x21, x22, 16
    SAVE x23, x24, 32
    SAVE x25, x26, 48
    SAVE x27, x28, 64
    SAVE x29, x30, 80
    SAVE d8, d9, 96
    SAVE d10, d11, 112
    SAVE d12, d13, 128
    SAVE d14, d15, 144
    mrs x9, fpcr
    str x9, [sp, #160]
    mov x10, sp
    str x10, [x0]
    mov sp, x1
.endm

.macro CONTINUE
    ldr x11, [sp, #160]
    mrs x9, fpcr
    cmp x9, x11
    b.eq 1f
    msr fpcr, x11
1:
    RESTORE x19, x20, 0
    RESTORE x21, x22, 16
    RESTORE x23, x24, 32
    RESTORE x25, x26, 48
    RESTORE x27, x28, 64
    RESTORE x29, x30, 80
    RESTORE d8, d9, 96
    RESTORE d10, d11, 112
    RESTORE d12, d13, 128
    RESTORE d14, d15, 144
    add sp, sp, #176
    .cfi_def_cfa_offset 0
    br x30
.endm

.macro FUNCTION name
    .globl \name
    .hidden \name
    .type \name, %function
    .p2align 4
\name:
    .cfi_startproc
.endm

.macro END name
    .cfi_endproc
    .size \name, . - \name
.endm

    .text

FUNCTION coro_switch
    LEAVE
    CONTINUE
END coro_switch

FUNCTION coro_switch_call
    LEAVE
    mov x0, x3
    blr x2
    CONTINUE
END coro_switch_call

/* x19: the function, x20: its argument.  Nothing called us: unwinders stop. */
FUNCTION coro_start
    .cfi_undefined x30
    mov x0, x20
    blr x19
    brk #1
END coro_start
#endif

    .section .note.GNU-stack, "", %progbits
