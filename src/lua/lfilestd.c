/*
 * lfilestd.c - standard input, output and error as files
 *
 * Their descriptors belong to the process: closing such a file leaves them
 * open.  They have no position of their own even where they are regular files:
 * it is shared with print(), and with whoever started us.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lfile.h"
#include "lwait.h"

static int push_std(lua_State *L, int fd, const char *name)
{
    AioContext *ctx = task_context(task_check_can_park(L));
    LuaFile *f = alua_new(L, &file_class, sizeof(*f), 0);
    struct stat st;

    f->fd = -1;
    f->path = strdup(name);
    if (!f->path) {
        return luaL_error(L, "not enough memory");
    }
    f->memory_align = f->offset_align = 1;
    f->borrowed = true;
    int failed = file_pick_engine(L, f, ctx, NULL);
    if (failed > 0) {
        return failed;
    }
    if (fstat(fd, &st) < 0) {
        return path_result(L, name, -errno, "open");
    }
    f->waits = file_may_wait(&st);
    f->fd = fd;
    return 1;
}

bool file_may_wait(const struct stat *st)
{
    return S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode) ||
           S_ISCHR(st->st_mode);
}

/* A thread that reads from a pipe or a terminal could not be called back, so
 * the loop waits for the data; io_uring does that by itself. */
int file_wait_readable(lua_State *L, const LuaFile *f, int64_t deadline_ns)
{
    if (!f->waits || !strcmp(aio_engine_name(f->engine), "io_uring") ||
        lwait_fd(L, f->fd, LWAIT_READ, deadline_ns)) {
        return 0;
    }
    return alua_timeout(L);
}

/**
 * file.stdin() -> File
 * file.stdout() -> File
 * file.stderr() -> File
 *
 * A file, read and written at the position that the process has; `close`
 * leaves the descriptor open. Flush `io.stdout` before you mix both.
 */
static int std_in(lua_State *L)
{
    return push_std(L, STDIN_FILENO, "stdin");
}

static int std_out(lua_State *L)
{
    return push_std(L, STDOUT_FILENO, "stdout");
}

static int std_err(lua_State *L)
{
    return push_std(L, STDERR_FILENO, "stderr");
}

const luaL_Reg file_std_functions[] = {
    {"stdin", std_in},
    {"stdout", std_out},
    {"stderr", std_err},
    {NULL, NULL},
};
