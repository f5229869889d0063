/*
 * chunk.c - running code: options, LUA_INIT, the script, commands, modules
 *
 * Every piece runs by chunk_call(): one lua_pcall() with report_handler(), so
 * that a failure is printed where it happened and the caller only learns that
 * it must stop.  Names of chunks are stock lua's ("=(command line)", "=stdin",
 * "=LUA_INIT"), for they show in messages.
 */
#include "host/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int chunk_pcall(lua_State *L, int nargs, int nresults)
{
    int function = lua_gettop(L) - nargs;

    lua_pushcfunction(L, report_handler);
    lua_insert(L, function);
    int status = lua_pcall(L, nargs, nresults, function);
    lua_remove(L, function);
    return status;
}

bool chunk_call(Host *host, lua_State *L, int nargs, int nresults)
{
    if (chunk_pcall(L, nargs, nresults) != LUA_OK) {
        report_error(host, L);
        return false;
    }
    return true;
}

/* After luaL_load*(): run what it pushed, or report why it could not. */
static bool run_loaded(Host *host, lua_State *L, int status)
{
    if (status != LUA_OK) {
        report_error(host, L);
        return false;
    }
    return chunk_call(host, L, 0, 0);
}

static bool run_string(Host *host, lua_State *L, const char *code,
                       const char *name)
{
    return run_loaded(host, L, luaL_loadbuffer(L, code, strlen(code), name));
}

bool chunk_run_file(Host *host, lua_State *L, const char *path)
{
    return run_loaded(host, L, luaL_loadfile(L, path));
}

bool chunk_run_init(Host *host, lua_State *L)
{
    const char *name = "=LUA_INIT_5_4";
    const char *init = getenv(name + 1);

    if (init == NULL) {
        name = "=LUA_INIT";
        init = getenv(name + 1);
    }
    if (init == NULL) {
        return true;
    }
    if (init[0] == '@') {
        return chunk_run_file(host, L, init + 1);
    }
    return run_string(host, L, init, name);
}

bool chunk_start_control(Host *host, lua_State *L)
{
    static const char code[] =
        "local path, message = require('aio.control').start() "
        "if not path then error('--control: ' .. message, 0) end";

    return run_string(host, L, code, "=control");
}

/* -l name, -l global=name */
static bool run_library(Host *host, lua_State *L, const char *word)
{
    const char *equals = strchr(word, '=');
    const char *module = equals ? equals + 1 : word;

    lua_pushlstring(L, word, equals ? (size_t)(equals - word) : strlen(word));
    lua_getglobal(L, "require");
    lua_pushstring(L, module);
    if (!chunk_call(host, L, 1, 1)) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushglobaltable(L);
    lua_insert(L, -3);
    lua_settable(L, -3);
    lua_pop(L, 1);
    return true;
}

bool chunk_run_options(Host *host, lua_State *L)
{
    for (int i = 1; i < host->options.script; i++) {
        const char *word = host->argv[i];
        char letter = word[0] == '-' ? word[1] : '\0';

        if (letter == 'W') {
            lua_warning(L, "@on", 0);
        }
        if (letter != 'e' && letter != 'l') {
            continue; /* values of other options never look like options */
        }
        const char *value = word[2] ? word + 2 : host->argv[++i];
        bool ok = letter == 'l' ? run_library(host, L, value)
                                : run_string(host, L, value, "=(command line)");
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* ---- arguments ---------------------------------------------------------- */

/*
 * The global `arg`: the script at 0, its arguments above, the interpreter and
 * its options below.  Without a script the interpreter itself is at 0.
 */
void chunk_create_arg(Host *host, lua_State *L)
{
    int zero = host->options.script;

    if (host->options.module != NULL) {
        zero -= 1; /* the word that names the module */
    } else if (zero == host->argc) {
        zero = 0;
    }
    lua_createtable(L, host->argc - zero, zero + 1);
    for (int i = 0; i < host->argc; i++) {
        lua_pushstring(L, host->argv[i]);
        lua_rawseti(L, -2, i - zero);
    }
    lua_setglobal(L, "arg");
}

/* What the program calls itself: arg[0]. */
static void name_program(lua_State *L, const char *name)
{
    if (lua_getglobal(L, "arg") == LUA_TTABLE) {
        lua_pushstring(L, name);
        lua_rawseti(L, -2, 0);
    }
    lua_pop(L, 1);
}

/* Pushes arg[1] ... arg[#arg]; returns how many, or -1 after reporting. */
static int push_arguments(Host *host, lua_State *L)
{
    if (lua_getglobal(L, "arg") != LUA_TTABLE) {
        report_message(host->progname, "'arg' is not a table");
        return -1;
    }
    int table = lua_gettop(L);
    int count = (int)luaL_len(L, table);
    luaL_checkstack(L, count + 3, "too many arguments to script");
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, table, i);
    }
    lua_remove(L, table);
    return count;
}

/* ---- the script --------------------------------------------------------- */

/* Runs the function on top with the arguments of the script. */
static bool run_main_function(Host *host, lua_State *L)
{
    int count = push_arguments(host, L);
    return count >= 0 && chunk_call(host, L, count, 0);
}

/* A file that cannot be opened may be a misspelt command. */
static bool explain_missing(Host *host, lua_State *L, const char *name)
{
    char buf[64];
    Suggestion s;

    suggest_begin(&s, name);
    for (size_t i = 0; search_command_name(i, buf, sizeof(buf)); i++) {
        suggest_offer(&s, buf);
    }
    if (suggest_best(&s) != NULL && strchr(name, '/') == NULL) {
        lua_pushfstring(L, "%s\n(did you mean the command '%s'?)",
                        lua_tostring(L, -1), suggest_best(&s));
        lua_remove(L, -2);
    }
    report_error(host, L);
    return false;
}

/* No text has zeros in it: another kind of file was named by mistake. */
static bool is_binary(const char *path)
{
    char head[512];
    FILE *f = path ? fopen(path, "rb") : NULL;
    size_t len = f ? fread(head, 1, sizeof(head), f) : 0;

    if (f != NULL) {
        fclose(f);
    }
    return memchr(head, '\0', len) != NULL;
}

static bool explain_syntax(Host *host, lua_State *L, const char *path)
{
    if (is_binary(path)) {
        lua_pushfstring(L, "%s\n(%s is a binary file, no Lua script)",
                        lua_tostring(L, -1), path);
        lua_remove(L, -2);
    }
    report_error(host, L);
    return false;
}

static bool run_file_script(Host *host, lua_State *L, const char *name)
{
    bool is_stdin = strcmp(name, "-") == 0 &&
                    strcmp(host->argv[host->options.script - 1], "--") != 0;
    int status = luaL_loadfile(L, is_stdin ? NULL : name);

    if (status == LUA_ERRFILE) {
        return explain_missing(host, L, name);
    }
    if (status != LUA_OK) {
        return explain_syntax(host, L, is_stdin ? NULL : name);
    }
    return run_main_function(host, L);
}

static bool run_command(Host *host, lua_State *L, const char *name)
{
    static char program[80];

    snprintf(program, sizeof(program), HOST_NAME " %s", name);
    host->progname = program;
    host->command = true;
    name_program(L, program);
    if (search_load_command(L, name) != LUA_OK) {
        report_error(host, L);
        return false;
    }
    return run_main_function(host, L);
}

/* "help COMMAND": as COMMAND --help; all else is for the command help. */
static bool run_help(Host *host, lua_State *L)
{
    const char *name = host->argv[host->options.script + 1];

    if (name == NULL || !search_is_command(name)) {
        return run_command(host, L, "help");
    }
    lua_createtable(L, 1, 0);
    lua_pushliteral(L, "--help");
    lua_rawseti(L, -2, 1);
    lua_setglobal(L, "arg");
    return run_command(host, L, name);
}

/*
 * Pushes the loader that package.searchers find for @module, then the value
 * that goes with it.  Raises what require() would say when there is none.
 */
static int find_module(lua_State *L)
{
    const char *module = luaL_checkstring(L, 1);
    luaL_Buffer tried;

    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_replace(L, 2);
    lua_settop(L, 2);
    luaL_buffinit(L, &tried);
    for (int i = 1; lua_rawgeti(L, 2, i) == LUA_TFUNCTION; i++) {
        lua_pushvalue(L, 1);
        lua_call(L, 1, 2);
        if (lua_isfunction(L, -2)) {
            return 2;
        }
        lua_pop(L, 1);
        if (lua_isstring(L, -1)) {
            luaL_addstring(&tried, "\n\t");
            luaL_addvalue(&tried);
        } else {
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
    luaL_pushresult(&tried);
    return luaL_error(L, "module '%s' not found:%s", module,
                      lua_tostring(L, -1));
}

static bool run_module(Host *host, lua_State *L, const char *module)
{
    lua_pushcfunction(L, find_module);
    lua_pushstring(L, module);
    if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
        report_error(host, L); /* a traceback would only show us */
        return false;
    }
    const char *path = lua_tostring(L, -1);
    name_program(L, path ? path : module);
    lua_pop(L, 1);
    return run_main_function(host, L);
}

bool chunk_run_script(Host *host, lua_State *L)
{
    if (host->options.module != NULL) {
        return run_module(host, L, host->options.module);
    }
    const char *name = host->argv[host->options.script];
    if (strcmp(name, "help") == 0) {
        return run_help(host, L);
    }
    if (search_is_command(name)) {
        return run_command(host, L, name);
    }
    return run_file_script(host, L, name);
}
