/*
 * tidy_lua.h - tells clang-tidy which functions of Lua never return
 *
 * Included before everything else when ./dev lint runs clang-tidy; without it
 * the analyzer follows paths behind luaL_error() that do not exist.
 */
#if __has_include(<lauxlib.h>)
#include <lauxlib.h>

#define RAISES __attribute__((noreturn))
RAISES int(lua_error)(lua_State *L);
RAISES int(luaL_error)(lua_State *L, const char *fmt, ...);
RAISES int(luaL_argerror)(lua_State *L, int arg, const char *message);
RAISES int(luaL_typeerror)(lua_State *L, int arg, const char *name);
#endif
