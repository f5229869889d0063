/*
 * main.c - the executable `aioctl`: stock lua's start and end around a loop
 *
 * main() reads the options, opens the Lua state and its VM, and runs
 * host_main() as the main task: on the main lua_State, on a C stack of its own,
 * so that a script may park anywhere.  The loop goes on until nothing is left
 * to wait for; then the state is closed and the program ends with the status,
 * or with the signal, that the script earned.
 */
#include "host/host.h"
#include "memlimit.h"
#include "slice.h"
#include "trace.h"
#include "vm.h"
#include "aioctl/context.h"
#include "aioctl/coroutine.h"
#include "qapi/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAIN_STACK_SIZE ((size_t)8 << 20)

int luaopen_aio_core(lua_State *L);

static Host the_host = {.progname = HOST_NAME};

static _Noreturn void terminate(LuaVM *vm);

/* Sets the fd monitor up: now it is known whether it is the one wanted. */
static void warn_of_fallback(AioContext *ctx)
{
    const char *used = aio_context_fdmon(ctx);
    const char *why = aio_context_fdmon_fallback(ctx);

    if (why != NULL) {
        report_message(HOST_NAME, "warning: fd monitor %s is used instead: %s",
                       used, why);
    }
}

/* Loading aio is what changes a script's world: stock lua's until then. */
static int preload_core(lua_State *L)
{
    Host *host = lua_touserdata(L, lua_upvalueindex(1));

    host->aio_loaded = true;
    signals_guard_pipe();
    warn_of_fallback(host->vm->home->ctx);
    lua_gc(L, LUA_GCINC, 0, 0, 0); /* cheaper with many tasks */
    return luaopen_aio_core(L);
}

/*
 * The world of the script.  Runs before vm_open(), which wraps functions of the
 * libraries.
 */
static int open_libraries(lua_State *L)
{
    Host *host = lua_touserdata(L, 1);

    luaL_checkversion(L);
    if (host->options.no_env) {
        lua_pushboolean(L, 1);
        lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
    }
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushlightuserdata(L, host);
    lua_pushcclosure(L, preload_core, 1);
    lua_setfield(L, -2, "aio.core");
    search_install(L, !host->options.no_env);
    cmodules_install(L);
    osexit_install(host, L);
    chunk_create_arg(host, L);
    lua_gc(L, LUA_GCGEN, 0, 0);
    return 0;
}

/* Who leaves the prompt leaves the program, whatever still runs. */
static bool run_prompt(Host *host, lua_State *L)
{
    if (!repl_run(host, L)) {
        return false;
    }
    host->vm->exit_close = true;
    vm_request_exit(host->vm, EXIT_SUCCESS);
    return true;
}

/* Without a script: -i, or what standard input is asks for. */
static bool run_stdin(Host *host, lua_State *L)
{
    if (host->options.has_code || host->options.print_version) {
        return true;
    }
    if (isatty(STDIN_FILENO)) {
        help_lua_version();
        return run_prompt(host, L);
    }
    return chunk_run_file(host, L, NULL);
}

static bool run_everything(Host *host, lua_State *L)
{
    HostOptions *options = &host->options;
    bool has_script = options->script < host->argc || options->module != NULL;

    if (options->check) {
        return check_run(host, L);
    }
    if (options->print_version) {
        help_lua_version();
    }
    if (options->control && !chunk_start_control(host, L)) {
        return false;
    }
    if (!options->no_env && !chunk_run_init(host, L)) {
        return false;
    }
    if (!chunk_run_options(host, L) ||
        (has_script && !chunk_run_script(host, L))) {
        return false;
    }
    if (options->interactive) {
        return run_prompt(host, L);
    }
    return has_script || run_stdin(host, L);
}

/* The main task; the result is the exit status. */
static int host_main(lua_State *L)
{
    Host *host = lua_touserdata(L, 1);

    bool ok = run_everything(host, L);
    if (ok) {
        signals_forgive(); /* the script chose to go on, and did */
    } else if (host->cancelled) {
        ok = true; /* whoever cancelled us knows the status */
    } else {
        host->failed = true;
        vm_request_exit(host->vm, EXIT_FAILURE);
    }
    lua_pushinteger(L, ok ? EXIT_SUCCESS : EXIT_FAILURE);
    return 1;
}

/* What the states of other threads get besides the libraries. */
static void prepare_state(lua_State *L)
{
    search_add(L);
    chunk_create_arg(&the_host, L);
}

/* ---- the process -------------------------------------------------------- */

static bool prepare(Host *host, lua_State *L)
{
    lua_pushcfunction(L, open_libraries);
    lua_pushlightuserdata(L, host);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        report_error(host, L);
        return false;
    }
    return true;
}

static bool open_vm(Host *host, lua_State *L)
{
    const HostOptions *options = &host->options;
    Error *err = NULL;

    host->vm = vm_open(L, &err);
    if (host->vm == NULL) {
        goto fail;
    }
    host->vm->default_fdmon = options->fdmon;
    host->vm->default_engine = options->engine;
    host->vm->log_errors = options->log_errors;
    host->vm->terminate = terminate;
    host->vm->prepare_state = prepare_state;
    if (options->glib) {
        host->vm->driver = glib_driver(&err);
        if (host->vm->driver == NULL) {
            vm_close(host->vm);
            goto fail;
        }
    }
    if (options->fdmon != NULL &&
        !aio_context_set_fdmon(host->vm->home->ctx, options->fdmon, &err)) {
        vm_close(host->vm);
        goto fail;
    }
    if (options->stats && !slice_set_timing(host->vm->home, true)) {
        error_setg(&err, "--stats: not enough memory");
        goto fail;
    }
    if (options->slow_ns != 0 &&
        !vm_guard_start(host->vm, options->slow_ns, &err)) {
        goto fail;
    }
    return true;

fail:
    report_message(HOST_NAME, "%s", error_get_pretty(err));
    error_free(err);
    return false;
}

static bool trace_start(Host *host)
{
    Error *err = NULL;

    if (host->options.trace && !trace_open(host->options.trace, &err)) {
        report_message(HOST_NAME, "%s", error_get_pretty(err));
        error_free(err);
        return false;
    }
    return true;
}

static void trace_finish(void)
{
    Error *err = NULL;

    if (!trace_close(&err)) {
        report_message(HOST_NAME, "%s", error_get_pretty(err));
        error_free(err);
    }
}

static bool start(Host *host, lua_State *L)
{
    int64_t timeout = host->options.timeout_ns;

    if (!prepare(host, L) || !open_vm(host, L)) {
        return false;
    }
    aio_co_install_fault_handler();
    dump_install(host->vm);
    signals_install(host);
    if (!trace_start(host)) {
        return false;
    }
    if (timeout != 0 && !signals_start_timeout(timeout)) {
        report_message(HOST_NAME, "--timeout: no timer: %s", strerror(errno));
        return false;
    }
    return true;
}

/* The status, unless a signal or the clock ended the program. */
static int finish(Host *host, lua_State *L, int status)
{
    vm_guard_stop(host->vm);
    if (host->options.stats_json) {
        dump_stats_json(host->vm);
    } else if (host->options.stats) {
        dump_stats(host->vm);
    }
    dump_uninstall();
    bool exited = host->vm->exiting && !host->failed;
    bool close = !exited || host->vm->exit_close;
    vm_close(host->vm);
    trace_finish();
    signals_release();
    if (close && host->vm->io_in_flight == 0) { /* else: still in use */
        lua_close(L);
    }
    if (signals_timed_out()) {
        report_message(HOST_NAME, "timeout: still running after %g s",
                       (double)host->options.timeout_ns / 1e9);
        return HOST_EXIT_TIMEOUT;
    }
    if (signals_deadly() && !exited) {
        fflush(NULL);
        signals_die(signals_deadly());
    }
    if (host->command && !streams_flush(host->progname)) {
        return status ? status : EXIT_FAILURE;
    }
    return status;
}

/* os.exit() in a callback: main() is further up the stack, and stays there. */
static _Noreturn void terminate(LuaVM *vm)
{
    exit(finish(&the_host, vm->main, vm->exit_code));
}

int main(int argc, char **argv)
{
    Host *host = &the_host;

    streams_open();
    memory_keep();
    host->argc = argc;
    host->argv = argv;
    if (!options_parse(host)) {
        return EXIT_FAILURE;
    }
    if (host->options.help != NULL) {
        help_print(host->options.help);
        return streams_flush(HOST_NAME) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (host->options.long_version) {
        help_version();
        return streams_flush(HOST_NAME) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    memlimit_set(host->options.memory_limit);
    lua_State *L = memlimit_newstate();
    if (L == NULL) {
        report_message(HOST_NAME, "cannot create state: not enough memory");
        return EXIT_FAILURE;
    }
    alua_keep_blocks(L);
    alua_claim_extra_space(L);
    if (!start(host, L)) {
        return EXIT_FAILURE;
    }
    int status = vm_run_main(host->vm, host_main, host, MAIN_STACK_SIZE);
    return finish(host, L, status);
}
