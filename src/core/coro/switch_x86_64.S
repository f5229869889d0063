/*
 * coro/switch_x86_64.S - the switch for x86-64 (System V ABI)
 *
 * A parked stack holds, from its pointer upwards: x87 control word (2 bytes)
 * and MXCSR (at +4), r15 r14 r13 r12 rbx rbp, return address; SwitchFrame in
 * switch_asm.c builds the same.  The call frame information stays right on both
 * sides of the change of rsp, because both stacks have the same shape there.
 *
 * The control words are loaded without looking: measured, that is cheaper than
 * comparing, as the load of a just stored MXCSR stalls.
 *
 * Between a coroutine and its caller the return predictor would be wrong every
 * time; the jump through rcx lets the branch predictor learn the target.  Peers
 * that stop in the same way return to the same places: there ret is right, and
 * so are those that follow.
 */
#include "coro/switch.h"

#if defined(__x86_64__) && !defined(AIOCTL_COROUTINE_UCONTEXT)

.macro PUSH reg
    pushq %\reg
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %\reg, 0
.endm

.macro POP reg
    popq %\reg
    .cfi_adjust_cfa_offset -8
    .cfi_restore %\reg
.endm

/* Parks the running stack at *rdi and stands on the one parked at rsi. */
.macro LEAVE
    PUSH rbp
    PUSH rbx
    PUSH r12
    PUSH r13
    PUSH r14
    PUSH r15
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    fnstcw (%rsp)
    stmxcsr 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
.endm

.macro CONTINUE
    fldcw (%rsp)
    ldmxcsr 4(%rsp)
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    POP r15
    POP r14
    POP r13
    POP r12
    POP rbx
    POP rbp
.endm

.macro RETURN_ELSEWHERE
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmp *%rcx
.endm

.macro FUNCTION name
    .globl \name
    .hidden \name
    .type \name, @function
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
    RETURN_ELSEWHERE
END coro_switch

FUNCTION coro_switch_peer
    LEAVE
    CONTINUE
    ret
END coro_switch_peer

/* A parked stack pointer is 0 mod 16, as a call wants it. */
FUNCTION coro_switch_call
    LEAVE
    movq %rcx, %rdi
    callq *%rdx
    CONTINUE
    RETURN_ELSEWHERE
END coro_switch_call

/* rbx: the function, r12: its argument; rsp is 0 mod 16.  Nothing called us:
 * unwinders stop here. */
FUNCTION coro_start
    .cfi_undefined %rip
    movq %r12, %rdi
    callq *%rbx
    ud2
END coro_start
#endif

    .section .note.GNU-stack, "", %progbits
