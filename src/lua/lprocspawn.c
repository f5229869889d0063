/*
 * lprocspawn.c - how a child is started
 *
 * posix_spawn() on the thread pool: the parent of a vfork stands still until
 * the exec, and that may wait for a disk.  The child gets descriptors 0 to 2
 * and no others, no blocked and no ignored signals.
 *
 * The object is armed before: once the child runs nothing can fail any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lcheck.h"
#include "lchild.h"
#include "lfile.h"
#include "lproc.h"

typedef struct SpawnCall {
    char *const *argv;
    char *const *env; /* NULL: ours */
    const char *cwd;  /* NULL: ours */
    int fds[3];       /* duplicates of ours from 3 up; -1: inherit */
    bool group, session;

    LuaProc *proc; /* armed already: nothing can fail once the child runs */
    lua_State *L;

    pid_t pid;
    int pidfd;
    bool cwd_is_wrong;
} SpawnCall;

static void add_descriptors(const SpawnCall *call,
                            posix_spawn_file_actions_t *actions)
{
    for (int i = 0; i < 3; i++) {
        if (call->fds[i] >= 0) {
            posix_spawn_file_actions_adddup2(actions, call->fds[i], i);
        } else if (lcheck_fd_is_open(i)) {
            posix_spawn_file_actions_adddup2(actions, i, i); /* no CLOEXEC */
        } else {
            posix_spawn_file_actions_addopen(actions, i, "/dev/null", O_RDWR,
                                             0);
        }
    }
    posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (call->cwd) {
        posix_spawn_file_actions_addchdir_np(actions, call->cwd);
    }
}

static void set_attributes(const SpawnCall *call, posix_spawnattr_t *attr)
{
    short flags = child_reset_signals(attr);

    if (call->session) {
        flags |= POSIX_SPAWN_SETSID;
    } else if (call->group) {
        flags |= POSIX_SPAWN_SETPGROUP;
        posix_spawnattr_setpgroup(attr, 0);
    }
    posix_spawnattr_setflags(attr, flags);
}

static int spawn_child(SpawnCall *call)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;

    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    add_descriptors(call, &actions);
    set_attributes(call, &attr);
    int ret = posix_spawnp(&call->pid, call->argv[0], &actions, &attr,
                           call->argv, call->env ? call->env : environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return -ret;
}

static int64_t spawn_call(void *arg)
{
    SpawnCall *call = arg;
    int ret = spawn_child(call);

    if (ret < 0) {
        call->pid = 0;
        call->cwd_is_wrong = call->cwd && access(call->cwd, X_OK) < 0;
        return ret;
    }
    call->pidfd = (int)syscall(SYS_pidfd_open, call->pid, 0);
    if (call->pidfd < 0) { /* Linux < 5.3, or no descriptor left */
        ret = -errno;
        kill(call->pid, SIGKILL);
        waitpid(call->pid, NULL, 0);
        call->pid = 0;
    }
    return ret;
}

static void close_duplicates(SpawnCall *call)
{
    for (int i = 0; i < 3; i++) {
        if (call->fds[i] >= 0) {
            close(call->fds[i]);
        }
    }
}

/* The task was cancelled while the child started: nobody would know of it. */
static void spawn_undo(void *arg)
{
    SpawnCall *call = arg;

    close_duplicates(call);
    handle_close(call->L, &call->proc->handle);
    if (call->pid > 0) {
        kill(call->pid, SIGKILL);
        waitpid(call->pid, NULL, 0);
        close(call->pidfd);
    }
}

/* Pushes a block that holds the strings of the list at @index. */
static char **pack_strings(lua_State *L, int index, const char *what)
{
    lua_Integer n = luaL_len(L, index);
    size_t bytes = 0, len;

    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, index, i);
        const char *s = lua_tolstring(L, -1, &len);
        if (!s || strlen(s) != len) {
            luaL_error(L, "%s %d: a string without zeros expected, got %s",
                       what, (int)i, luaL_typename(L, -1));
        }
        bytes += len + 1;
        lua_pop(L, 1);
    }
    size_t table = (size_t)(n + 1) * sizeof(char *);
    char **list = lua_newuserdatauv(L, table + bytes, 0);
    char *to = (char *)list + table;
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, index, i);
        const char *s = lua_tolstring(L, -1, &len);
        list[i - 1] = memcpy(to, s, len + 1);
        to += len + 1;
        lua_pop(L, 1);
    }
    list[n] = NULL;
    return list;
}

static bool get_flag(lua_State *L, const char *key)
{
    bool flag = lua_getfield(L, 1, key) != LUA_TNIL && lua_toboolean(L, -1);

    lua_pop(L, 1);
    return flag;
}

/* Duplicates, so that no descriptor is in the way of another's number. */
static int take_descriptors(lua_State *L, SpawnCall *call)
{
    int fds[3] = {-1, -1, -1};

    for (int i = 0; i < 3; i++) {
        if (lua_geti(L, 1, i) != LUA_TNIL) {
            fds[i] = lcheck_fd(L, lua_gettop(L));
        }
        lua_pop(L, 1);
    }
    task_check_can_park(L); /* the last thing that may raise */
    for (int i = 0; i < 3; i++) {
        call->fds[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
        if (fds[i] >= 0 && call->fds[i] < 0) {
            int err = errno;
            close_duplicates(call);
            return -err;
        }
    }
    return 0;
}

static int spawn_fail(lua_State *L, const SpawnCall *call, int64_t ret)
{
    if (call->cwd_is_wrong) {
        return alua_fail(L, (int)-ret, call->cwd, "spawn: cwd");
    }
    if (ret == -ENOSYS) {
        return alua_fail(L, ENOSYS,
                         "children need pidfd_open of Linux 5.3 or newer",
                         "spawn");
    }
    return alua_fail(L, (int)-ret, call->argv[0], "spawn");
}

/*
 * core.spawn{argv=, env=, cwd=, [0]=fd, [1]=fd, [2]=fd, group=, session=}
 * -> process.  A descriptor that is not given is inherited.
 */
int proc_spawn(lua_State *L)
{
    SpawnCall call = {.fds = {-1, -1, -1}, .pidfd = -1};

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "argv"); /* at 2 */
    call.argv = pack_strings(L, 2, "argument");
    luaL_argcheck(L, call.argv[0], 1, "the name of a program expected");
    if (lua_getfield(L, 1, "env") != LUA_TNIL) { /* at 4 */
        call.env = pack_strings(L, 4, "environment variable");
    }
    lua_getfield(L, 1, "cwd");
    call.cwd = luaL_optstring(L, -1, NULL);
    call.group = get_flag(L, "group");
    call.session = get_flag(L, "session");
    LuaProc *p = proc_push(L);
    int index = lua_gettop(L);
    call.proc = p;
    call.L = L;
    int64_t ret = take_descriptors(L, &call);
    if (ret == 0) {
        handle_arm(L, &p->handle, index);
        ret = file_call(L, NULL, spawn_call, &call, spawn_undo);
        close_duplicates(&call);
    }
    if (ret < 0) {
        handle_close(L, &p->handle);
        return spawn_fail(L, &call, ret);
    }
    p->group = call.group || call.session;
    proc_started(p, call.pid, call.pidfd);
    lua_settop(L, index);
    return 1;
}
