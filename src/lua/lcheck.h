/*
 * lcheck.h - argument checks that the callback classes share
 */
#ifndef LCHECK_H
#define LCHECK_H

#include "alua.h"

/* Raises "bh 'x', created at f.lua:12, is closed" unless @h is open. */
void lcheck_open(lua_State *L, const LuaHandle *h);

/* __tostring of a handle class: "bh 'x', created at f.lua:12 (armed)". */
int lcheck_tostring(lua_State *L, const LuaHandle *h);

/*
 * lcheck_clock_seconds: seconds of some clock at @arg as nanoseconds
 *
 * Saturates at both ends (a time before the clock's zero is its zero); raises
 * on NaN and on anything but a number.
 */
int64_t lcheck_clock_seconds(lua_State *L, int arg);

/* Pushes option "name" of the table at @arg, a string or nil. */
void lcheck_name(lua_State *L, int arg);

/* Pushes option "ctx" of the table at @arg, a context or nil. */
void lcheck_context(lua_State *L, int arg);

/* A path: refuses zeros, at which the system would cut it off. */
const char *lcheck_path(lua_State *L, int arg);

/*
 * lcheck_fd: the file descriptor meant by @arg
 *
 * An integer, an open io file, or an object with a field or method "fd",
 * "getfd" or "fileno" (LuaSocket, luaposix, files of aio.file).  Raises on
 * anything else and on negative numbers.
 */
int lcheck_fd(lua_State *L, int arg);

/* Is @fd open?  A descriptor that is not would only fail in the monitor. */
bool lcheck_fd_is_open(int fd);

/* Pushes nil, "EBADF: ...: fd 5 (call)", EBADF. */
int lcheck_fail_fd(lua_State *L, int fd, const char *call);

#endif
