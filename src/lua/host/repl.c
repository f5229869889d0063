/*
 * repl.c - interactive mode
 *
 * Each line is tried as an expression first (its values are printed), then as a
 * statement; while the parser's complaint is that the text ended, more lines
 * are read.  A leading '=' is an old way of asking for an expression.
 *
 * The prompt waits by parking, so tasks run meanwhile.  Standard input is made
 * unbuffered: what is readable is then known from the fd alone, and io.read()
 * in a typed line gets the next line, as in stock lua.
 */
#include "host/host.h"
#include "task.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- waiting for standard input ----------------------------------------- */

typedef struct InputWait {
    LuaTask *task;
    AioContext *ctx;
    bool ready;
} InputWait;

static void input_watch(InputWait *w, IOHandler *callback)
{
    aio_set_fd_handler(w->ctx, STDIN_FILENO, false, callback, NULL, NULL, NULL,
                       w);
}

static void input_ready(void *opaque)
{
    InputWait *w = opaque;

    w->ready = true;
    input_watch(w, NULL);
    task_wake(w->task);
}

/* Files and /dev/null are always ready, so only what can be polled parks. */
static void input_wait(lua_State *L)
{
    struct pollfd stdin_poll = {.fd = STDIN_FILENO, .events = POLLIN};

    if (poll(&stdin_poll, 1, 0) != 0) {
        return;
    }
    InputWait w = {.task = task_check_can_park(L)};
    ParkResult why = PARK_WOKEN;
    w.ctx = task_context(w.task);
    input_watch(&w, input_ready);
    while (!w.ready && why == PARK_WOKEN) {
        why = task_park(w.task, PARK_ON_WORLD, -1);
    }
    if (!w.ready) {
        input_watch(&w, NULL);
    }
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, w.task);
    }
}

/* prompt -> line without its newline, or nil at the end */
static int read_line(lua_State *L)
{
    luaL_Buffer line;
    int c;

    fputs(lua_tostring(L, 1), stdout);
    fflush(stdout);
    luaL_buffinit(L, &line);
    do {
        input_wait(L);
        c = getchar();
        if (c != EOF && c != '\n') {
            luaL_addchar(&line, (char)c);
        }
    } while (c != EOF && c != '\n');
    luaL_pushresult(&line);
    if (c == EOF && lua_rawlen(L, -1) == 0) {
        clearerr(stdin);
        return 0;
    }
    if (!isatty(STDIN_FILENO)) {
        puts(lua_tostring(L, -1)); /* a transcript shows what was typed */
        fflush(stdout);
    }
    return 1;
}

/* ---- lines to chunks ---------------------------------------------------- */

/* Pushes the next line; false (nothing pushed) at the end or when cancelled. */
static bool next_line(Host *host, lua_State *L, bool first)
{
    const char *global = first ? "_PROMPT" : "_PROMPT2";

    lua_pushlightuserdata(L, host->vm); /* what alua_vm() looks for */
    lua_pushcclosure(L, read_line, 1);
    if (lua_getglobal(L, global) == LUA_TNIL) {
        lua_pushstring(L, first ? "> " : ">> ");
    } else {
        luaL_tolstring(L, -1, NULL);
        lua_remove(L, -2);
    }
    if (lua_isnil(L, -2)) {
        lua_remove(L, -2);
    }
    if (chunk_pcall(L, 1, 1) != LUA_OK) {
        if (signals_deadly()) {
            lua_pop(L, 1); /* a signal at the prompt: no news */
        } else {
            report_error(host, L);
        }
        return false;
    }
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    return true;
}

/* Replaces the line on top by "return <line>", compiled, when that compiles. */
static bool compile_expression(lua_State *L)
{
    const char *line = lua_tostring(L, -1);
    const char *code =
        lua_pushfstring(L, "return %s", line[0] == '=' ? line + 1 : line);

    if (luaL_loadbuffer(L, code, strlen(code), "=stdin") == LUA_OK) {
        lua_replace(L, -3);
        lua_pop(L, 1);
        return true;
    }
    lua_pop(L, 2);
    return false;
}

/* The parser says "... near <eof>" when it wants more. */
static bool is_incomplete(lua_State *L)
{
    static const char mark[] = "<eof>";
    size_t len;
    const char *message = lua_tolstring(L, -1, &len);
    size_t n = sizeof(mark) - 1;

    return len >= n && strcmp(message + len - n, mark) == 0;
}

/* Replaces the line on top by its chunk, or by a message. */
static int compile_statement(Host *host, lua_State *L)
{
    for (;;) { /* ends with the input, or when the text is complete */
        size_t len;
        const char *code = lua_tolstring(L, -1, &len);
        int status = luaL_loadbuffer(L, code, len, "=stdin");

        if (status != LUA_ERRSYNTAX || !is_incomplete(L) ||
            !next_line(host, L, false)) {
            lua_remove(L, -2);
            return status;
        }
        lua_remove(L, -2); /* the complaint */
        lua_pushstring(L, "\n");
        lua_insert(L, -2);
        lua_concat(L, 3);
    }
}

/* ---- results ------------------------------------------------------------ */

/* Everything on the stack goes to the global print. */
static void print_results(Host *host, lua_State *L)
{
    int count = lua_gettop(L);

    if (count == 0) {
        return;
    }
    luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
    lua_getglobal(L, "print");
    lua_insert(L, 1);
    if (lua_pcall(L, count, 0, 0) != LUA_OK) {
        report_message(host->progname, "error calling 'print' (%s)",
                       lua_tostring(L, -1));
    }
}

bool repl_run(Host *host, lua_State *L)
{
    const char *progname = host->progname;

    host->progname = NULL;
    setvbuf(stdin, NULL, _IONBF, 0);
    lua_settop(L, 0);
    while (!signals_deadly() && next_line(host, L, true)) {
        int status = LUA_OK;
        if (!compile_expression(L)) {
            status = compile_statement(host, L);
        }
        if (status == LUA_OK) {
            status = chunk_pcall(L, 0, LUA_MULTRET);
        }
        if (status != LUA_OK) {
            report_error(host, L);
            signals_forgive();
        } else {
            print_results(host, L);
        }
        lua_settop(L, 0);
    }
    putchar('\n');
    fflush(stdout);
    host->progname = progname;
    return !signals_deadly();
}
