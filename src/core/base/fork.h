/*
 * base/fork.h - noticing that this process is a copy
 *
 * A child has its parent's memory, but not its threads, and shares its kernel
 * objects: what it does to an epoll set, it does to its parent's.  Whoever owns
 * such things keeps fork_count from when they were made, and makes them anew
 * when it has changed.
 */
#ifndef AIOCTL_BASE_FORK_H
#define AIOCTL_BASE_FORK_H

/* How often this process and those it descends from have forked to make it,
 * since fork_watch() was first called.  Changes in fork() only. */
extern unsigned fork_count;

/* Begins to count; again: nothing.  Any thread. */
void fork_watch(void);

#endif
