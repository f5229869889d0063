/*
 * idle.h - eventfds that nobody writes, to be watched beside the busy one
 */
#ifndef BENCH_IDLE_H
#define BENCH_IDLE_H

enum { IDLE_MAX = 10000 };

extern int idle_fds[IDLE_MAX];

/* Raises the limit of open files as far as that takes. */
void idle_open(int count);
void idle_close(void);

#endif
