/*
 * lnetlock.c - one at a time makes socket files in a folder
 *
 * To replace a stale Unix socket is to look whether somebody listens, to remove
 * the file and to make a new one: two servers that do so at once would remove
 * each other's.  So whoever makes a socket file has a lock (flock) on its
 * folder from before bind() until it listens.  The lock leaves nothing behind
 * and ends with its process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lnet.h"

typedef struct FolderLock {
    AluaObject object;
    int fd_plus_1; /* 0: not locked */
} FolderLock;

static int folder_unlock(lua_State *L)
{
    FolderLock *lock = lua_touserdata(L, 1);

    if (lock->fd_plus_1) {
        close(lock->fd_plus_1 - 1);
        lock->fd_plus_1 = 0;
    }
    return 0;
}

static const luaL_Reg lock_metamethods[] = {
    {"__close", folder_unlock},
    {"__gc", folder_unlock},
    {NULL, NULL},
};

static const AluaClass lock_class = {
    .name = "aio.net.lock",
    .metamethods = lock_metamethods,
};

static void folder_of(const NetAddress *net, char *buf, size_t size)
{
    snprintf(buf, size, "%s", net->un.sun_path);
    char *slash = strrchr(buf, '/');
    if (!slash) {
        snprintf(buf, size, ".");
    } else {
        slash[slash == buf] = '\0';
    }
}

/*
 * core.lock_folder(address) -> lock, to be closed
 * nil, message, EWOULDBLOCK: somebody else has it; other errors: there can be
 * no lock.  Never waits.
 */
static int core_lock_folder(lua_State *L)
{
    const LuaAddress *a = address_check(L, 1);
    char folder[sizeof(a->net.un.sun_path) + 1];

    luaL_argcheck(L, a->net.any.sa_family == AF_UNIX, 1,
                  "the address of a Unix socket expected");
    FolderLock *lock = alua_new(L, &lock_class, sizeof(*lock), 0);
    folder_of(&a->net, folder, sizeof(folder));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return alua_fail(L, errno, folder, "open");
    }
    lock->fd_plus_1 = fd + 1;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        int err = errno;

        close(fd);
        lock->fd_plus_1 = 0;
        return alua_fail(L, err, folder, "flock");
    }
    return 1;
}

static const luaL_Reg functions[] = {
    {"lock_folder", core_lock_folder},
    {NULL, NULL},
};

void netlock_open(lua_State *L)
{
    alua_class(L, &lock_class);
    alua_setfuncs(L, functions);
}
