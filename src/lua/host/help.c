/*
 * help.c - usage, --help and --version
 *
 * The usage message after a mistake is stock lua's with one line added; --help
 * is written from the tables, so it cannot forget an option or a command.
 */
#include "host/host.h"
#include "aioctl/context.h"
#include "aioctl/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

static const char lua_options[] =
    "  -e stat   execute string 'stat'\n"
    "  -i        enter interactive mode after executing 'script'\n"
    "  -l mod    require library 'mod' into global 'mod'\n"
    "  -l g=mod  require library 'mod' into global 'g'\n"
    "  -v        show version information\n"
    "  -E        ignore environment variables\n"
    "  -W        turn warnings on\n"
    "  --        stop handling options\n"
    "  -         stop handling options and execute stdin\n";

static const char environment[] =
    "\nEnvironment:\n"
    "  LUA_INIT, LUA_PATH, LUA_CPATH   as for lua (also with _5_4)\n"
    "  AIOCTL_SCRIPTS=DIR     look for modules and commands in DIR first\n"
    "  AIOCTL_NO_IO_URING=1, AIOCTL_NO_LINUX_AIO=1\n"
    "                         behave as if the kernel refused\n";

static const char behaviour[] =
    "\nExit status: 0; 1 an error that nobody received, bad options, no "
    "script;\n3 deadlock; 124 --timeout; n after os.exit(n).  INT and TERM end "
    "the program\nby the signal itself once all is closed (the second one at "
    "once); USR1 prints\ncounters, handles and tasks.\n";

void help_usage(const char *progname)
{
    fprintf(stderr,
            "usage: %s [options] [script [args]]\n"
            "Available options are:\n%s"
            "  --help    show the long options and the commands\n",
            progname, lua_options);
}

static void print_long_options(bool all)
{
    for (const HostLongOption *o = host_long_options; o->name; o++) {
        char word[40];

        if (o->rare && !all) {
            continue;
        }
        snprintf(word, sizeof(word), "--%s%s%s", o->name,
                 o->value && o->value[0] != '[' ? " " : "",
                 o->value ? o->value : "");
        printf("  %-22s %s\n", word, o->summary);
        if (all && o->env != NULL) {
            printf("  %-22s environment: %s\n", "", o->env);
        }
    }
}

void help_print(const char *topic)
{
    bool all = topic[0] != '\0';
    char name[64];

    printf("usage: %s [options] [script [args]]\n"
           "       %s [options] command [args]\n"
           "       %s [options] -m module [args]\n\n"
           "A lua 5.4 interpreter around an event loop for storage.\n\n"
           "Options of lua:\n%s\nOptions of %s:\n",
           HOST_NAME, HOST_NAME, HOST_NAME, lua_options, HOST_NAME);
    print_long_options(all);
    if (all) {
        printf("%s", environment);
    }
    printf("\nCommands (a file of that name is run as ./NAME):\n ");
    for (size_t i = 0; search_command_name(i, name, sizeof(name)); i++) {
        printf(" %s", name);
    }
    printf("\n'%s help NAME' shows the options of one, and tells about names "
           "of the Lua\nAPI as aio.file.open; '%s help' lists them.\n",
           HOST_NAME, HOST_NAME);
    if (all) {
        printf("%s", behaviour);
    }
}

void help_lua_version(void)
{
    puts(LUA_COPYRIGHT);
    fflush(stdout);
}

/* " io_uring epoll (poll: reason)" */
static void print_probed(const char *label, const char *const *names,
                         bool (*probe)(const char *name, char **why))
{
    printf("%s:", label);
    for (; *names != NULL; names++) {
        char *why = NULL;
        if (probe(*names, &why)) {
            printf(" %s", *names);
        } else {
            printf(" (no %s: %s)", *names, why ? why : "unusable");
        }
        free(why);
    }
    printf("\n");
}

void help_version(void)
{
    struct utsname kernel;

    printf("%s %s\n", HOST_NAME, AIOCTL_VERSION);
    if (uname(&kernel) == 0) {
        printf("kernel: %s %s %s\n", kernel.sysname, kernel.release,
               kernel.machine);
    }
    print_probed("fd monitors", aio_fdmon_names(), aio_fdmon_probe);
    print_probed("engines", aio_engine_names(), aio_engine_probe);
    printf("libraries: %s%s\n", LUA_RELEASE, HOST_LIBRARIES);
}
