/*
 * longopt.c - the long options: a row of each, and what its value does
 */
#include "host/host.h"
#include "alua.h"
#include "aioctl/context.h"
#include "aioctl/request.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ------------------------------------------------------------- */

static const char *source; /* of the value: "--fdmon" or "AIOCTL_FDMON" */

static bool bad_value(const char *value, const char *expected)
{
    report_message(HOST_NAME, "%.*s: bad value '%s' (expected %s)",
                   (int)strcspn(source, "="), source, value, expected);
    return false;
}

/* @names plus "auto", each with an optional '!'. */
static bool check_name(const char *value, const char *const *names,
                       const char *expected)
{
    char word[32];
    size_t len = strcspn(value, "!");
    Suggestion s;

    snprintf(word, sizeof(word), "%.*s", (int)len, value);
    suggest_begin(&s, word);
    suggest_offer(&s, "auto");
    bool known = strcmp(word, "auto") == 0;
    for (; *names != NULL; names++) {
        suggest_offer(&s, *names);
        known = known || strcmp(word, *names) == 0;
    }
    if (known && (value[len] == '\0' || strcmp(value + len, "!") == 0)) {
        return true;
    }
    if (suggest_best(&s) != NULL && !known) {
        report_message(HOST_NAME,
                       "%.*s: unknown name '%s' (did you mean "
                       "'%s'?)",
                       (int)strcspn(source, "="), source, value,
                       suggest_best(&s));
        return false;
    }
    return bad_value(value, expected);
}

static bool apply_fdmon(HostOptions *options, const char *value)
{
    options->fdmon = value;
    return check_name(value, aio_fdmon_names(),
                      "one of auto, io_uring, epoll, poll");
}

static bool apply_engine(HostOptions *options, const char *value)
{
    options->engine = value;
    return check_name(value, aio_engine_names(),
                      "one of auto, io_uring, linux_aio, threads");
}

static bool apply_on_error(HostOptions *options, const char *value)
{
    options->log_errors = strcmp(value, "log") == 0;
    if (!options->log_errors && strcmp(value, "exit") != 0) {
        return bad_value(value, "log or exit");
    }
    return true;
}

/* Seconds, or a number with a unit. */
static bool parse_duration(const char *value, int64_t *ns)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1},      {"s", 1},  {"ms", 1e-3}, {"us", 1e-6},
                 {"ns", 1e-9}, {"m", 60}, {"h", 3600},  {NULL, 0}};
    char *end;
    double number = strtod(value, &end);

    if (end != value && isfinite(number) && number > 0) {
        for (int i = 0; units[i].unit != NULL; i++) {
            double n = number * units[i].seconds * 1e9;
            if (strcmp(end, units[i].unit) == 0 && n >= 1 && n < 9e18) {
                *ns = (int64_t)n;
                return true;
            }
        }
    }
    return bad_value(value,
                     "seconds above 0, or a number with ns, us, ms, s, m or h");
}

static bool apply_timeout(HostOptions *options, const char *value)
{
    return parse_duration(value, &options->timeout_ns);
}

/* 0 takes back what the environment says. */
static bool apply_slow(HostOptions *options, const char *value)
{
    options->slow_ns = 0;
    return strcmp(value, "0") == 0 || parse_duration(value, &options->slow_ns);
}

static bool apply_help(HostOptions *options, const char *value)
{
    options->help = value;
    if (value[0] != '\0' && strcmp(value, "all") != 0) {
        return bad_value(value, "nothing, or all");
    }
    return true;
}

static bool apply_version(HostOptions *options, const char *value)
{
    options->long_version = true;
    return true;
}

static bool apply_stats(HostOptions *options, const char *value)
{
    options->stats = strcmp(value, "0") != 0;
    options->stats_json = strcmp(value, "json") == 0;
    if (value[0] != '\0' && !strchr("01", value[0]) && !options->stats_json) {
        return bad_value(value, "nothing, or json");
    }
    return true;
}

static bool apply_trace(HostOptions *options, const char *value)
{
    options->trace = value;
    return value[0] != '\0' || bad_value(value, "a file to write");
}

static bool apply_control(HostOptions *options, const char *value)
{
    options->control = strcmp(value, "0") != 0;
    return true;
}

static bool apply_check(HostOptions *options, const char *value)
{
    options->check = true;
    return true;
}

/* 0 takes back what the environment says. */
static bool apply_memory_limit(HostOptions *options, const char *value)
{
    int64_t size;

    if (!alua_parse_size(value, &size) || size > PTRDIFF_MAX ||
        (size != 0 && size < HOST_MEMORY_LIMIT_MIN)) {
        return bad_value(value, "a size of at least 256k, as 64M, or 0");
    }
    options->memory_limit = (size_t)size;
    return true;
}

static bool apply_glib(HostOptions *options, const char *value)
{
    options->glib = strcmp(value, "0") != 0;
    return true;
}

/* ---- the options -------------------------------------------------------- */

/* What a comment says is for the manual page, the string for --help. */
const HostLongOption host_long_options[] = {
    /**
     * How the loop waits: `auto`, `io_uring`, `epoll` or `poll`; with ! at the
     * end, or fail.
     */
    {"fdmon", "M", "AIOCTL_FDMON",
     "auto, io_uring, epoll, poll; M! refuses to fall back", false,
     apply_fdmon},
    /**
     * How files are read and written: `auto`, `io_uring`, `linux_aio` or
     * `threads`; with ! at the end, or fail.
     */
    {"engine", "E", "AIOCTL_ENGINE",
     "auto, io_uring, linux_aio, threads; E! as above", false, apply_engine},
    /**
     * End the program with status 124 after that time, a number of seconds or
     * one with `ns`, `us`, `ms`, `s`, `m` or `h`.
     */
    {"timeout", "SEC", "AIOCTL_TIMEOUT",
     "end the program after SEC seconds with status 124", false, apply_timeout},
    /**
     * What an error that nobody receives does: it is printed, and the program
     * ends (`exit`, the default) or goes on.
     */
    {"on-error", "log|exit", "AIOCTL_ON_ERROR",
     "what an error nobody receives does (default exit)", false,
     apply_on_error},
    /**
     * All Lua states of the program together may use that much memory (as
     * `64M`, at least `256k`); what would be more is the error "not enough
     * memory" of whoever asked. Buffers and stacks of tasks are not counted. 0
     * for no limit.
     */
    {"memory-limit", "SIZE", "AIOCTL_MEMORY_LIMIT",
     "what all of Lua may use together, as 64M", false, apply_memory_limit},
    /**
     * Compile the scripts named (all of them; standard input without any) and
     * the code of `-e`, and run nothing. Says what is wrong with each, and ends
     * with 1 if anything is.
     */
    {"check", NULL, NULL, "compile the scripts named and run nothing", false,
     apply_check},
    /**
     * Wait in the default main loop of GLib, of which the loop becomes a
     * source, so that modules that use GLib are called back. Loads GLib, which
     * is not needed otherwise. What GLib has to do does not keep the program
     * running.
     */
    {"glib", NULL, "AIOCTL_GLIB",
     "wait in GLib's main loop, for modules that use it", true, apply_glib},
    /**
     * Write what ran when to FILE, in the trace event format of Chrome: ticks
     * and waits of the loop, callbacks, slices of tasks, file operations in
     * flight. Open it in chrome://tracing or ui.perfetto.dev.
     */
    {"trace", "FILE", "AIOCTL_TRACE",
     "write what ran when, for ui.perfetto.dev", true, apply_trace},
    /**
     * Open a socket in `$XDG_RUNTIME_DIR` (or /tmp) on which `aioctl top` asks
     * what the program is doing. Only its owner may open it.
     */
    {"control", NULL, "AIOCTL_CONTROL",
     "open a socket, for 'aioctl top PID' to look on", true, apply_control},
    /**
     * Tell on standard error when a callback or a task holds the loop for
     * longer than that, in any thread with a loop: its name, where it was
     * created, and a traceback of where it stands. Uses the signal URG. 0 for
     * no.
     */
    {"slow", "SEC", "AIOCTL_SLOW",
     "tell what holds the loop for longer, and where", false, apply_slow},
    /**
     * Print the counters of the loop at the end, how long callbacks and tasks
     * held it and how late they were; in JSON on one line, times in
     * nanoseconds.
     */
    {"stats", "[=json]", "AIOCTL_STATS",
     "print the loop's counters and times at the end", true, apply_stats},
    /**
     * Show the versions of the program, the kernel and the libraries, the
     * monitors and the engines.
     */
    {"version", NULL, NULL, "version, kernel, fd monitors, engines, libraries",
     false, apply_version},
    /** Show the options; all of them with their environment variables. */
    {"help", "[=all]", NULL, "this text; --help=all for every option", false,
     apply_help},
    {NULL, NULL, NULL, NULL, false, NULL},
};

bool longopt_apply(const HostLongOption *option, HostOptions *options,
                   const char *from, const char *value)
{
    source = from;
    return option->apply(options, value);
}
