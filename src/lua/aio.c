/*
 * aio.c - the module aio.core: one table, filled by the openers of the classes
 *
 * Each class file ends with an opener (open.h) that adds its constructors and
 * functions to the table on top of the stack.  openers[] is the only list of
 * them: a new class is a declaration in open.h and a row here.  What is written
 * in Lua is added on top by scripts/aio/init.lua.
 */
#include <lauxlib.h>

#include "base/check.h"
#include "open.h"
#include "qapi/error.h"
#include "vm.h"

static void (*const openers[])(lua_State *L) = {
    lclock_open, lerrno_open,    lstats_open,    lcontext_open,   lbh_open,
    ltimer_open, lfd_open,       lnotifier_open, lwait_open,      lsignal_open,
    ltask_open,  lwaker_open,    lscope_open,    lcoroutine_open, lrequire_open,
    lrun_open,   lbuf_open,      lbufpool_open,  lfile_open,      lbatch_open,
    linfo_open,  lhist_open,     lsync_open,     lselect_open,    lnet_open,
    lproc_open,  liothread_open, loffload_open,
};

/* luaopen_aio_core: the module's table; the VM is created on first use. */
__attribute__((visibility("default"))) int luaopen_aio_core(lua_State *L);

int luaopen_aio_core(lua_State *L)
{
    Error *err = NULL;

    if (!vm_open(L, &err)) {
        lua_pushfstring(L, "aio: %s", error_get_pretty(err));
        error_free(err);
        return lua_error(L);
    }
    lua_newtable(L);
    for (size_t i = 0; i < sizeof(openers) / sizeof(openers[0]); i++) {
        int top = lua_gettop(L);

        openers[i](L);
        CHECK(lua_gettop(L) == top); /* each leaves the table on the top */
    }
    /** aio.version: string */
    lua_pushliteral(L, AIOCTL_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}
