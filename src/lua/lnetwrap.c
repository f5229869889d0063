/*
 * lnetwrap.c - sockets of descriptors that others made, and pipes
 *
 * What a descriptor is gets asked once: its kind, its peer, and whether a short
 * read means what it does for TCP.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lcheck.h"
#include "lnet.h"

static int get_int(int fd, int option)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -errno
                                                                : value;
}

static int set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* Pipes and terminals: what does not wait for ever when it may be read. */
static int wrap_other(LuaSock *s, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode)) {
        return -ENOTSOCK;
    }
    int ret = set_nonblocking(fd);
    if (ret == 0) {
        sock_adopt(s, fd, AF_UNSPEC, SOCK_STREAM);
    }
    return ret;
}

static bool is_plain_tcp(int fd)
{
    char layer[16] = "";
    socklen_t len = sizeof(layer);

    return get_int(fd, SO_PROTOCOL) == IPPROTO_TCP &&
           getsockopt(fd, IPPROTO_TCP, TCP_ULP, layer, &len) == 0 && len == 0;
}

static int wrap_socket(LuaSock *s, int fd, int type)
{
    int ret = set_nonblocking(fd);

    if (ret < 0) {
        return ret;
    }
    sock_adopt(s, fd, get_int(fd, SO_DOMAIN), type);
    s->listening = get_int(fd, SO_ACCEPTCONN) == 1;
    s->plain_tcp = is_plain_tcp(fd);
    s->peer.len = sizeof(s->peer) - offsetof(NetAddress, any);
    ret = s->listening ? getsockname(fd, &s->peer.any, &s->peer.len)
                       : getpeername(fd, &s->peer.any, &s->peer.len);
    s->peer.len = ret < 0 ? 0 : s->peer.len;
    return 0;
}

/* core.wrap(fd) -> socket that owns the descriptor from now on */
static int core_wrap(lua_State *L)
{
    int fd = lcheck_fd(L, 1);
    LuaSock *s = sock_push(L);
    int type = get_int(fd, SO_TYPE);
    int ret = type == -ENOTSOCK ? wrap_other(s, fd)
              : type < 0        ? type
                                : wrap_socket(s, fd, type);

    if (ret < 0) {
        lua_pushfstring(L, "fd %d", fd);
        return alua_fail(L, ret, lua_tostring(L, -1), "wrap");
    }
    return 1;
}

/*
 * core.pipe(child_reads) -> socket, socket: our end, the child's
 * Each end has a file description of its own: only ours does not block.
 */
static int core_pipe(lua_State *L)
{
    int ours = lua_toboolean(L, 1) ? 1 : 0;
    LuaSock *mine = sock_push(L);
    LuaSock *childs = sock_push(L);
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        return alua_fail(L, errno, NULL, "pipe");
    }
    sock_adopt(mine, fds[ours], AF_UNSPEC, SOCK_STREAM);
    sock_adopt(childs, fds[!ours], AF_UNSPEC, SOCK_STREAM);
    int ret = set_nonblocking(fds[ours]);
    return ret < 0 ? alua_fail(L, ret, NULL, "pipe") : 2;
}

/* core.set_blocking(socket): for a child that it is handed to.  Sockets are
 * never waited in here; of a pipe this end is the child's from now on. */
static int core_set_blocking(lua_State *L)
{
    LuaSock *s = sock_check(L);
    int flags = fcntl(s->fd, F_GETFL);

    if (flags >= 0 && !s->listening) {
        fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK);
    }
    return 0;
}

const luaL_Reg wrap_functions[] = {
    {"wrap", core_wrap},
    {"pipe", core_pipe},
    {"set_blocking", core_set_blocking},
    {NULL, NULL},
};
