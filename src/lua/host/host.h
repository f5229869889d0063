/*
 * host.h - the parts of the executable `aioctl`, and what they share
 *
 * main.c      opens the Lua state, runs host_main() as the main task, exits
 * options.c   the command line and its environment twins -> HostOptions
 * longopt.c   the long options, and what their values do
 * help.c      --help, --version, the usage message
 * chunk.c     running code: -e, -l, LUA_INIT, the script, commands, -m
 * check.c     --check
 * report.c    error messages the way stock lua prints them
 * repl.c      -i
 * search.c    modules and commands that are part of the executable
 * cmodules.c  modules that are shared objects beside the executable
 * signals.c   INT, TERM, PIPE, USR1 and --timeout
 * osexit.c    os.exit() that leaves through the loop
 * streams.c   standard streams that are closed or full
 * glib.c      --glib: GLib's default loop drives ours
 * dump.c      what USR1 and --stats print
 *
 * Without long options the executable behaves as Debian's lua5.4 does, message
 * for message; spec/lua/host_spec.lua runs both side by side.
 */
#ifndef HOST_H
#define HOST_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "suggest.h"

#define HOST_NAME "aioctl"
#define HOST_EXIT_TIMEOUT 124
#define HOST_MEMORY_LIMIT_MIN (256 * 1024) /* what starting takes, and some */

typedef struct Error Error;
typedef struct LoopDriver LoopDriver;
typedef struct LuaVM LuaVM;

/* ---- options.c ---------------------------------------------------------- */

typedef struct HostOptions {
    bool print_version; /* -v, or implied by -i */
    bool interactive;   /* -i */
    bool no_env;        /* -E */
    bool has_code;      /* -e was given */
    int script;         /* index in argv; argc when there is none */
    const char *module; /* -m NAME */

    const char *help; /* "", or "all" */
    bool long_version;
    const char *fdmon;
    const char *engine;
    bool log_errors;    /* --on-error=log */
    int64_t timeout_ns; /* 0: none */
    const char *trace;  /* file, or NULL */
    bool control;
    bool stats;
    bool stats_json;
    int64_t slow_ns; /* 0: do not watch */
    bool glib;
    bool check;          /* compile only */
    size_t memory_limit; /* bytes of Lua's memory; 0: none */
} HostOptions;

typedef struct Host {
    int argc;
    char **argv;
    const char *progname; /* before messages; NULL in the REPL */
    HostOptions options;
    LuaVM *vm;
    bool aio_loaded; /* some script has loaded aio.core */
    bool command;    /* what runs is a command, not a script */
    bool failed;     /* the main chunk ended with an error */
    bool cancelled;  /* ... or because something else is ending the program */
} Host;

/* One long option.  @apply returns false after printing what is wrong. */
typedef struct HostLongOption {
    const char *name;  /* without the dashes */
    const char *value; /* what the help calls it; NULL: takes none; "[=x]":
                          only as --name=x */
    const char *env;   /* the environment twin, or NULL */
    const char *summary;
    bool rare; /* only in --help=all */
    bool (*apply)(HostOptions *options, const char *value);
} HostLongOption;

/*
 * options_parse: fill in host->options from argv and, without -E, from the
 * environment.  Returns false after printing what is wrong.
 */
bool options_parse(Host *host);

/* ---- longopt.c ---------------------------------------------------------- */

extern const HostLongOption host_long_options[]; /* ended by a NULL name */

/* @from: where @value was given, "--fdmon=x" or "AIOCTL_FDMON", for messages.
 * Returns false after printing what is wrong. */
bool longopt_apply(const HostLongOption *option, HostOptions *options,
                   const char *from, const char *value);

/* ---- help.c ------------------------------------------------------------- */

void help_usage(const char *progname); /* short, to stderr, after a mistake */
void help_print(const char *topic);    /* --help[=all], to stdout */
void help_version(void);               /* --version, to stdout */
void help_lua_version(void);           /* -v, to stdout */

/* ---- chunk.c ------------------------------------------------------------ */

/* Call the function below @nargs arguments; reports an error when it fails. */
bool chunk_call(Host *host, lua_State *L, int nargs, int nresults);

/* As above, but leaves the message on the stack: for the REPL. */
int chunk_pcall(lua_State *L, int nargs, int nresults);

void chunk_create_arg(Host *host, lua_State *L); /* the global `arg` */
/* --control: the socket that `aioctl top` asks. */
bool chunk_start_control(Host *host, lua_State *L);
bool chunk_run_init(Host *host, lua_State *L);    /* LUA_INIT */
bool chunk_run_options(Host *host, lua_State *L); /* -e, -l, -W, in order */
bool chunk_run_script(Host *host, lua_State *L);  /* script, command or -m */
bool chunk_run_file(Host *host, lua_State *L,
                    const char *path); /* NULL: stdin */

/* ---- check.c ------------------------------------------------------------ */

/* Compiles -e and the scripts named, or standard input; reports all that is
 * wrong. */
bool check_run(Host *host, lua_State *L);

/* ---- report.c ----------------------------------------------------------- */

/* Message handler of lua_pcall(): adds the traceback. */
int report_handler(lua_State *L);

/* Prints and pops the message on top of the stack.  A cancellation that no
 * signal asked for is no error: it only sets host->cancelled. */
void report_error(Host *host, lua_State *L);

/* "aioctl: ..." and a newline to stderr. */
void report_message(const char *progname, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- repl.c ------------------------------------------------------------- */

/* Returns false when a signal ended it. */
bool repl_run(Host *host, lua_State *L);

/* ---- search.c ----------------------------------------------------------- */

/* Puts the searcher after package.preload's. @use_env: obey AIOCTL_SCRIPTS. */
void search_install(lua_State *L, bool use_env);
/* The searcher alone, for the states of other threads. */
void search_add(lua_State *L);

/* cmodules.c: finds aio.tls and the like; after search_install(). */
void cmodules_install(lua_State *L);

/* Pushes the compiled command @name; LUA_ERRFILE (nothing pushed) when there is
 * none, another error code with its message pushed when it does not compile. */
int search_load_command(lua_State *L, const char *name);

bool search_is_command(const char *name);

/* Name of the @index-th command, NULL after the last. */
const char *search_command_name(size_t index, char *buf, size_t size);

/* ---- signals.c ---------------------------------------------------------- */

#define HOST_TIMEOUT_GRACE_SEC 2 /* to unwind in after --timeout */

void signals_install(Host *host);
void signals_release(void);    /* nothing is left that could unwind */
void signals_guard_pipe(void); /* from now on EPIPE is an error, not a death */
bool signals_start_timeout(int64_t ns);
bool signals_timed_out(void);
int signals_deadly(void);   /* the INT or TERM that is ending us, else 0 */
void signals_forgive(void); /* it was dealt with; watch for the next one */
_Noreturn void signals_die(int sig);

/* ---- memory.c ----------------------------------------------------------- */

void memory_keep(void); /* before any is used */

/* ---- dump.c ------------------------------------------------------------- */

void dump_install(LuaVM *vm);
void dump_uninstall(void);
void dump_request(void); /* from a signal handler */
void dump_stats(LuaVM *vm);
void dump_stats_json(LuaVM *vm);

/* ---- streams.c ---------------------------------------------------------- */

void streams_open(void); /* before any descriptor is made */
/* Is all on stdout written?  Otherwise says so, in the name of @progname. */
bool streams_flush(const char *progname);

/* ---- glib.c ------------------------------------------------------------- */

/* Loads GLib.  NULL with @errp set, which says how to get it. */
const LoopDriver *glib_driver(Error **errp);

/* ---- osexit.c ----------------------------------------------------------- */

void osexit_install(Host *host, lua_State *L);

#endif
