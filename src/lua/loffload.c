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

enum { SPARES_MAX = 64 }; /* jobs, and as many messages, kept for later */

typedef struct PoolState PoolState;
struct PoolState {
    lua_State *L;
    PoolState *next;
};

typedef struct Job Job;

/* One per VM. */
typedef struct OffloadPool {
    StatePlan plan;
    pthread_mutex_t lock;
    PoolState *free; /* lock; most recently used first */
    /* At home. */
    Job *spare_jobs;
    CrossPack *spare_messages;
    unsigned njobs, nmessages; /* spare ones */
    const AioEngine *threads;
} OffloadPool;

struct Job {
    AioRequest request;
    OffloadPool *pool;
    Job *next_spare;
    LuaVM *vm;
    LuaTask *task; /* NULL: it does not wait any more */
    bool done;
    bool failed;         /* message: error, traceback */
    const char *trouble; /* failed otherwise; static */
    CrossPack *message;  /* the function and its arguments; then the results */
};

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
    lua_settop(L, 0);
    lua_pushcfunction(L, add_traceback);
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

/* Protected: job.  The message stays the job's throughout: results go into its
 * memory if they fit. */
static int job_call(lua_State *L)
{
    Job *job = lua_touserdata(L, 1);

    lua_settop(L, 0);
    lua_call(L, cross_unpack_kept(L, job->message) - 1, LUA_MULTRET);
    job->message =
        cross_pack_into(L, lua_gettop(L), &result_words, job->message);
    return 0;
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

/* The error handler is at 1, and stays there. */
static void run_in_state(lua_State *L, Job *job)
{
    lua_pushcfunction(L, job_call);
    lua_pushlightuserdata(L, job);
    if (lua_pcall(L, 1, 0, 1) != LUA_OK) {
        job->failed = true;
        cross_free(job->message);
        job->message = NULL;
        if (!lua_istable(L, 2)) { /* out of memory: no handler is called */
            job->trouble = "not enough memory";
        } else if (!call_with_failure(L, pack_failure, job) &&
                   !call_with_failure(L, to_text, job)) {
            job->trouble = "its error cannot be told";
        }
    }
    lua_settop(L, 1);
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

static void keep_message(OffloadPool *pool, CrossPack *message)
{
    if (message->size > CROSS_FIRST_SIZE || pool->nmessages == SPARES_MAX) {
        cross_free(message);
        return;
    }
    cross_reset(message);
    message->next_spare = pool->spare_messages;
    pool->spare_messages = message;
    pool->nmessages++;
}

static CrossPack *take_message(OffloadPool *pool)
{
    CrossPack *message = pool->spare_messages;

    if (message) {
        pool->spare_messages = message->next_spare;
        pool->nmessages--;
    }
    return message;
}

static Job *take_job(OffloadPool *pool)
{
    Job *job = pool->spare_jobs;

    if (!job) {
        return check_malloc(sizeof(*job));
    }
    pool->spare_jobs = job->next_spare;
    pool->njobs--;
    return job;
}

/* Nobody needs it any more. */
static void job_end(Job *job)
{
    OffloadPool *pool = job->pool;

    if (job->message) {
        keep_message(pool, job->message);
    }
    if (pool->njobs == SPARES_MAX) {
        free(job);
        return;
    }
    job->next_spare = pool->spare_jobs;
    pool->spare_jobs = job;
    pool->njobs++;
}

static void job_done(AioRequest *request)
{
    Job *job = request->opaque;

    job->done = true;
    job->vm->io_in_flight--;
    if (job->task) {
        task_wake(job->task);
    } else {
        job_end(job);
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
    while (pool->spare_jobs) {
        free(take_job(pool));
    }
    while (pool->spare_messages) {
        cross_free(take_message(pool));
    }
    state_plan_free(&pool->plan);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* The function and its arguments are on @L; raises what cannot be sent. */
static Job *job_new(lua_State *L, OffloadPool *pool, LuaTask *task)
{
    CrossPack *spare = take_message(pool);
    int count = lua_gettop(L);
    CrossPack *message = cross_pack_plain(L, count, spare);

    if (!message) {
        if (spare) {
            keep_message(pool, spare);
        }
        message = cross_pack(L, count, &request_words);
    }
    Job *job = take_job(pool);
    *job = (Job){
        .pool = pool,
        .vm = task->vm,
        .task = task,
        .message = message,
        .request = {.op = AIO_OP_CALL,
                    .fd = -1,
                    .buf_index = -1,
                    .call = job_run,
                    .arg = job,
                    .done = job_done,
                    .opaque = job},
    };
    return job;
}

/* Raises what it failed with. */
static int job_failed(lua_State *L, Job *job)
{
    if (job->trouble || !job->failed) {
        lua_pushfstring(L, "aio.offload: %s",
                        job->trouble ? job->trouble
                                     : "no thread can be started");
        job_end(job);
        return lua_error(L);
    }
    CrossPack *message = job->message;
    job->message = NULL;
    job_end(job);
    lua_settop(L, 0);
    cross_unpack(L, message);
    lua_settop(L, 2);
    lua_pushfstring(L, "%s\n(in aio.offload)",
                    lua_isstring(L, 2) ? lua_tostring(L, 2) : "no traceback");
    lua_replace(L, 2);
    alua_file_traceback(L);
    alua_rethrow(L);
}

static int push_results(lua_State *L, Job *job)
{
    CrossPack *message = job->message;

    lua_settop(L, 0);
    if (message->light) { /* raises nothing */
        int count = cross_unpack_kept(L, message);

        job_end(job);
        return count;
    }
    job->message = NULL;
    job_end(job);
    return cross_unpack(L, message);
}

/**
 * aio.offload(fn: function, ...) -> any ...
 *
 * The results of `fn(...)`, which runs in a thread of the context's thread
 * pool. Parks. For functions that compute: they find the standard library and
 * modules, and of `aio` buffers, clocks and histograms, but no loop; global
 * variables they set may or may not be there the next time. When the caller is
 * cancelled it ends at once; a function that has not begun never runs, one
 * that runs goes on to its end, and what it returns is dropped.
 */
static int offload(lua_State *L)
{
    LuaVM *vm = alua_vm(L);

    alua_check_callable(L, 1);
    LuaTask *t = task_check_can_park(L);
    AioContext *ctx = task_context(t);
    OffloadPool *pool = pool_of(L, vm);
    if (!pool->threads) {
        pool->threads = file_threads_engine(L, ctx);
    }
    Job *job = job_new(L, pool, t);

    vm->io_in_flight++;
    aio_request_submit(ctx, pool->threads, &job->request);
    while (!job->done) {
        if (task_park(t, PARK_ON_WORLD, -1) == PARK_CANCELLED) {
            job->task = NULL;
            if (job->done) {
                job_end(job);
            } else {
                aio_request_cancel(&job->request);
            }
            task_throw_cancel(L, t);
        }
    }
    if (job->failed || job->request.ret < 0) {
        return job_failed(L, job);
    }
    return push_results(L, job);
}

static const luaL_Reg functions[] = {
    {"offload", offload},
    {NULL, NULL},
};

void loffload_open(lua_State *L)
{
    alua_setfuncs(L, functions);
}
