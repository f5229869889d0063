/*
 * lnet.h - what the files of class aio.socket share
 *
 *   lnet.c        the class: making, closing, fields; the module aio.net.core
 *   lnetwrap.c    sockets of descriptors from elsewhere, pipes
 *   lnetaddr.c    class aio.address: addresses as values
 *   lnetwait.c    turns and readiness: the one place that parks
 *   lnetrecv.c    recv, recv_exact, try_recv
 *   lnetline.c    the input that was received ahead; recv_line
 *   lnetsend.c    send, try_send
 *   lnetmsg.c     datagrams with addresses, descriptors in messages
 *   lnetconn.c    bind, listen, connect, accept
 *   lnetlock.c    one at a time makes socket files in a folder
 *   lnetopt.c     socket options
 *   lcrossnet.c   sockets that move to another thread
 *   lnettls.c     the same data through TLS; shutdown
 *   lresolve.c    names to addresses, on threads of its own
 *
 * A socket has two sides, reading and writing.  One task at a time works on a
 * side; others wait for their turn, so that what two tasks send or receive is
 * not mixed.  A side is `ready` when the next call might not find EAGAIN; a
 * short read clears it, which saves the call that would only find EAGAIN.
 *
 * The loop's handler for the descriptor stays registered between two waits.
 * When it fires and nobody waits, the side is marked ready and no longer
 * watched.  That of a TCP connection is told of each event once (edges): so a
 * side becomes not ready only by a call that found EAGAIN, or by a short one
 * while nothing unusual was told, such as an end that may lie behind the data.
 */
#ifndef LNET_H
#define LNET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "aioctl/accept.h"
#include "lfile.h"
#include "task.h"
#include "tlsops.h"
#include "vm.h"

/* ---- lnetaddr.c --------------------------------------------------------- */

typedef struct NetAddress {
    socklen_t len; /* 0: none */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
} NetAddress;

typedef struct LuaAddress {
    AluaObject object;
    int type; /* SOCK_STREAM, ...: part of the name, "tcp:" or "udp:" */
    NetAddress net;
} LuaAddress;

enum { ADDRESS_TEXT_MAX = 160 };

extern const AluaClass address_class;

void address_push(lua_State *L, const NetAddress *net, int type);
/* "tcp:[::1]:80", "unix:/run/x", "unix:@abstract" */
void address_text(const NetAddress *net, int type, char *buf, size_t size);
/* The address object at @arg. */
const LuaAddress *address_check(lua_State *L, int arg);
extern const luaL_Reg address_functions[];

/* ---- the socket --------------------------------------------------------- */

typedef struct SockSide {
    LuaTask *waiter; /* parked until ready */
    WaitQueue turns; /* tasks that wait until the side is free */
    bool busy;       /* a task works on it */
    bool ready;      /* the next call may succeed at once */
    bool watched;    /* the loop's handler asks for it */
} SockSide;

enum { SOCK_UV_CONTEXT = 1, SOCK_UV_TLS, SOCK_UV_COUNT = SOCK_UV_TLS };
enum { SIDE_READ, SIDE_WRITE, SIDE_COUNT };

typedef struct LuaSock {
    LuaHandle handle; /* never armed: tasks wait, nothing is called */
    int fd;           /* -1: closed */
    int family;       /* AF_UNSPEC: a pipe or the like */
    int type;         /* SOCK_STREAM, ... */
    bool external;    /* receives nothing while externals are disabled */
    bool listening;
    bool plain_tcp;   /* a short read has emptied it */
    unsigned streak;  /* calls in a row that did not park */
    uint32_t unusual; /* EPOLL* that short reads may hide; see edges */
    SockSide sides[SIDE_COUNT];
    NetAddress peer; /* for messages; of a listener: its own */

    /* Bytes received and not yet asked for: input[input_at .. input_end). */
    char *input;
    size_t input_at, input_end, input_size;
    char *scratch;    /* of the VM: for one call that does not park */
    size_t line_seen; /* bytes of it that hold no end of line */

    /* The socket file that is removed on close: created by this process. */
    char *unlink_path;
    dev_t unlink_dev;
    ino_t unlink_ino;

    AioAccepted *accepted; /* listener of accepts(), else NULL */

    const TlsOps *tls;       /* NULL: plain */
    TlsContext *tls_context; /* listener: of what it accepts; user value 2 */
    TlsSession *session;
    int tls_side; /* what it wants to be ready when it says EAGAIN */
} LuaSock;

extern const AluaClass sock_class;

LuaSock *sock_check_slow(lua_State *L);
/* The open socket at argument 1. */
static inline LuaSock *sock_check(lua_State *L)
{
    LuaSock *s = lua_touserdata(L, 1);

    /* As alua_test(), without the calls. */
    if (likely(s && lua_rawlen(L, 1) >= sizeof(AluaObject) &&
               s->handle.object.cls == &sock_class && s->fd >= 0)) {
        return s;
    }
    return sock_check_slow(L);
}

/* The deadline that the timeout at @arg means; most often there is none. */
static inline int64_t sock_deadline(lua_State *L, int arg)
{
    return likely(lua_gettop(L) < arg)
               ? -1
               : task_deadline(alua_opt_timeout(L, arg));
}

/* Pushes a closed one; sock_adopt() opens it. */
LuaSock *sock_push(lua_State *L);
void sock_adopt(LuaSock *s, int fd, int family, int type);
/* Removes its socket file, if it made one, and frees the rest. */
void sock_close_fd(LuaSock *s);
void sock_describe(const LuaSock *s, char *buf, size_t size);

static inline bool sock_is_stream(const LuaSock *s)
{
    return s->type == SOCK_STREAM;
}

/* ---- lnetwait.c --------------------------------------------------------- */

/* Results of calls: >= 0, a negative errno, or one of these. */
enum {
    SOCK_LATE = -100001,      /* the deadline passed */
    SOCK_CANCELLED = -100002, /* then task_throw_cancel() */
    SOCK_CLOSED = -100003,    /* closed by another task meanwhile */
    SOCK_TAKEN = -100004,     /* the descriptor has another handler */
};

/* One use of one side of a socket by a task. */
typedef struct SockUse {
    LuaSock *sock;
    LuaTask *task;
    SockSide *side;
    int64_t deadline_ns;
} SockUse;

/*
 * sock_enter: get the turn for @side
 * Returns: 0, or why not; then there is nothing to leave.  Raises when parking
 * is not possible.
 */
int sock_enter(lua_State *L, SockUse *use, LuaSock *s, int side,
               int64_t deadline_ns);
void sock_leave(SockUse *use);

/* Park until the side may be ready: 0, or why not.  Raises nothing. */
int sock_wait(SockUse *use);

/* Park until @which side is ready, whatever side @use has (TLS). */
int sock_wait_for(SockUse *use, int which);

/* Sleep, for a retry: 0, or why not. */
int sock_pause(SockUse *use, int64_t ns);

/* External, and externals are disabled: nothing may be received now. */
bool sock_is_held_back(const LuaSock *s);

/* The loop's handler, if there is one, and whoever waits. */
void sock_unwatch(LuaSock *s);
void sock_wake_all(LuaSock *s);

/* Pushes the error triple for @ret, or raises the cancellation. */
int sock_fail(lua_State *L, LuaSock *s, int64_t ret, const char *call);

/* ---- lnetrecv.c --------------------------------------------------------- */

enum { SCRATCH_SIZE = 65536 };

/* Memory of the VM, SCRATCH_SIZE bytes; every socket has its address. */
char *sock_scratch(lua_State *L);

/* One receive of at most @n bytes without waiting, through TLS if need be;
 * clears readiness.  0: the end (streams).  -EAGAIN: nothing now. */
int64_t sock_read_some(LuaSock *s, void *base, size_t n);

/* The same, waiting until there is something. */
int64_t sock_read_wait(SockUse *use, void *base, size_t n);

extern const luaL_Reg sock_recv_methods[];

/* ---- lnetline.c --------------------------------------------------------- */

enum { INPUT_MIN = 4096 };

static inline size_t input_have(const LuaSock *s)
{
    return s->input_end - s->input_at;
}

/* Moves up to @n bytes of the input to @base. */
size_t input_take(LuaSock *s, void *base, size_t n);
void input_drop(LuaSock *s, size_t n);
/* Receives more behind what is there, at most @most bytes; as
 * sock_read_wait(). */
int64_t input_fill(SockUse *use, size_t most);
/* Raises for sockets with messages. */
void sock_check_stream(lua_State *L, const LuaSock *s);

extern const luaL_Reg sock_line_methods[];

/* ---- lnetsend.c --------------------------------------------------------- */

/* The same for sending: all of @msg's bytes (of a stream), or an error after
 * *@moved.  Messages go whole. */
int64_t sock_send_all(SockUse *use, FileSpan *span, size_t *moved);
/* From argument @arg: a string, a buffer, or a list of these. */
void sock_span(lua_State *L, int arg, FileSpan *span);

/* ---- the other files ---------------------------------------------------- */

extern const luaL_Reg sock_send_methods[];
extern const luaL_Reg sock_msg_methods[];
extern const luaL_Reg sock_conn_methods[];
extern const luaL_Reg conn_functions[];
extern const luaL_Reg wrap_functions[];
extern const luaL_Reg sock_opt_methods[];
extern const luaL_Reg sock_tls_methods[];
extern const luaL_Reg message_functions[];
extern const luaL_Reg tls_functions[];
extern const luaL_Reg resolve_functions[];
void netlock_open(lua_State *L); /* adds its function to the table on top */

/* False: no memory. */
bool tls_begin(LuaSock *s, TlsContext *context, bool server,
               const char *servername);
/* A negative errno or TLS_BROKEN; -EAGAIN: wait for what tls_wants() names. */
int64_t tls_read_some(LuaSock *s, void *base, size_t n);
int64_t tls_write_some(LuaSock *s, const void *base, size_t n);
/* Which side -EAGAIN was about. */
int tls_wants(const LuaSock *s);
/* The library's own words about the last failure, or NULL. */
const char *tls_reason(const LuaSock *s);
void tls_drop(LuaSock *s);

#endif
