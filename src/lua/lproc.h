/*
 * lproc.h - class aio.process.core, as its two files share it
 *
 *   lproc.c       the class: waiting, signals, reaping
 *   lprocspawn.c  how a child is started
 */
#ifndef LPROC_H
#define LPROC_H

#include <sys/types.h>

#include "task.h"

typedef struct ProcWaiter {
    LuaTask *task;
    struct ProcWaiter *prev, *next;
} ProcWaiter;

typedef struct LuaProc {
    LuaHandle handle; /* armed until the child is reaped */
    pid_t pid;        /* 0: not started */
    int pidfd;        /* -1: reaped, or not started */
    bool group;       /* leader of a process group */
    bool reaped;
    int code;   /* exit status, or -1 */
    int signal; /* that ended it, or 0 */
    bool core;  /* it left a core file */
    ProcWaiter *waiters;
} LuaProc;

extern const AluaClass proc_class;

/* Pushes one without a child. */
LuaProc *proc_push(lua_State *L);
/* The child of the armed @p runs: watch it. */
void proc_started(LuaProc *p, pid_t pid, int pidfd);

/* core.spawn() */
int proc_spawn(lua_State *L);

#endif
