/*
 * aio.c - the module aio.core: one table, filled by the openers of the classes
 *
 * Each class file ends with an opener (open.h) that adds its constructors and
 * functions to the table on top of the stack.  openers[] is the only list of
 * them: a new class is a declaration in open.h and a row here.  What is written
 * in Lua is added on top by scripts/aio/init.lua.
 */
#include <lauxlib.h>

#include "open.h"
#include "qapi/error.h"
#include "vm.h"

typedef struct Opener {
    const char *name;
    void (*open)(lua_State *L);
} Opener;

/* Classes that are not built into this library are skipped. */
#pragma weak lbh_open
#pragma weak ltimer_open
#pragma weak lfd_open
#pragma weak lnotifier_open
#pragma weak lcontext_open
#pragma weak ltask_open
#pragma weak lwaker_open
#pragma weak lscope_open
#pragma weak lcoroutine_open
#pragma weak lrequire_open
#pragma weak lrun_open
#pragma weak lwait_open
#pragma weak lsignal_open
#pragma weak lbuf_open
#pragma weak lbufpool_open
#pragma weak lfile_open
#pragma weak lbatch_open
#pragma weak linfo_open
#pragma weak lclock_open
#pragma weak lerrno_open
#pragma weak lstats_open
#pragma weak lhist_open
#pragma weak lsync_open

#define OPENER(class) {#class, class##_open}

static const Opener openers[] = {
    OPENER(lclock),   OPENER(lerrno),   OPENER(lstats),  OPENER(lcontext),
    OPENER(lbh),      OPENER(ltimer),   OPENER(lfd),     OPENER(lnotifier),
    OPENER(lwait),    OPENER(lsignal),  OPENER(ltask),   OPENER(lwaker),
    OPENER(lscope),   OPENER(lcoroutine), OPENER(lrequire), OPENER(lrun),
    OPENER(lbuf),     OPENER(lbufpool), OPENER(lfile),   OPENER(lbatch),
    OPENER(linfo),    OPENER(lhist),    OPENER(lsync),
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

        if (openers[i].open) {
            openers[i].open(L);
        }
        if (lua_gettop(L) != top) {
            return luaL_error(L, "aio: opener of %s left the stack unbalanced",
                              openers[i].name);
        }
    }
    lua_pushliteral(L, AIOCTL_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}
