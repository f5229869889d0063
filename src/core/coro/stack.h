/*
 * coro/stack.h - memory for C stacks
 */
#ifndef AIOCTL_CORO_STACK_H
#define AIOCTL_CORO_STACK_H

#include "qemu/osdep.h"

/* Virtual sizes of the classes, guard included. */
enum { STACK_CLASSES = 3 };
#define STACK_DEFAULT_CLASS 0

/* Kept in memory when a stack is recycled; below that, pages are given back. */
#define STACK_HOT_BYTES (32u << 10)

typedef struct StackSlab StackSlab;

typedef struct Stack {
    char *base; /* lowest usable byte */
    size_t size;
    StackSlab *slab;
    unsigned slot;
    bool canary; /* no guard: stack_canary_ok() must be asked */
} Stack;

/* The smallest class with @size bytes, or -1.  0 means the default class. */
int stack_class_for(size_t size);
size_t stack_class_size(unsigned cls);

/* Zero-filled memory for a stack of @cls; 0 or a negative errno. */
int stack_alloc(unsigned cls, Stack *stack);
void stack_free(char *base, StackSlab *slab);

/* Gives back everything but the hot part, if more than that was touched. */
void stack_trim(char *base, size_t size, bool thorough);

/* False when somebody wrote to the lowest words. */
bool stack_canary_ok(const char *base);

/* True when @addr is in the guard below the stack at @base. */
bool stack_guard_contains(const char *base, const char *addr);

const char *stack_guard_name(void);

#endif
