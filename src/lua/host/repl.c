/*
 * repl.c - interactive mode
 *
 * Each line is tried as an expression first (its values are printed), then as a
 * statement; while the parser's complaint is that the text ended, more lines
 * are read.  A leading '=' is an old way of asking for an expression.
 *
 * The prompt waits by parking, so tasks run meanwhile.  On a terminal the
 * module aio.repl reads the lines and prints the results, and Ctrl-C only drops
 * the line; elsewhere all is as in stock lua.  Standard input is made
 * unbuffered: what is readable is then known from the fd alone, and io.read()
 * in a typed line gets the next line, as in stock lua.
 */
#include "host/host.h"
#include "task.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Repl {
    Host *host;
    bool terminal; /* lines come from aio.repl, results go there */
} Repl;

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

/* ---- the terminal ------------------------------------------------------- */

#define TERMINAL_KEY "aioctl.terminal" /* registry: what aio.repl opened */

/* name -> { read =, print = } or nil */
static int open_terminal(lua_State *L)
{
    lua_getglobal(L, "require");
    lua_pushstring(L, "aio.repl");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "open");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, TERMINAL_KEY);
    return 1;
}

/* False: the plain prompt. */
static bool has_terminal(lua_State *L)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        return false;
    }
    lua_pushcfunction(L, open_terminal);
    lua_pushstring(L, HOST_NAME);
    bool open = lua_pcall(L, 1, 1, 0) == LUA_OK && lua_istable(L, -1);
    lua_pop(L, 1);
    return open;
}

static void push_terminal(lua_State *L, const char *function)
{
    lua_getfield(L, LUA_REGISTRYINDEX, TERMINAL_KEY);
    lua_getfield(L, -1, function);
    lua_remove(L, -2);
}

/* ---- lines to chunks ---------------------------------------------------- */

typedef enum LineResult {
    LINE_READ,    /* pushed */
    LINE_END,     /* of the input, or of the program */
    LINE_DROPPED, /* Ctrl-C: the text so far is not wanted */
} LineResult;

static void push_prompt(lua_State *L, bool first)
{
    if (lua_getglobal(L, first ? "_PROMPT" : "_PROMPT2") == LUA_TNIL) {
        lua_pushstring(L, first ? "> " : ">> ");
    } else {
        luaL_tolstring(L, -1, NULL);
    }
    lua_remove(L, -2);
}

/* The message of a prompt that was left is on top. */
static LineResult left_prompt(Repl *r, lua_State *L)
{
    if (!signals_deadly()) {
        report_error(r->host, L);
        return LINE_END;
    }
    lua_pop(L, 1); /* a signal at the prompt: no news */
    if (!r->terminal || signals_deadly() != SIGINT) {
        return LINE_END;
    }
    signals_forgive();
    putchar('\n');
    return LINE_DROPPED;
}

static LineResult next_line(Repl *r, lua_State *L, bool first)
{
    if (r->terminal) {
        push_terminal(L, "read");
    } else {
        lua_pushlightuserdata(L, r->host->vm); /* what alua_vm() looks for */
        lua_pushcclosure(L, read_line, 1);
    }
    push_prompt(L, first);
    if (chunk_pcall(L, 1, 1) != LUA_OK) {
        return left_prompt(r, L);
    }
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return LINE_END;
    }
    return LINE_READ;
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

/*
 * Replaces the line on top by its chunk, or by a message.  False: the line was
 * dropped, and nothing is left of it.
 */
static bool compile_statement(Repl *r, lua_State *L, int *status)
{
    for (;;) { /* ends with the input, or when the text is complete */
        size_t len;
        const char *code = lua_tolstring(L, -1, &len);
        LineResult more = LINE_END;

        *status = luaL_loadbuffer(L, code, len, "=stdin");
        if (*status == LUA_ERRSYNTAX && is_incomplete(L)) {
            more = next_line(r, L, false);
        }
        if (more == LINE_DROPPED) {
            lua_pop(L, 2);
            return false;
        }
        if (more == LINE_END) {
            lua_remove(L, -2);
            return true;
        }
        lua_remove(L, -2); /* the complaint */
        lua_pushstring(L, "\n");
        lua_insert(L, -2);
        lua_concat(L, 3);
    }
}

/* ---- results ------------------------------------------------------------ */

/* Everything on the stack goes to the terminal's print, or to the global one.
 */
static void print_results(Repl *r, lua_State *L)
{
    int count = lua_gettop(L);

    if (count == 0) {
        return;
    }
    luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
    if (r->terminal) {
        push_terminal(L, "print");
    } else {
        lua_getglobal(L, "print");
    }
    lua_insert(L, 1);
    if (lua_pcall(L, count, 0, 0) != LUA_OK) {
        report_message(r->host->progname, "error calling 'print' (%s)",
                       lua_tostring(L, -1));
    }
}

static void run_line(Repl *r, lua_State *L)
{
    int status = LUA_OK;

    if (!compile_expression(L) && !compile_statement(r, L, &status)) {
        return;
    }
    if (status == LUA_OK) {
        status = chunk_pcall(L, 0, LUA_MULTRET);
    }
    if (status != LUA_OK) {
        report_error(r->host, L);
    } else {
        print_results(r, L);
    }
    if (status != LUA_OK || (r->terminal && signals_deadly() == SIGINT)) {
        signals_forgive(); /* what was typed has dealt with it */
    }
}

bool repl_run(Host *host, lua_State *L)
{
    Repl r = {.host = host, .terminal = has_terminal(L)};
    const char *progname = host->progname;
    LineResult line = LINE_READ;

    host->progname = NULL;
    setvbuf(stdin, NULL, _IONBF, 0);
    while (!signals_deadly() && line != LINE_END) {
        lua_settop(L, 0);
        line = next_line(&r, L, true);
        if (line == LINE_READ) {
            run_line(&r, L);
        }
    }
    lua_settop(L, 0);
    putchar('\n');
    fflush(stdout);
    host->progname = progname;
    return !signals_deadly();
}
