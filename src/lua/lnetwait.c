/*
 * lnetwait.c - turns and readiness: how a task waits for its socket
 *
 * The task that has the turn for a side parks in sock_wait() until the loop's
 * handler marks the side ready.  Everything that ends a wait early (deadline,
 * cancel, close by another task) is told by the result; the caller leaves the
 * side and then reports, because nothing may raise while it has the turn.
 */
#include <errno.h>
#include <string.h>

#include "aioctl/context.h"
#include "block/aio.h"
#include "lfdtable.h"
#include "lnet.h"
#include "task_private.h"

enum {
    STREAK_MAX = 64, /* calls that need not wait before others get their turn */
    RETRY_NS = 1000000,
};

/* ---- the loop's handler ------------------------------------------------- */

static void sock_on_read(void *opaque);
static void sock_on_write(void *opaque);

/*
 * Not Unix sockets: a read ends between two writers, or before a descriptor,
 * however much there is; nor SCTP, or TLS in the kernel.  Nor listeners, which
 * are left before they are empty.
 */
static bool knows_what_it_leaves(const LuaSock *s)
{
    return s->plain_tcp && !s->listening && !s->session;
}

static void watch_update(LuaSock *s)
{
    bool reads = s->sides[SIDE_READ].watched;
    bool writes = s->sides[SIDE_WRITE].watched;

    /* What was begun goes out also while externals are disabled. */
    bool external = s->external && !writes;
    IOHandler *on_read = reads ? sock_on_read : NULL;
    IOHandler *on_write = writes ? sock_on_write : NULL;

    if (s->accepted) {
        aio_set_fd_acceptor(s->handle.owner->ctx, s->fd, external, on_read,
                            s->accepted, s);
    } else if (knows_what_it_leaves(s)) {
        aio_set_fd_edges(s->handle.owner->ctx, s->fd, external, on_read,
                         on_write, &s->unusual, s);
    } else {
        aio_set_fd_handler(s->handle.owner->ctx, s->fd, external, on_read,
                           on_write, NULL, NULL, s);
    }
    if (!reads && !writes) {
        lfdtable_drop(s->handle.owner, s->fd);
    }
}

static void side_fired(LuaSock *s, int which)
{
    SockSide *side = &s->sides[which];

    side->ready = true;
    if (side->waiter) {
        task_wake(side->waiter);
    } else {
        side->watched = false;
        watch_update(s);
    }
}

static void sock_on_read(void *opaque)
{
    side_fired(opaque, SIDE_READ);
}

static void sock_on_write(void *opaque)
{
    side_fired(opaque, SIDE_WRITE);
}

/* Somebody else wants the descriptor: gone, unless tasks wait. */
static bool sock_yield_fd(void *opaque)
{
    LuaSock *s = opaque;

    if (s->sides[SIDE_READ].waiter || s->sides[SIDE_WRITE].waiter) {
        return false;
    }
    sock_unwatch(s);
    return true;
}

void sock_unwatch(LuaSock *s)
{
    bool watched = false;

    for (int i = 0; i < SIDE_COUNT; i++) {
        watched |= s->sides[i].watched;
        s->sides[i].watched = false;
        s->sides[i].ready = true; /* unknown: the next call finds out */
    }
    if (watched) {
        watch_update(s);
    }
}

static int side_watch(LuaSock *s, SockSide *side)
{
    LuaContext *owner = s->handle.owner;
    bool first = !s->sides[SIDE_READ].watched && !s->sides[SIDE_WRITE].watched;

    if (first && !lfdtable_claim_shy(owner, s->fd, sock_yield_fd, s)) {
        return SOCK_TAKEN;
    }
    side->watched = true;
    watch_update(s);
    return 0;
}

/* ---- waiting ------------------------------------------------------------ */

static int outcome(const LuaSock *s, ParkResult why, bool ready)
{
    if (why == PARK_CANCELLED) {
        return SOCK_CANCELLED;
    }
    if (s->fd < 0) {
        return SOCK_CLOSED;
    }
    return ready ? 0 : SOCK_LATE;
}

int sock_pause(SockUse *use, int64_t ns)
{
    int64_t until = task_deadline(ns);
    bool last = use->deadline_ns >= 0 && use->deadline_ns < until;
    ParkResult why;

    do {
        why = task_park(use->task, PARK_ON_WORLD,
                        last ? use->deadline_ns : until);
    } while (why == PARK_WOKEN && use->sock->fd >= 0);
    return outcome(use->sock, why, !last);
}

int sock_wait_for(SockUse *use, int which)
{
    LuaSock *s = use->sock;
    SockSide *side = &s->sides[which];
    ParkResult why = PARK_WOKEN;

    if (unlikely(side->waiter)) {
        return sock_pause(use, RETRY_NS); /* TLS: reader and writer both */
    }
    side->ready = false;
    if (!side->watched) {
        int ret = side_watch(s, side);
        if (ret < 0) {
            return ret;
        }
    }
    s->streak = 0;
    side->waiter = use->task;
    while (!side->ready && s->fd >= 0 && why == PARK_WOKEN) {
        why = task_park(use->task, PARK_ON_WORLD, use->deadline_ns);
    }
    side->waiter = NULL;
    return outcome(s, why, side->ready);
}

int sock_wait(SockUse *use)
{
    return sock_wait_for(use, use->side == &use->sock->sides[SIDE_WRITE]);
}

bool sock_is_held_back(const LuaSock *s)
{
    return s->external && aio_external_disabled(s->handle.owner->ctx);
}

/* ---- turns -------------------------------------------------------------- */

static int wait_turn(SockUse *use)
{
    Waiter w = {0};
    ParkResult why =
        waitq_wait(&use->side->turns, &w, use->task, use->deadline_ns);

    if (why == PARK_WOKEN && use->sock->fd < 0) {
        sock_leave(use);
        return SOCK_CLOSED;
    }
    return outcome(use->sock, why, why == PARK_WOKEN);
}

int sock_enter(lua_State *L, SockUse *use, LuaSock *s, int side,
               int64_t deadline_ns)
{
    LuaTask *t = task_check_can_park(L);

    if (unlikely(++s->streak >= STREAK_MAX)) {
        s->streak = 0;
        task_yield(L, t);
        if (s->fd < 0) {
            return SOCK_CLOSED;
        }
    }
    *use = (SockUse){
        .sock = s,
        .task = t,
        .side = &s->sides[side],
        .deadline_ns = deadline_ns,
    };
    if (unlikely(use->side->busy)) {
        return wait_turn(use);
    }
    use->side->busy = true;
    return 0;
}

void sock_leave(SockUse *use)
{
    /* The turn goes to whoever is woken: busy stays set. */
    if (likely(!use->side->turns.head) || !waitq_wake_one(&use->side->turns)) {
        use->side->busy = false;
    }
}

void sock_wake_all(LuaSock *s)
{
    for (int i = 0; i < SIDE_COUNT; i++) {
        if (s->sides[i].waiter) {
            task_wake(s->sides[i].waiter);
        }
    }
}

/* ---- results ------------------------------------------------------------ */

int sock_fail(lua_State *L, LuaSock *s, int64_t ret, const char *call)
{
    char what[ADDRESS_TEXT_MAX + 64];

    if (ret == SOCK_CANCELLED) {
        task_throw_cancel(L, task_on_this_stack());
    }
    if (ret == SOCK_LATE) {
        return alua_timeout(L);
    }
    if (ret == SOCK_TAKEN) {
        lfdtable_check(L, s->handle.owner, s->fd, false);
        return luaL_error(L, "not enough memory to watch fd %d", s->fd);
    }
    sock_describe(s, what, sizeof(what));
    if (ret == SOCK_CLOSED) {
        strncat(what, ": closed meanwhile", sizeof(what) - strlen(what) - 1);
        return alua_fail(L, ECANCELED, what, call);
    }
    if (ret == TLS_BROKEN || (s->session && ret == -EPROTO)) {
        const char *reason = tls_reason(s);
        lua_pushfstring(L, "%s: %s", what, reason ? reason : "TLS failed");
        return alua_fail(L, EPROTO, lua_tostring(L, -1), call);
    }
    return alua_fail(L, (int)-ret, what, call);
}
