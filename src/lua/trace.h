/*
 * trace.h - what the program did when, for chrome://tracing and Perfetto
 *
 * One trace per process, off unless the host opens it.  Callers look at
 * trace_on first, so that not tracing costs one load.
 *
 * A thread's slices nest: trace_begin() and trace_end() are pairs, also around
 * switches of tasks (the slice of a task ends where it parks).  What overlaps
 * is asynchronous: a number connects begin and end.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "qapi/error.h"

extern bool trace_on;

/* Begins to write to the file @path; false with @errp set. */
bool trace_open(const char *path, Error **errp);
/* Ends the file; false when something could not be written to it. */
bool trace_close(Error **errp);

/* Any thread. */
void trace_begin(const char *category, const char *name);
void trace_end(void);
/* A slice that is over. */
void trace_slice(const char *category, const char *name, int64_t start_ns,
                 int64_t ns);

/* Something in flight; what trace_async_begin() returns goes to the end. */
uint64_t trace_async_begin(const char *category, const char *name, int fd,
                           int64_t offset, int64_t length);
void trace_async_end(const char *category, const char *name, uint64_t id,
                     int64_t result);

#endif
