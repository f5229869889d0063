/*
 * lcrossnet.c - sockets and pipes that move to another thread
 *
 * The descriptor moves, with what was received ahead and the socket file that
 * is removed on close; the sender's socket is closed.  Only one that is at rest
 * can: no task uses it, and nobody else watches its descriptor.
 *
 * A TLS session stays where it is: its certificates belong to the sender's
 * state.
 */
#include <stdlib.h>
#include <unistd.h>

#include "lcross.h"
#include "lfdtable.h"
#include "lnet.h"

typedef struct MovedSock {
    LuaSock sock; /* fd is -1 until the message is complete */
} MovedSock;

static bool is_in_use(const LuaSock *s)
{
    for (int i = 0; i < SIDE_COUNT; i++) {
        if (s->sides[i].busy || s->sides[i].waiter || s->sides[i].turns.head) {
            return true;
        }
    }
    for (LuaContext *c = s->handle.owner->vm->contexts; c; c = c->next) {
        if (lfdtable_is_used(c, s->fd)) {
            return true;
        }
    }
    return false;
}

static void *sock_take(lua_State *L, int arg, const char **why)
{
    LuaSock *s = lua_touserdata(L, arg);
    MovedSock *moved = NULL;

    if (s->fd < 0) {
        *why = "a closed socket cannot be sent to another thread";
    } else if (s->session || s->tls_context) {
        *why = "a socket with TLS cannot be sent to another thread: send it "
               "before starttls(), or listen without tls";
    } else if (s->accepted) {
        *why = "a listener whose accepts() was used cannot be sent to another "
               "thread: the kernel may have accepted for this one; send it "
               "before";
    } else if (is_in_use(s)) {
        *why = "a socket that a task or handler waits for cannot be sent to "
               "another thread: let it end first";
    } else if (!(moved = calloc(1, sizeof(*moved)))) {
        *why = "not enough memory";
    } else {
        moved->sock.fd = -1;
    }
    return moved;
}

/* What a socket consists of, besides its place in a VM. */
static void move_parts(LuaSock *to, LuaSock *from)
{
    sock_adopt(to, from->fd, from->family, from->type);
    to->external = from->external;
    to->listening = from->listening;
    to->peer = from->peer;
    to->input = from->input;
    to->input_at = from->input_at;
    to->input_end = from->input_end;
    to->input_size = from->input_size;
    to->line_seen = from->line_seen;
    to->unlink_path = from->unlink_path;
    to->unlink_dev = from->unlink_dev;
    to->unlink_ino = from->unlink_ino;
    from->fd = -1;
    from->input = NULL;
    from->input_at = from->input_end = from->input_size = 0;
    from->unlink_path = NULL;
}

static void sock_commit(AluaObject *from, void *what)
{
    LuaSock *s = (LuaSock *)from;
    MovedSock *moved = what;

    sock_unwatch(s);
    move_parts(&moved->sock, s);
    handle_close(from->vm->main, &s->handle); /* not armed: only unlinks it */
}

static void sock_restore(AluaObject *from, void *what)
{
    LuaSock *s = (LuaSock *)from;
    MovedSock *moved = what;

    handle_link(&s->handle, from->vm->home);
    move_parts(s, &moved->sock);
    free(moved);
}

static void sock_arrive(lua_State *L, CrossObject *o)
{
    MovedSock *moved = o->what;

    cross_push_named(L, "aio.net"); /* its class, and the methods in Lua */
    lua_pop(L, 1);
    move_parts(sock_push(L), &moved->sock);
    o->what = NULL;
    free(moved);
}

static void sock_drop(void *what)
{
    MovedSock *moved = what;
    LuaSock *s = &moved->sock;

    if (s->fd >= 0) {
        sock_close_fd(s);
    }
    free(moved);
}

const CrossClass sock_cross = {
    .cls = &sock_class,
    .take = sock_take,
    .commit = sock_commit,
    .restore = sock_restore,
    .arrive = sock_arrive,
    .drop = sock_drop,
};
