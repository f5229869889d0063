/*
 * report.c - error messages the way stock lua prints them
 *
 * An error value becomes a message in the message handler, while the stack
 * still shows where it happened: a string or number gets a traceback, an object
 * with __tostring speaks for itself, anything else is named by its type.
 */
#include "host/host.h"
#include "vm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_cancelled(lua_State *L, int index)
{
    bool named = luaL_getmetafield(L, index, "__name") != LUA_TNIL;
    bool same = named && lua_type(L, -1) == LUA_TSTRING &&
                strcmp(lua_tostring(L, -1), "aio.cancelled") == 0;

    lua_pop(L, named);
    return same;
}

/* What raises this value is INT, TERM or --timeout. */
static const char *interruption(lua_State *L)
{
    if (!is_cancelled(L, 1)) {
        return NULL;
    }
    if (signals_timed_out()) {
        return "interrupted by --timeout";
    }
    return signals_deadly() ? "interrupted!" : NULL;
}

int report_handler(lua_State *L)
{
    const char *message = lua_tostring(L, 1);

    if (message == NULL) {
        message = interruption(L);
    }
    if (message == NULL) {
        if (is_cancelled(L, 1)) {
            return 1; /* report_error() knows whether that is worth a word */
        }
        if (luaL_callmeta(L, 1, "__tostring") &&
            lua_type(L, -1) == LUA_TSTRING) {
            return 1;
        }
        message = lua_pushfstring(L, "(error object is a %s value)",
                                  luaL_typename(L, 1));
    }
    luaL_traceback(L, L, message, 1);
    return 1;
}

void report_message(const char *progname, const char *format, ...)
{
    va_list args;

    if (progname != NULL) {
        fprintf(stderr, "%s: ", progname);
    }
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    fflush(stderr);
}

void report_error(Host *host, lua_State *L)
{
    const char *message = lua_tostring(L, -1);

    if (message == NULL && is_cancelled(L, -1)) {
        if (host->vm != NULL && host->vm->exiting) {
            lua_pop(L, 1); /* the program is ending: why has been said */
            return;
        }
        message = "cancelled";
    }
    if (message == NULL) {
        message = "(error object is not a string)";
    }
    report_message(host->progname, "%s", message);
    lua_pop(L, 1);
}
