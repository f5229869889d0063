/*
 * lchild.c - os.execute() and io.popen() for threads that block signals
 *
 * They do what those of the C library do, but give the child an empty signal
 * mask and default actions.  Nothing of the process is changed meanwhile:
 * system(3) would ignore INT and QUIT in all threads.
 */
#include "lchild.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Also those signals that the C library keeps to itself, which sigfillset()
 * leaves out. */
short child_reset_signals(posix_spawnattr_t *attr)
{
    sigset_t none, all;

    sigemptyset(&none);
    memset(&all, 0xff, sizeof(all));
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &all);
    return POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
}

/* A shell that runs @command, with @from as its descriptor @to (-1: neither).
 * Returns its pid or a negative errno. */
static pid_t shell_start(const char *command, int from, int to)
{
    char *argv[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    pid_t pid = 0;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, child_reset_signals(&attr));
    if (from >= 0) {
        posix_spawn_file_actions_adddup2(&actions, from, to);
    }
    int ret = posix_spawn(&pid, "/bin/sh", &actions, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return ret ? -ret : pid;
}

/* Its status as waitpid() tells it, or -1; errno is 0 or why. */
static int shell_wait(pid_t pid)
{
    int status, ret;

    do { /* ends: a signal interrupts one wait */
        ret = waitpid(pid, &status, 0);
    } while (ret < 0 && errno == EINTR);
    errno = ret < 0 ? errno : 0; /* luaL_execresult() looks at it */
    return ret < 0 ? -1 : status;
}

/* os.execute([command]) */
static int child_execute(lua_State *L)
{
    const char *command = luaL_optstring(L, 1, NULL);

    if (!command) {
        lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
        return 1;
    }
    pid_t pid = shell_start(command, -1, -1);
    if (pid < 0) {
        errno = -pid;
        return luaL_fileresult(L, 0, NULL);
    }
    return luaL_execresult(L, shell_wait(pid));
}

/* ---- io.popen() --------------------------------------------------------- */

typedef struct ChildStream {
    luaL_Stream stream; /* first: it is a file to the library io */
    pid_t pid;
} ChildStream;

static int stream_close(lua_State *L)
{
    ChildStream *s = luaL_checkudata(L, 1, LUA_FILEHANDLE);

    fclose(s->stream.f);
    return luaL_execresult(L, shell_wait(s->pid));
}

/* A negative errno, or 0 with the stream open. */
static int stream_open(ChildStream *s, const char *command, int reads)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        return -errno;
    }
    int ours = fds[!reads], childs = fds[reads];
    s->pid = shell_start(command, childs, reads); /* 1 it writes, 0 it reads */
    close(childs);
    int err = s->pid < 0 ? s->pid : 0;
    if (err == 0 && !(s->stream.f = fdopen(ours, reads ? "r" : "w"))) {
        err = -errno;
        kill(s->pid, SIGKILL);
        shell_wait(s->pid);
    }
    if (err < 0) {
        close(ours);
        return err;
    }
    s->stream.closef = stream_close;
    return 0;
}

/* io.popen(command [, "r" | "w"]) */
static int child_popen(lua_State *L)
{
    const char *command = luaL_checkstring(L, 1);
    const char *mode = luaL_optstring(L, 2, "r");

    luaL_argcheck(L, (mode[0] == 'r' || mode[0] == 'w') && mode[1] == '\0', 2,
                  "invalid mode");
    ChildStream *s = lua_newuserdatauv(L, sizeof(*s), 0);
    s->stream.closef = NULL; /* closed, should anything go wrong */
    luaL_setmetatable(L, LUA_FILEHANDLE);
    fflush(NULL);
    int ret = stream_open(s, command, mode[0] == 'r');
    if (ret < 0) {
        errno = -ret;
        return luaL_fileresult(L, 0, command);
    }
    return 1;
}

static void replace(lua_State *L, const char *library, const char *name,
                    lua_CFunction fn)
{
    lua_getglobal(L, library);
    lua_pushcfunction(L, fn);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void child_install(lua_State *L)
{
    replace(L, LUA_OSLIBNAME, "execute", child_execute);
    replace(L, LUA_IOLIBNAME, "popen", child_popen);
}
