/*
 * lchild.h - children start with default signals, whichever thread starts them
 *
 * The threads of this program other than the first block all signals, and a
 * child inherits that: a shell command could not be interrupted.
 */
#ifndef LCHILD_H
#define LCHILD_H

#include <lua.h>
#include <spawn.h>

/* Nothing blocked and nothing ignored; flags for posix_spawnattr_setflags(). */
short child_reset_signals(posix_spawnattr_t *attr);

/* os.execute() and io.popen() of a state that is used in such a thread. */
void child_install(lua_State *L);

#endif
