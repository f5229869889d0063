/*
 * coro/switch_x86_64.S - the switch for x86-64 (System V ABI)
 *
 * A parked stack holds, from its pointer upwards: x87 control word (2 bytes)
 * and MXCSR (at +4), r15 r14 r13 r12 rbx rbp, return address; CORO_FRAME in
 * switch_asm.c builds the same.  The call frame information stays right on both
 * sides of the change of rsp, because both stacks have the same shape there.
 *
 * Loading a control word costs more than comparing it, and they hardly ever
 * differ.  The jump through rcx instead of ret lets the branch predictor learn
 * the target; the return predictor would be wrong every time.
 */
#include "coro/switch.h"

#if defined(__x86_64__) && !defined(AIOCTL_COROUTINE_UCONTEXT)
    .text

    .globl coro_switch
    .hidden coro_switch
    .type coro_switch, @function
    .p2align 4
coro_switch:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    fnstcw (%rsp)
    stmxcsr 4(%rsp)
    movzwl (%rsp), %r8d
    movl 4(%rsp), %r9d
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    cmpl 4(%rsp), %r9d
    jne 2f
    cmpw (%rsp), %r8w
    jne 2f
1:
    addq $8, %rsp
    .cfi_remember_state
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    movq %rdx, %rax
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmp *%rcx
    .cfi_restore_state
2:
    fldcw (%rsp)
    ldmxcsr 4(%rsp)
    jmp 1b
    .cfi_endproc
    .size coro_switch, . - coro_switch

/* rbx: the function, r12: its argument; rsp is 0 mod 16.  Nothing called us:
 * unwinders stop here. */
    .globl coro_start
    .hidden coro_start
    .type coro_start, @function
    .p2align 4
coro_start:
    .cfi_startproc
    .cfi_undefined %rip
    movq %r12, %rdi
    callq *%rbx
    ud2
    .cfi_endproc
    .size coro_start, . - coro_start
#endif

    .section .note.GNU-stack, "", %progbits
