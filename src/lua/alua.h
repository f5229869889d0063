/*
 * alua.h - the helper layer every Lua class stands on
 *
 * One LuaVM per lua_State universe (main thread and all its coroutines), one
 * LuaContext per AioContext that the VM created.  Each C function of the
 * binding is registered with the VM as light userdata in upvalue 1, so that
 * alua_vm() costs no registry lookup.
 *
 * A userdata is created closed (zeroed), gets its metatable, and only then
 * acquires resources.  Ownership upward is by user values; the anchor table
 * holds only what the loop may still call.
 */
#ifndef ALUA_H
#define ALUA_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "block/aio.h"

typedef struct LuaVM LuaVM;
typedef struct LuaContext LuaContext;
typedef struct LuaTask LuaTask;
typedef struct LuaHandle LuaHandle;

/* ---- classes ------------------------------------------------------------ */

typedef struct AluaClass {
    const char *name; /* "aio.bh": __name, and the word in messages */
    const luaL_Reg *methods;
    const luaL_Reg *metamethods;
    bool is_handle; /* its objects begin with a LuaHandle */
} AluaClass;

/* First member of every userdata of ours. */
typedef struct AluaObject {
    const AluaClass *cls;
    LuaVM *vm;
    int anchor; /* slot in the anchor table, 0 when not anchored */
} AluaObject;

LuaVM *alua_vm(lua_State *L); /* of the running C function of ours */
/*
 * The extra space of @L and of all its threads is ours, and will hold the VM:
 * makes alua_vm() a load.  For a host, right after luaL_newstate().
 */
void alua_claim_extra_space(lua_State *L);
/* Small blocks that @L frees are kept for it; right after luaL_newstate(). */
void alua_keep_blocks(lua_State *L);
/* For each further state of the process, right after luaL_newstate(). */
void alua_clear_extra_space(lua_State *L);
void alua_note_vm(lua_State *L, LuaVM *vm); /* vm_open()'s part of it */
LuaVM *alua_vm_of(lua_State *L); /* the same by registry: anywhere, slower */

/* luaL_setfuncs() with the VM as upvalue 1 of each function. */
void alua_setfuncs(lua_State *L, const luaL_Reg *funcs);

/* Creates the metatable (methods in __index, __name, __metatable unset). */
void alua_class(lua_State *L, const AluaClass *cls);

/* Pushes a zeroed userdata of @size bytes (its AluaObject filled in). */
void *alua_new(lua_State *L, const AluaClass *cls, size_t size, int uservalues);

/* Raises "bad argument #n to 'f' (aio.bh expected, got nil)". */
void *alua_check(lua_State *L, int arg, const AluaClass *cls);
void *alua_test(lua_State *L, int arg, const AluaClass *cls); /* or NULL */

/* ---- anchors: what the loop may still call ------------------------------ */

void alua_anchor(lua_State *L, int index);       /* idempotent */
void alua_unanchor(lua_State *L, AluaObject *o); /* idempotent */
void alua_pushanchored(lua_State *L, AluaObject *o);
/* User value 1 of the handle at @index, its callback, has changed. */
void alua_refresh(lua_State *L, int index);

/* ---- handles: callbacks with a name, an origin and ref/unref ------------ */

/*
 * A handle is a callback registered with a context.  "armed" means the loop may
 * call it: it is anchored, and (unless unref'd) keeps the program running.
 */
struct LuaHandle {
    AluaObject object;
    const char *kind;              /* "bh", "timer", "fd", "notifier" */
    void (*release)(LuaHandle *h); /* class: frees the C side; calls no Lua */
    char *name;                    /* malloc'ed, or NULL: the origin is used */
    char origin[80];               /* "script.lua:12" */
    LuaHandle *prev, *next;        /* all open handles of the VM */
    LuaContext *owner;             /* NULL when closed */
    bool armed;
    bool unrefd;
    bool closes;       /* by itself, when its callback has returned */
    unsigned busy;     /* calls of its callback on the stack */
    unsigned failures; /* errors in a row */
};

/* Fills in name (string at @name_arg, or none) and the origin of the caller. */
void handle_open(lua_State *L, LuaHandle *h, LuaContext *owner,
                 const char *kind, int name_arg);
/* Opens again what was closed, under its old origin. */
void handle_link(LuaHandle *h, LuaContext *owner);
/* Disarms, calls h->release, unlinks, clears owner; idempotent. */
void handle_close(lua_State *L, LuaHandle *h);
void handle_arm(lua_State *L, LuaHandle *h, int index); /* anchors too */
void handle_disarm(lua_State *L, LuaHandle *h);
int handle_ref(lua_State *L); /* ready-made methods h:ref(), h:unref() */
int handle_unref(lua_State *L);
/* "bh 'x', created at f.lua:12" */
void handle_describe(const LuaHandle *h, char *buf, size_t size);

/*
 * alua_enter: the one door from the loop into Lua (door.c)
 *
 * Runs fn(light userdata @self) protected on the callback thread of @h's
 * context, with @h named as the callback that is running (parking in it raises
 * and says so).  An error goes to aio.on_error or ends the program (see vm.h).
 * Allocates nothing when fn does not.
 */
void alua_enter(LuaHandle *h, lua_CFunction fn, void *self);

/*
 * alua_call: alua_enter() for the function in user value @callback of @h, which
 * is armed, with its object as the only argument; fast for user value 1
 *
 * alua_call_once() disarms it first; the function may arm it again.  @h may be
 * gone afterwards.
 */
void alua_call(LuaHandle *h, int callback);
void alua_call_once(LuaHandle *h, int callback);

/* ---- arguments and results ---------------------------------------------- */

/* Pushes nil, "ENOENT: No such file or directory: <what> (<call>)", errno. */
int alua_fail(lua_State *L, int err, const char *what, const char *call);
/* Pushes nil, "timeout", ETIMEDOUT. */
int alua_timeout(lua_State *L);
/* Consumes @err: raises its message (misuse) or pushes nil, message, errno. */
int alua_raise_error(lua_State *L, Error *err);

/* Seconds as float >= 0 -> ns; raises on NaN, negative, or the wrong type;
 * nil or none -> -1; huge values saturate. */
int64_t alua_opt_seconds(lua_State *L, int arg);
/* The same from {timeout=} or a plain number at @arg. */
int64_t alua_opt_timeout(lua_State *L, int arg);
/* A function, or a value with a metamethod __call. */
void alua_check_callable(lua_State *L, int arg);
/* "4k" -> 4096; false when @s is no size. */
bool alua_parse_size(const char *s, int64_t *size);

/* Integer or "4k" "1M" "2G" (binary). */
int64_t alua_check_size(lua_State *L, int arg);
bool alua_to_size(lua_State *L, int index, int64_t *size); /* is it one? */

/* Options table at @arg: raises on a key not in the NULL-ended list @known,
 * with "did you mean". */
void alua_check_options(lua_State *L, int arg, const char *const *known);

/* Symbol of an errno: 2 -> "ENOENT". */
const char *alua_errno_name(int err);

#endif
