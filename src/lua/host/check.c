/*
 * check.c - --check: does what is named compile?
 */
#include "host/host.h"

#include <string.h>

/* After luaL_load*(). */
static bool compiled(Host *host, lua_State *L, int status)
{
    if (status != LUA_OK) {
        report_error(host, L);
        return false;
    }
    lua_pop(L, 1);
    return true;
}

static bool check_code(Host *host, lua_State *L)
{
    bool ok = true;

    for (int i = 1; i < host->options.script; i++) {
        const char *word = host->argv[i];
        if (word[0] != '-' || word[1] != 'e') {
            continue; /* values of other options never look like options */
        }
        const char *code = word[2] ? word + 2 : host->argv[++i];
        int status = luaL_loadbuffer(L, code, strlen(code), "=(command line)");
        ok = compiled(host, L, status) && ok;
    }
    return ok;
}

bool check_run(Host *host, lua_State *L)
{
    const HostOptions *options = &host->options;
    bool ok = check_code(host, L);

    for (int i = options->script; i < host->argc; i++) {
        const char *path = host->argv[i];
        bool is_stdin = strcmp(path, "-") == 0;
        int status = luaL_loadfile(L, is_stdin ? NULL : path);
        ok = compiled(host, L, status) && ok;
    }
    if (options->script == host->argc && !options->has_code) {
        ok = compiled(host, L, luaL_loadfile(L, NULL));
    }
    return ok;
}
