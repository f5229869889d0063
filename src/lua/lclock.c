/*
 * lclock.c - aio.now, aio.now_ns, aio.clock: reading the loop's clocks
 *
 * The clocks are the ones timers run on, so a time read here is comparable
 * with any deadline.
 */
#include "lclock.h"

#include <string.h>

#include "open.h"

/* In the order of QEMUClockType's use below. */
static const char *const clock_names[] = {
    "realtime", "virtual", "host", "virtual_rt", NULL,
};
static const QEMUClockType clock_types[] = {
    QEMU_CLOCK_REALTIME,
    QEMU_CLOCK_VIRTUAL,
    QEMU_CLOCK_HOST,
    QEMU_CLOCK_VIRTUAL_RT,
};

QEMUClockType lclock_opt(lua_State *L, int arg)
{
    return clock_types[luaL_checkoption(L, arg, "realtime", clock_names)];
}

QEMUClockType lclock_field(lua_State *L, int index)
{
    const char *name =
        lua_isnil(L, index) ? clock_names[0] : lua_tostring(L, index);

    for (int i = 0; name && clock_names[i]; i++) {
        if (strcmp(clock_names[i], name) == 0) {
            return clock_types[i];
        }
    }
    luaL_error(L,
               "field 'clock': unknown clock '%s' (one of realtime, virtual, "
               "host, virtual_rt)",
               name ? name : luaL_typename(L, index));
    return QEMU_CLOCK_REALTIME;
}

static void push_seconds(lua_State *L, QEMUClockType type)
{
    lua_pushnumber(L, (lua_Number)qemu_clock_get_ns(type) / 1e9);
}

/**
 * aio.now() -> number
 *
 * Seconds of a monotonic clock, read now; deadlines of timers are made of it.
 */
static int clock_now(lua_State *L)
{
    push_seconds(L, QEMU_CLOCK_REALTIME);
    return 1;
}

/**
 * aio.now_ns() -> integer
 *
 * The same in integer nanoseconds.
 */
static int clock_now_ns(lua_State *L)
{
    lua_pushinteger(L, qemu_clock_get_ns(QEMU_CLOCK_REALTIME));
    return 1;
}

/**
 * aio.clock(name?: aio.Clock) -> number
 *
 * Seconds of a timer's clock, `"realtime"` by default.
 */
static int clock_read(lua_State *L)
{
    push_seconds(L, lclock_opt(L, 1));
    return 1;
}

static const luaL_Reg clock_functions[] = {
    {"now", clock_now},
    {"now_ns", clock_now_ns},
    {"clock", clock_read},
    {NULL, NULL},
};

void lclock_open(lua_State *L)
{
    alua_setfuncs(L, clock_functions);
}
