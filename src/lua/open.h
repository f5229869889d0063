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

void lbuf_open(lua_State *L);     /* aio.buf */
void lbufpool_open(lua_State *L); /* aio.bufpool */
void lfile_open(lua_State *L);    /* aio.file: a table of functions */
void lbatch_open(lua_State *L);   /* aio.batch */
void linfo_open(lua_State *L);    /* aio.probe */

#endif
