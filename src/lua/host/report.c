/*
 * report.c - error messages the way stock lua prints them
 *
 * An error value becomes a message in the message handler, while the stack
 * still shows where it happened: a string or number gets a traceback, an object
 * with __tostring speaks for itself, anything else is named by its type.
 */
#include "host/host.h"
#include "memlimit.h"
#include "vm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_cancellation(lua_State *L, int index)
{
    bool found = luaL_getmetafield(L, index, "__name") == LUA_TSTRING;

    if (found) {
        found = strcmp(lua_tostring(L, -1), "aio.cancelled") == 0;
        lua_pop(L, 1);
    }
    return found;
}

/* Who cancels the main chunk: INT, TERM, --timeout; or, NULL, the script. */
static const char *interruption(void)
{
    if (signals_timed_out()) {
        return "interrupted by --timeout";
    }
    return signals_deadly() ? "interrupted!" : NULL;
}

int report_handler(lua_State *L)
{
    const char *message = lua_tostring(L, 1);

    if (message == NULL && is_cancellation(L, 1)) {
        message = interruption();
        if (message == NULL) {
            return 1; /* as it is: report_error() knows it */
        }
    }
    if (message == NULL) {
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

    if (message != NULL) {
        bool limited =
            memlimit_get() != 0 && strcmp(message, "not enough memory") == 0;
        report_message(host->progname, "%s%s", message,
                       limited ? " (--memory-limit)" : "");
    } else if (is_cancellation(L, -1)) {
        host->cancelled = true;
        if (host->progname == NULL && !host->vm->exiting) {
            report_message(NULL, "cancelled"); /* the prompt goes on */
        }
    } else {
        report_message(host->progname, "(error object is a %s value)",
                       luaL_typename(L, -1));
    }
    lua_pop(L, 1);
}
