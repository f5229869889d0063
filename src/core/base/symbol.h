/*
 * base/symbol.h - names for addresses of code
 *
 * For the last words of a program only: it opens the program's file and takes
 * milliseconds.
 */
#ifndef AIOCTL_BASE_SYMBOL_H
#define AIOCTL_BASE_SYMBOL_H

/*
 * symbol_name: the function at @address, static ones included, as "name" or
 * "name+0x1f"; of a stripped program "file+0x1234", for addr2line.
 *
 * The text is overwritten by the fourth call after this one.
 */
const char *symbol_name(const void *address);

/* The code that called the function in which this stands. */
#define CALLER_ADDRESS __builtin_return_address(0)

#endif
