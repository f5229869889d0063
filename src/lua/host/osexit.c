/*
 * osexit.c - os.exit() that leaves through the loop
 *
 * Before aio is loaded there is nothing to unwind: os.exit(n) ends the process
 * at once, as in stock lua.  After, and whenever the state is to be closed,
 * vm_exit() leaves the caller's stack for good; main() closes tasks, handles
 * and contexts from the thread's own stack and exits with the status.
 */
#include "host/host.h"
#include "vm.h"

#include <stdlib.h>

/* os.exit([code [, close]]) */
static int os_exit(lua_State *L)
{
    Host *host = lua_touserdata(L, lua_upvalueindex(1));
    int status = vm_exit_status(L);
    bool close = lua_toboolean(L, 2);

    if (!host->aio_loaded && !close) {
        exit(status);
    }
    vm_exit(L, host->vm, status, close);
}

void osexit_install(Host *host, lua_State *L)
{
    lua_getglobal(L, "os");
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, os_exit, 1);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
}
