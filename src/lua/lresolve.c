/*
 * lresolve.c - names to addresses, on threads of its own
 *
 * getaddrinfo() may take half a minute.  It runs on at most LOOKUPS_MAX threads
 * that do nothing else, so that no file operation waits behind it; an idle one
 * ends after a while.  A lookup cannot be interrupted: a task that gives up
 * leaves it behind, and the thread frees it.
 *
 * The rule that keeps it right: who is first to say so, under the lock, owns
 * the end.  The task abandons; or the thread is done and schedules the bottom
 * half, which exists until the task, having seen done, deletes it.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/fork.h"
#include "lnet.h"

enum {
    LOOKUPS_MAX = 4, /* threads */
    QUEUE_MAX = 1024,
    IDLE_SEC = 10,
};

typedef struct Lookup {
    struct Lookup *next;
    char *host;
    char *service; /* NULL: none */
    struct addrinfo hints;
    struct addrinfo *found;
    int status; /* EAI_* */
    int err;    /* errno, with EAI_SYSTEM */
    bool done;
    bool abandoned;
    QEMUBH *bh;
    LuaTask *task; /* home thread */
} Lookup;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    bool initialized;
    unsigned fork_count; /* a child has none of the parent's threads */
    Lookup *head, **tail;
    unsigned queued, threads, idle;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void lookup_free(Lookup *l)
{
    if (l->found) {
        freeaddrinfo(l->found);
    }
    free(l->host);
    free(l->service);
    free(l);
}

/* ---- threads ------------------------------------------------------------ */

static void lookup_run(Lookup *l)
{
    errno = 0;
    l->status = getaddrinfo(*l->host ? l->host : NULL, l->service, &l->hints,
                            &l->found);
    l->err = errno;
    pthread_mutex_lock(&pool.lock);
    if (l->abandoned) {
        lookup_free(l);
        return;
    }
    l->done = true;
    qemu_bh_schedule(l->bh); /* inside the lock: the task may free it after */
}

/* With the lock.  False: nothing came for a long time. */
static bool wait_for_work(void)
{
    struct timespec until =
        clock_timespec(clock_monotonic_ns() + IDLE_SEC * 1000000000LL);
    int ret = 0;

    pool.idle++;
    while (!pool.head && ret == 0) {
        ret = pthread_cond_timedwait(&pool.work, &pool.lock, &until);
    }
    pool.idle--;
    return pool.head;
}

static void *lookup_thread(void *unused)
{
    pthread_mutex_lock(&pool.lock);
    while (pool.head || wait_for_work()) {
        Lookup *l = pool.head;

        pool.head = l->next;
        pool.tail = pool.head ? pool.tail : &pool.head;
        pool.queued--;
        if (l->abandoned) {
            lookup_free(l);
            continue;
        }
        pthread_mutex_unlock(&pool.lock);
        lookup_run(l); /* takes the lock */
    }
    pool.threads--;
    pthread_mutex_unlock(&pool.lock);
    return unused;
}

/* With the lock.  Signals are for the threads that run loops. */
static int start_thread(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int ret = pthread_create(&thread, &attr, lookup_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    pool.threads += ret == 0;
    return ret;
}

static void pool_init(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&pool.work, &attr);
    pthread_condattr_destroy(&attr);
    pool.head = NULL;
    pool.tail = &pool.head;
    pool.queued = pool.threads = pool.idle = 0;
    pool.fork_count = fork_count;
    pool.initialized = true;
}

/* 0 or a negative errno; then @l is the caller's. */
static int pool_submit(Lookup *l)
{
    int ret = 0;

    pthread_mutex_lock(&pool.lock);
    if (!pool.initialized || pool.fork_count != fork_count) {
        pool_init();
    }
    if (pool.queued >= QUEUE_MAX) {
        ret = -EAGAIN;
    } else if (pool.queued >= pool.idle && pool.threads < LOOKUPS_MAX) {
        ret = -start_thread();
        ret = pool.threads > 0 ? 0 : ret;
    }
    if (ret == 0) {
        l->next = NULL;
        *pool.tail = l;
        pool.tail = &l->next;
        pool.queued++;
        pthread_cond_signal(&pool.work);
    }
    pthread_mutex_unlock(&pool.lock);
    return ret;
}

/* ---- the task's side ---------------------------------------------------- */

static void lookup_done(void *opaque)
{
    Lookup *l = opaque;

    task_wake(l->task);
}

static Lookup *lookup_new(const char *host, const char *service)
{
    Lookup *l = calloc(1, sizeof(*l));

    if (l) {
        l->host = strdup(host);
        l->service = service ? strdup(service) : NULL;
    }
    if (l && (!l->host || (service && !l->service))) {
        lookup_free(l);
        return NULL;
    }
    return l;
}

/* True: the thread will free it.  False: it is done after all. */
static bool lookup_abandon(Lookup *l)
{
    pthread_mutex_lock(&pool.lock);
    bool done = l->done;
    l->abandoned = !done;
    pthread_mutex_unlock(&pool.lock);
    return !done;
}

static bool lookup_is_done(Lookup *l)
{
    pthread_mutex_lock(&pool.lock);
    bool done = l->done;
    pthread_mutex_unlock(&pool.lock);
    return done;
}

/* Parks.  WOKEN: *@lookup is done; otherwise it is gone. */
static ParkResult lookup_wait(LuaTask *t, Lookup *l, int64_t deadline_ns)
{
    ParkResult why = PARK_WOKEN;

    while (why == PARK_WOKEN && !lookup_is_done(l)) {
        why = task_park(t, PARK_ON_WORLD, deadline_ns);
    }
    qemu_bh_cancel(l->bh);
    if (why == PARK_WOKEN) {
        qemu_bh_delete(l->bh);
        return why;
    }
    QEMUBH *bh = l->bh;
    if (!lookup_abandon(l)) {
        lookup_free(l);
    }
    qemu_bh_delete(bh); /* nobody schedules it any more */
    return why;
}

/* ---- results ------------------------------------------------------------ */

typedef struct Found {
    Lookup *lookup;
    int type;
} Found;

static void push_info(lua_State *L, const struct addrinfo *info, int type)
{
    NetAddress net = {.len = info->ai_addrlen};

    memcpy(&net.any, info->ai_addr, info->ai_addrlen);
    address_push(L, &net, type);
}

/* Protected: the list of addresses, in the order of getaddrinfo(). */
static int push_found(lua_State *L)
{
    const Found *f = lua_touserdata(L, 1);
    lua_Integer n = 0;

    lua_newtable(L);
    for (struct addrinfo *i = f->lookup->found; i; i = i->ai_next) {
        if (i->ai_addrlen <= sizeof(struct sockaddr_in6)) {
            push_info(L, i, f->type);
            lua_rawseti(L, -2, ++n);
        }
    }
    return 1;
}

/* Symbols of what has no errno; the numbers are the nearest ones. */
static int status_errno(const Lookup *l)
{
    switch (l->status) {
    case EAI_SYSTEM:
        return l->err;
    case EAI_AGAIN:
        return EAGAIN;
    case EAI_MEMORY:
        return ENOMEM;
    case EAI_SERVICE:
    case EAI_FAMILY:
    case EAI_SOCKTYPE:
        return EINVAL;
    default:
        return ENOENT;
    }
}

static int lookup_fail(lua_State *L, Lookup *l)
{
    int err = status_errno(l);
    const char *why =
        l->status == EAI_SYSTEM ? strerror(err) : gai_strerror(l->status);

    lua_settop(L, 1);
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s: %s (resolve)", alua_errno_name(err), why,
                    lua_tostring(L, 1));
    lua_pushinteger(L, err);
    return 3;
}

static int protected_result(lua_State *L)
{
    const Found *f = lua_touserdata(L, 2);

    if (f->lookup->status != 0) {
        return lookup_fail(L, f->lookup);
    }
    lua_pushcfunction(L, push_found);
    lua_pushvalue(L, 2);
    lua_call(L, 1, 1);
    return 1;
}

static int lookup_result(lua_State *L, Lookup *l, int type)
{
    Found found = {l, type};

    lua_settop(L, 1);
    lua_pushcfunction(L, protected_result);
    lua_pushvalue(L, 1);
    lua_pushlightuserdata(L, &found);
    int status = lua_pcall(L, 2, LUA_MULTRET, 0);
    lookup_free(l);
    return status == LUA_OK ? lua_gettop(L) - 1 : lua_error(L);
}

static int check_family(lua_State *L, int arg)
{
    static const char *const names[] = {"any", "ipv4", "ipv6", NULL};
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};

    return families[luaL_checkoption(L, arg, "any", names)];
}

/*
 * core.lookup(host, service or nil, type, family, passive [, sec]) -> {address}
 * @host: "" with @passive: every address of this machine
 */
static int core_lookup(lua_State *L)
{
    static const char *const names[] = {"stream", "datagram", NULL};
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    const char *host = luaL_checkstring(L, 1);
    const char *service = luaL_optstring(L, 2, NULL);
    int type = types[luaL_checkoption(L, 3, "stream", names)];
    struct addrinfo hints = {
        .ai_socktype = type,
        .ai_family = check_family(L, 4),
        .ai_flags = lua_toboolean(L, 5) ? AI_PASSIVE : 0,
    };
    int64_t deadline = task_deadline(alua_opt_timeout(L, 6));
    LuaTask *t = task_check_can_park(L);

    Lookup *l = lookup_new(host, service);
    if (!l) {
        return luaL_error(L, "not enough memory");
    }
    l->hints = hints;
    l->task = t;
    l->bh = aio_bh_new(task_context(t), lookup_done, l);
    int ret = pool_submit(l);
    if (ret < 0) {
        qemu_bh_delete(l->bh);
        lookup_free(l);
        return alua_fail(L, ret, host, "resolve");
    }
    ParkResult why = lookup_wait(t, l, deadline);
    if (why == PARK_CANCELLED) {
        task_throw_cancel(L, t);
    }
    return why == PARK_TIMEOUT ? alua_timeout(L) : lookup_result(L, l, type);
}

const luaL_Reg resolve_functions[] = {
    {"lookup", core_lookup},
    {NULL, NULL},
};
