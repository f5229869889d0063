/*
 * args.c - arguments: seconds, sizes, option tables
 *
 * Everything a script passes is judged here, with a message that names the
 * argument and what would be right.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "suggest.h"
#include "vm_private.h"

static int64_t seconds_to_ns(lua_State *L, int arg, lua_Number sec)
{
    if (isnan(sec) || sec < 0) {
        luaL_argerror(L, arg, "seconds must not be negative or NaN");
    }
    return sec >= (lua_Number)(INT64_MAX / 1000000000LL) ? INT64_MAX
                                                         : (int64_t)(sec * 1e9);
}

int64_t alua_opt_seconds(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg)) {
        return -1;
    }
    if (lua_type(L, arg) != LUA_TNUMBER) {
        luaL_typeerror(L, arg, "number of seconds");
    }
    return seconds_to_ns(L, arg, lua_tonumber(L, arg));
}

int64_t alua_opt_timeout(lua_State *L, int arg)
{
    if (!lua_istable(L, arg)) {
        return alua_opt_seconds(L, arg);
    }
    int64_t ns = -1;
    if (lua_getfield(L, arg, "timeout") != LUA_TNIL) {
        if (lua_type(L, -1) != LUA_TNUMBER) {
            luaL_argerror(L, arg,
                          "field 'timeout' must be a number of seconds");
        }
        ns = seconds_to_ns(L, arg, lua_tonumber(L, -1));
    }
    lua_pop(L, 1);
    return ns;
}

void alua_check_callable(lua_State *L, int arg)
{
    if (!lua_isfunction(L, arg)) {
        if (luaL_getmetafield(L, arg, "__call") == LUA_TNIL) {
            luaL_typeerror(L, arg, "function");
        }
        lua_pop(L, 1);
    }
}

bool alua_parse_size(const char *s, int64_t *size)
{
    static const char units[] = "kmgt";
    char *end;
    double n = strtod(s, &end);

    if (end == s || !isfinite(n) || strpbrk(s, "xXpP")) {
        return false;
    }
    if (*end) {
        const char *unit = strchr(units, *end | 0x20);

        if (!unit || !*unit) {
            return false;
        }
        n *= (double)(1LL << (10 * (unit - units + 1)));
        end++;
        end += *end == 'i' && end[1] == 'B' ? 2 : 0;
    }
    if (*end || n < 0 || n >= 9.2e18 || n != floor(n)) {
        return false;
    }
    *size = (int64_t)n;
    return true;
}

bool alua_to_size(lua_State *L, int index, int64_t *size)
{
    int is_integer = 0;

    if (lua_type(L, index) == LUA_TSTRING) {
        return alua_parse_size(lua_tostring(L, index), size);
    }
    *size = lua_tointegerx(L, index, &is_integer);
    return is_integer && *size >= 0;
}

int64_t alua_check_size(lua_State *L, int arg)
{
    int64_t size = -1;

    if (lua_type(L, arg) == LUA_TSTRING) {
        if (!alua_parse_size(lua_tostring(L, arg), &size)) {
            luaL_argerror(L, arg,
                          "size expected: an integer, or a string "
                          "such as \"4k\", \"1M\", \"2G\"");
        }
        return size;
    }
    size = luaL_checkinteger(L, arg);
    luaL_argcheck(L, size >= 0, arg, "size must not be negative");
    return size;
}

static void unknown_option(lua_State *L, int arg, const char *key,
                           const char *const *known)
{
    Suggestion s;
    const char *closest = suggest_among(&s, key, known);
    const char *hint =
        closest ? lua_pushfstring(L, " (did you mean '%s'?)", closest) : "";

    luaL_argerror(L, arg,
                  lua_pushfstring(L, "unknown option '%s'%s", key, hint));
}

void alua_check_options(lua_State *L, int arg, const char *const *known)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            continue; /* list part: the caller's business */
        }
        const char *key = lua_tostring(L, -2);
        const char *const *k = known;

        while (*k && strcmp(*k, key)) {
            k++;
        }
        if (!*k) {
            unknown_option(L, arg, key, known);
        }
    }
}
