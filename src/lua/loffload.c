/*
 * loffload.c - aio.offload: a pure function on the thread pool
 *
 * The function and its arguments travel as a message to a worker of the
 * context's thread pool, which runs them in one of a pool of Lua states.  A
 * state belongs to one worker at a time; there are never more of them than
 * workers that were busy at once.  The result travels back.
 *
 * Nothing of the caller is used meanwhile, so a cancelled caller leaves at
 * once: a function that no worker has begun never runs, one that runs goes on
 * to its end, and its result is dropped.
 *
 * States have the standard library and modules, but no loop: aio.core there is
 * the part that needs none (buffers, clocks, histograms).
 */
#include <stdlib.h>

#include "aioctl/request.h"
#include "lfile.h"
#include "liothread.h"
#include "open.h"

enum { CACHE_MAX = 64 }; /* functions that a state keeps loaded */

typedef struct PoolState PoolState;
struct PoolState {
    lua_State *L;
    PoolState *next;
};

/* One per VM; counted by the VM and by each job. */
typedef struct OffloadPool {
    StatePlan plan;
    pthread_mutex_t lock;
    PoolState *free; /* lock; most recently used first */
} OffloadPool;

typedef struct Job {
    AioRequest request;
    OffloadPool *pool;
    LuaVM *vm;
    LuaTask *task; /* NULL: it does not wait any more */
    bool done;
    bool failed;         /* message: error, traceback */
    const char *trouble; /* no state could be had; static */
    CrossPack *message;
} Job;

static const CrossWords request_words = {
    .loopless = true, .first = "the function", .rest = "arg"};
static const CrossWords result_words = {.rest = "result"};
static const CrossWords error_words = {.first = "the error"};

/* ---- states ------------------------------------------------------------- */

/* aio.core of a state without a loop. */
static int open_bare_core(lua_State *L)
{
    lua_newtable(L);
    lclock_open(L);
    lerrno_open(L);
    lbuf_open(L);
    lhist_open(L);
    return 1;
}

/* Protected. */
static int prepare_bare(lua_State *L)
{
    luaL_requiref(L, "aio.core", open_bare_core, 0);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "aio"); /* no scripts/aio/init.lua: it is for tasks */
    return 0;
}

static PoolState *pool_state_new(const StatePlan *plan)
{
    lua_State *L = state_new(plan, NULL);
    PoolState *state = NULL;

    if (!L) {
        return NULL;
    }
    if (vm_open_bare(L, NULL)) {
        lua_pushcfunction(L, prepare_bare);
        if (lua_pcall(L, 0, 0, 0) == LUA_OK) {
            state = malloc(sizeof(*state));
        }
    }
    if (!state) {
        lua_close(L);
        return NULL;
    }
    state->L = L;
    return state;
}

static PoolState *take_state(OffloadPool *pool)
{
    pthread_mutex_lock(&pool->lock);
    PoolState *state = pool->free;
    if (state) {
        pool->free = state->next;
    }
    pthread_mutex_unlock(&pool->lock);
    return state ? state : pool_state_new(&pool->plan);
}

static void give_back(OffloadPool *pool, PoolState *state)
{
    pthread_mutex_lock(&pool->lock);
    state->next = pool->free;
    pool->free = state;
    pthread_mutex_unlock(&pool->lock);
}

/* ---- in a worker -------------------------------------------------------- */

/* Protected: job. */
static int job_call(lua_State *L)
{
    Job *job = lua_touserdata(L, 1);
    CrossPack *message = job->message;

    lua_settop(L, 0);
    job->message = NULL;
    cross_unpack(L, message);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    job->message = cross_pack(L, lua_gettop(L), &result_words);
    return 0;
}

/* error -> {error, its traceback} */
static int add_traceback(lua_State *L)
{
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    luaL_traceback(L, L, NULL, 1);
    lua_rawseti(L, -2, 2);
    return 1;
}

/* Protected: job, {error, traceback}. */
static int pack_failure(lua_State *L)
{
    Job *job = lua_touserdata(L, 1);

    lua_rawgeti(L, 2, 1);
    lua_rawgeti(L, 2, 2);
    job->message = cross_pack(L, 2, &error_words);
    return 0;
}

/* An error that cannot cross becomes its text. */
static int to_text(lua_State *L)
{
    lua_rawgeti(L, 2, 1);
    luaL_tolstring(L, -1, NULL);
    lua_rawseti(L, 2, 1);
    return pack_failure(L);
}

static bool call_with_failure(lua_State *L, lua_CFunction fn, Job *job)
{
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, job);
    lua_pushvalue(L, 2);
    bool ok = lua_pcall(L, 2, 0, 0) == LUA_OK;
    lua_settop(L, 2);
    return ok;
}

static void run_in_state(lua_State *L, Job *job)
{
    lua_pushcfunction(L, add_traceback);
    lua_pushcfunction(L, job_call);
    lua_pushlightuserdata(L, job);
    if (lua_pcall(L, 1, 0, 1) != LUA_OK) {
        job->failed = true;
        if (!lua_istable(L, 2)) { /* out of memory: no handler is called */
            job->trouble = "not enough memory";
        } else if (!call_with_failure(L, pack_failure, job) &&
                   !call_with_failure(L, to_text, job)) {
            job->trouble = "its error cannot be told";
        }
    }
    lua_settop(L, 0);
}

static int64_t job_run(void *arg)
{
    Job *job = arg;
    PoolState *state = take_state(job->pool);

    if (state) {
        run_in_state(state->L, job);
        give_back(job->pool, state);
    } else {
        job->failed = true;
        job->trouble = "not enough memory for another Lua state";
    }
    return 0;
}

/* ---- at home ------------------------------------------------------------ */

static void job_free(Job *job)
{
    cross_free(job->message);
    free(job);
}

static void job_done(AioRequest *request)
{
    Job *job = request->opaque;

    job->done = true;
    job->vm->io_in_flight--;
    if (job->task) {
        task_wake(job->task);
    } else {
        job_free(job);
    }
}

static OffloadPool *pool_of(lua_State *L, LuaVM *vm)
{
    OffloadPool *pool = vm->priv->offload;

    if (!pool) {
        state_plan_push(L);
        pool = check_calloc(1, sizeof(*pool));
        state_plan_init(L, &pool->plan);
        pthread_mutex_init(&pool->lock, NULL);
        vm->priv->offload = pool;
    }
    return pool;
}

void offload_close(LuaVM *vm)
{
    OffloadPool *pool = vm->priv->offload;

    if (!pool || vm->io_in_flight > 0) { /* a worker may still use it */
        return;
    }
    vm->priv->offload = NULL;
    while (pool->free) {
        PoolState *state = pool->free;

        pool->free = state->next;
        lua_close(state->L);
        free(state);
    }
    state_plan_free(&pool->plan);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static Job *job_new(LuaVM *vm, OffloadPool *pool, CrossPack *message,
                    LuaTask *task)
{
    Job *job = check_calloc(1, sizeof(*job));

    job->pool = pool;
    job->vm = vm;
    job->task = task;
    job->message = message;
    job->request = (AioRequest){
        .op = AIO_OP_CALL,
        .fd = -1,
        .buf_index = -1,
        .call = job_run,
        .arg = job,
        .done = job_done,
        .opaque = job,
    };
    return job;
}

/* Raises what it failed with. */
static int job_failed(lua_State *L, Job *job)
{
    CrossPack *message = job->message;

    job->message = NULL;
    if (!message) {
        lua_pushfstring(L, "aio.offload: %s",
                        job->trouble ? job->trouble
                                     : "no thread can be started");
        job_free(job);
        return lua_error(L);
    }
    job_free(job);
    lua_settop(L, 0);
    cross_unpack(L, message);
    lua_settop(L, 2);
    lua_pushfstring(L, "%s\n(in aio.offload)",
                    lua_isstring(L, 2) ? lua_tostring(L, 2) : "no traceback");
    lua_replace(L, 2);
    alua_file_traceback(L);
    alua_rethrow(L);
}

/* aio.offload(fn, ...) -> what fn returns, from a worker thread; parks */
static int offload(lua_State *L)
{
    LuaVM *vm = alua_vm(L);

    alua_check_callable(L, 1);
    LuaTask *t = task_check_can_park(L);
    AioContext *ctx = task_context(t);
    const AioEngine *engine = file_threads_engine(L, ctx);
    OffloadPool *pool = pool_of(L, vm);
    Job *job =
        job_new(vm, pool, cross_pack(L, lua_gettop(L), &request_words), t);

    vm->io_in_flight++;
    aio_request_submit(ctx, engine, &job->request);
    while (!job->done) {
        if (task_park(t, PARK_ON_WORLD, -1) == PARK_CANCELLED) {
            job->task = NULL;
            if (job->done) {
                job_free(job);
            } else {
                aio_request_cancel(&job->request);
            }
            task_throw_cancel(L, t);
        }
    }
    if (job->failed || job->request.ret < 0) {
        return job_failed(L, job);
    }
    CrossPack *message = job->message;
    job->message = NULL;
    job_free(job);
    lua_settop(L, 0);
    return cross_unpack(L, message);
}

static const luaL_Reg functions[] = {
    {"offload", offload},
    {NULL, NULL},
};

void loffload_open(lua_State *L)
{
    alua_setfuncs(L, functions);
}
