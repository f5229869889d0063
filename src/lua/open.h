/*
 * open.h - the openers: what fills the table of aio.core
 *
 * Each class file ends with one opener.  It is called once per VM with the
 * module's table on top of the stack, creates its metatable and adds its
 * constructors and functions to that table; the stack is left as it was.
 * luaopen_aio_core() (aio.c) calls them all.
 */
#ifndef OPEN_H
#define OPEN_H

#include <lua.h>

/* callbacks and contexts */
void lbh_open(lua_State *L);       /* aio.bh, aio.defer */
void ltimer_open(lua_State *L);    /* aio.timer */
void lfd_open(lua_State *L);       /* aio.fd */
void lnotifier_open(lua_State *L); /* aio.notifier */
void lcontext_open(lua_State *L);  /* aio.context */

/* tasks */
void ltask_open(lua_State *L);      /* aio.spawn, self, sleep, yield, tasks */
void lwaker_open(lua_State *L);     /* aio.park, await, task:waker() */
void lscope_open(lua_State *L);     /* aio.group, timeout, shield */
void lcoroutine_open(lua_State *L); /* wraps the coroutine library */
void lrequire_open(lua_State *L);   /* wraps require */
void lrun_open(lua_State *L);       /* aio.run, exit, stop, on_error */

/* other threads */
void liothread_open(lua_State *L); /* aio.iothread */
void loffload_open(lua_State *L);  /* aio.offload */

/* waiting for the world */
void lwait_open(lua_State *L);   /* aio.wait_fd */
void lselect_open(lua_State *L); /* aio.select */
void lsignal_open(lua_State *L); /* aio.wait_signal, aio.on_signal */

/* buffers and files */
void lbuf_open(lua_State *L);     /* aio.buf */
void lbufpool_open(lua_State *L); /* aio.bufpool */
void lfile_open(lua_State *L);    /* aio.file: a table of functions */
void lbatch_open(lua_State *L);   /* aio.batch */
void linfo_open(lua_State *L);    /* aio.probe */

/* sockets and processes: modules of their own, made when required */
void lnet_open(lua_State *L);  /* aio.net.core */
void lproc_open(lua_State *L); /* aio.proc.core */

/* the rest */
void lclock_open(lua_State *L); /* aio.now, now_ns, clock */
void lerrno_open(lua_State *L); /* aio.errno, errname, size */
void lstats_open(lua_State *L); /* aio.stats, handles */
void lhist_open(lua_State *L);  /* aio.hist */
void lsync_open(lua_State *L);  /* aio.sync: chan, sem, mutex, ... */

#endif
