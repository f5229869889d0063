/*
 * sigtable.h - which signals the process catches, and for whom
 *
 * Process-wide.  A SigSlot belongs to one listener (a VM) with one descriptor:
 * the handler marks the signal in the slot and makes the descriptor (an
 * eventfd) readable.  Nothing is ever blocked, so children inherit no mask; and
 * caught signals are back at their defaults after exec.
 */
#ifndef SIGTABLE_H
#define SIGTABLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct SigSlot SigSlot;

/* A slot that writes to @fd, or NULL when there are too many listeners. */
SigSlot *sigtable_listen(int fd);
void sigtable_unlisten(SigSlot *slot); /* releases all its signals */

/* Catch @signo for @slot; counted, the last release puts the disposition back
 * that was there before.  Returns 0 or a negative errno. */
int sigtable_catch(SigSlot *slot, int signo);
void sigtable_release(SigSlot *slot, int signo);

/* Signals that came since the last call: bit n-1 is signal n. */
uint64_t sigtable_take(SigSlot *slot);

/*
 * sigtable_number: "INT", "int" or "SIGINT" -> 2
 * Returns 0 and sets *@why when there is no such signal or it cannot be caught;
 * *@why is static text, or NULL for an unknown name.
 */
int sigtable_number(const char *name, const char **why);

/* NULL-ended list of the names, for messages. */
const char *const *sigtable_names(void);

#endif
